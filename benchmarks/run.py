"""Runs the benchmarks, each on each installed backend in its own process.

    python -m benchmarks.run [--quick] [--write] [names ...]

With `--write` the tables go to `benchmarks/results/<name>.md`.
"""

import argparse
import importlib.util
import os
import pathlib
import subprocess
import sys

from benchmarks._timing import machine

HERE = pathlib.Path(__file__).parent
NAMES = (
    "supervised_step",
    "supervised_trainer_step",
    "distillation_step",
    "vgg16_step",
    "dcgan_step",
    "wgan_gp_step",
    "cycle_gan_step",
    "maml_step",
    "recurrent_step",
    "transformer_step",
    "bert_step",
    "bert_base_step",
    "generation",
    "masking",
    "smaller_models",
    "quantization_step",
    "import_time",
)
BACKENDS = ("jax", "tensorflow", "torch")


def main():
    args = _arguments()
    failed = []
    for name in args.names or NAMES:
        table = []
        for backend in _installed():
            code, lines = run(name, backend, args.quick)
            head, rows = lines[:2], lines[2:]
            table += rows if table else head + rows
            if code:
                failed.append(f"{name} on {backend}")
        if args.write:
            write(name, table)
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")


def run(name, backend, quick):
    """Runs one benchmark; returns its exit code and its table's lines."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{name}", *["--quick"] * quick],
        cwd=HERE.parent,
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        if line.startswith("|"):
            lines.append(line.rstrip())
    return process.wait(), lines


def write(name, table):
    """Writes a table with the machine that it was measured on."""
    path = HERE / "results" / f"{name}.md"
    path.parent.mkdir(exist_ok=True)
    intro = (
        f"Measured by `python -m benchmarks.run --write {name}`; what is "
        f"compared, and what the columns mean, stands at the top of "
        f"`benchmarks/{name}.py` and of `benchmarks/_timing.py`."
    )
    path.write_text("\n\n".join([intro, machine(), "\n".join(table)]) + "\n")


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=str(NAMES))
    parser.add_argument("--quick", action="store_true", help="a few steps only")
    parser.add_argument("--write", action="store_true", help="keep the tables")
    args = parser.parse_args()
    unknown = set(args.names) - set(NAMES)
    if unknown:
        parser.error(f"no such benchmark: {sorted(unknown)}; choose of {NAMES}")
    return args


def _installed():
    return [name for name in BACKENDS if importlib.util.find_spec(name)]


if __name__ == "__main__":
    main()
