"""What `import keras_dl` adds to `import keras`.

Each measurement is a fresh process with two clocks: one around `import
keras`, one around the `import keras_dl` that follows. Processes that import
keras alone take turns with them, and what `import keras` takes in these is
the peer's column: it tells whether the machine was quiet. The ratio is that
of importing both to importing keras alone; the target is at most 0.1 s added.

    KERAS_BACKEND=jax python -m benchmarks.import_time [--quick]
"""

import os
import statistics
import subprocess
import sys

from benchmarks._timing import arguments, machine, milliseconds

HEADER = (
    "| what | backend | added, ms | keras alone, ms | ratio | target, ms "
    "| processes |",
    "|---|---|---|---|---|---|---|",
)
CODE = """
import time
times = [time.perf_counter()]
for module in {modules}:
    __import__(module)
    times.append(time.perf_counter())
print(*[end - start for start, end in zip(times, times[1:])])
"""


def main():
    repeats = 2 if arguments(__doc__).quick else 9
    print(machine(), *["", *HEADER], sep="\n", flush=True)
    clock("keras", "keras_dl")
    added, alone, both = [], [], []
    for _ in range(repeats):
        alone += clock("keras")
        first, second = clock("keras", "keras_dl")
        added.append(second)
        both.append(first + second)
    print(row(added, alone, both))


def clock(*modules):
    """Seconds that each import takes, one after the other, when fresh."""
    run = subprocess.run(
        [sys.executable, "-c", CODE.format(modules=modules)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        text=True,
    )
    return [float(word) for word in run.stdout.split()]


def row(added, alone, both):
    """The result as one row of a Markdown table."""
    cells = [
        "import keras_dl",
        os.environ.get("KERAS_BACKEND", "(default)"),
        milliseconds(added),
        milliseconds(alone),
        f"{statistics.median(both) / statistics.median(alone):.3f}",
        "<= 100",
        str(2 * len(added)),
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
