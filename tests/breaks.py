"""Small faults, put into the library one at a time: do the tests see them?

`python tests/breaks.py [--only NAME ...] [--root FOLDER] [--all]`

Each break is put into a copy of the repository, where the lanes of `make test`
then run the tests that should see it, and at last the agreement of backends,
until one fails. A row is printed for each: what was broken, and the first test
that failed. The exit status is 1 if a break was not caught; tests that take
longer than 15 minutes have not caught it. `--all` runs the tests without lanes,
on each backend that the break shows on.
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import lanes

ROOT = pathlib.Path(__file__).parents[1]
# The quickest first: it is tried first.
EVERY = ("torch", "jax", "tensorflow")
LOOPS = ("jax", "tensorflow")
SECONDS = 900
AGREEMENT = "tests/across/test_agreement.py"


@dataclasses.dataclass(frozen=True)
class Break:
    """A fault.

    Attributes:
        name: A word for it.
        room: The room of the library that it is in.
        kind: `"values"`, `"gradients"`, `"masks"`, `"state"`, `"errors"` or
            `"saving"`: what goes wrong.
        path: The file.
        old: Text that is in it once.
        new: What stands there instead.
        backends: Where it shows.
        tests: Files below tests/ that should catch it.
    """

    name: str
    room: str
    kind: str
    path: str
    old: str
    new: str
    backends: tuple
    tests: tuple


BREAKS = [
    # Gradients, on every backend.
    Break(
        "unconnected-gradient-is-one",
        "autodiff",
        "gradients",
        "keras_dl/autodiff.py",
        "ops.zeros_like(tensor) if gradient is None else gradient",
        "ops.ones_like(tensor) if gradient is None else gradient",
        EVERY,
        ("test_autodiff.py",),
    ),
    Break(
        "vectors-pass-for-scalars",
        "autodiff",
        "errors",
        "keras_dl/autodiff.py",
        "if tuple(value.shape) != ():",
        "if value is None:",
        EVERY,
        ("test_autodiff.py",),
    ),
    # What only one backend runs.
    Break(
        "jax-state-is-not-written-back",
        "backend",
        "state",
        "keras_dl/backend/jax.py",
        "assign(zip(written, values, strict=True))",
        "assign([])",
        ("jax",),
        ("test_autodiff.py", "training/test_trainer.py"),
    ),
    Break(
        "jax-zeros-for-the-unconnected",
        "backend",
        "errors",
        "keras_dl/backend/jax.py",
        "gradient if key in connected else None",
        "gradient",
        ("jax",),
        ("test_autodiff.py",),
    ),
    Break(
        "jax-frozen-groups-move",
        "backend",
        "values",
        "keras_dl/backend/jax.py",
        "keras.ops.where(condition, variable.value, old)",
        "variable.value",
        ("jax",),
        ("optimizers/test_parameter_groups.py",),
    ),
    Break(
        "jax-an-error-loses-the-model",
        "backend",
        "state",
        "keras_dl/backend/jax.py",
        "if not any(v.is_deleted()",
        "if any(v.is_deleted()",
        ("jax",),
        ("training/test_trainer.py",),
    ),
    Break(
        "jax-bias-without-gradient",
        "backend",
        "gradients",
        "keras_dl/backend/jax.py",
        "rows = rows + bias",
        "rows = rows + jax.lax.stop_gradient(bias)",
        ("jax",),
        ("layers/test_dense.py",),
    ),
    Break(
        "tensorflow-loop-never-reversed",
        "backend",
        "gradients",
        "keras_dl/backend/tensorflow.py",
        "at = steps - 1 - t if reverse else t",
        "at = t",
        ("tensorflow",),
        ("layers/test_recurrent.py",),
    ),
    Break(
        "tensorflow-nan-from-the-start",
        "backend",
        "errors",
        "keras_dl/backend/specification.py",
        "logs = function(data)\n        check(logs)",
        "logs = function(data)\n"
        '        if keras.backend.backend() != "tensorflow":\n'
        "            check(logs)",
        ("tensorflow",),
        ("training/test_trainer.py",),
    ),
    Break(
        "tensorflow-writes-at-the-start",
        "backend",
        "state",
        "keras_dl/backend/tensorflow.py",
        "start = (0, index) + (0,)",
        "start = (0, 0) + (0,)",
        ("tensorflow",),
        ("layers/test_attention.py",),
    ),
    Break(
        "tensorflow-replicas-add-up",
        "backend",
        "values",
        "keras_dl/backend/tensorflow_replicas.py",
        "return value if count() == 1 else value / tf.cast(count(), "
        "value.dtype)",
        "return value",
        ("tensorflow",),
        ("across/test_distribution.py",),
    ),
    Break(
        "masked-steps-lose-the-gradient-of-the-cell",
        "backend",
        "masks",
        "keras_dl/backend/loops.py",
        "return (d_h, real_c * f + rest_c), (d_x,)",
        "return (d_h, real_c * f), (d_x,)",
        LOOPS,
        ("layers/test_recurrent.py",),
    ),
    Break(
        "tensorflow-second-order-through-its-kernels",
        "backend",
        "gradients",
        "keras_dl/backend/nesting.py",
        "return depth() > 1",
        "return depth() > 2",
        ("tensorflow",),
        ("layers/test_recurrent.py",),
    ),
    Break(
        "keras-own-step-differentiates-once",
        "backend",
        "gradients",
        "keras_dl/backend/nesting.py",
        "outer = before or int(by_others)",
        "outer = before",
        ("torch", "tensorflow"),
        ("test_plain_models.py",),
    ),
    Break(
        "tensorflow-moments-with-a-constant-mean",
        "backend",
        "gradients",
        "keras_dl/backend/tensorflow_second_order.py",
        "tf.square(x - mean), axes",
        "tf.square(x - tf.stop_gradient(mean)), axes",
        ("tensorflow",),
        ("test_second_order.py",),
    ),
    Break(
        "batches-are-not-looked-at",
        "models",
        "errors",
        "keras_dl/models/checked_data.py",
        "        self._look(batch, index)\n",
        "",
        EVERY,
        ("models/test_checked_data.py",),
    ),
    Break(
        "writes-end-with-the-substitution",
        "backend",
        "state",
        "keras_dl/backend/scope.py",
        "            assign(self.writes())",
        "            self.writes()",
        EVERY,
        ("test_autodiff.py",),
    ),
    # Layers.
    Break(
        "jax-variance-without-gradient",
        "layers",
        "gradients",
        "keras_dl/backend/specification.py",
        "variance = ops.mean(ops.square(x), axes, keepdims=True)",
        'jax = keras.backend.backend() == "jax"\n'
        "    still = ops.stop_gradient(x) if jax else x\n"
        "    variance = ops.mean(ops.square(still), axes, keepdims=True)",
        ("jax",),
        ("layers/test_image_layers.py",),
    ),
    Break(
        "tensorflow-attention-without-masks",
        "layers",
        "masks",
        "keras_dl/layers/attention/attention.py",
        "        if allowed is not None:\n            half",
        "        if allowed is not None and "
        'keras.backend.backend() != "tensorflow":\n'
        "            half",
        ("tensorflow",),
        ("layers/test_attention.py",),
    ),
    Break(
        "any-mask-allows",
        "layers",
        "masks",
        "keras_dl/layers/masks.py",
        "ops.logical_and(combined, mask)",
        "ops.logical_or(combined, mask)",
        EVERY,
        ("layers/test_attention.py",),
    ),
    Break(
        "memory-mask-not-passed-on",
        "layers",
        "masks",
        "keras_dl/layers/attention/transformer_blocks.py",
        "value_mask=memory_mask,\n            cache=of_memory",
        "cache=of_memory",
        EVERY,
        ("layers/test_transformer_blocks.py",),
    ),
    Break(
        "config-without-the-layout",
        "layers",
        "saving",
        "keras_dl/layers/attention/positions.py",
        '            "layout": self.layout,\n',
        "",
        EVERY,
        ("layers/test_configs.py",),
    ),
    # Losses and metrics.
    Break(
        "penalty-teaches-nothing",
        "losses",
        "gradients",
        "keras_dl/losses/penalties.py",
        "ops.sqrt(ops.where(positive, squares, 1.0))",
        "ops.sqrt(ops.where(positive, ops.stop_gradient(squares), 1.0))",
        EVERY,
        ("losses/test_adversarial.py",),
    ),
    Break(
        "tensorflow-loss-without-masks",
        "losses",
        "masks",
        "keras_dl/tokens.py",
        'return _WithMask("float32")(ones, y_pred)',
        'unread = backend.name == "tensorflow"\n'
        '        return ones if unread else _WithMask("float32")(ones, y_pred)',
        ("tensorflow",),
        ("losses/test_label_smoothed_crossentropy.py",),
    ),
    Break(
        "config-without-the-ignored-class",
        "losses",
        "saving",
        "keras_dl/losses/label_smoothed_crossentropy.py",
        '            "ignore_class": self.ignore_class,\n',
        "",
        EVERY,
        ("losses/test_label_smoothed_crossentropy.py",),
    ),
    Break(
        "batches-merged-without-their-means",
        "metrics",
        "values",
        "keras_dl/metrics/correlation.py",
        "self.comoment.assign_add(comoment + between)",
        "self.comoment.assign_add(comoment)",
        EVERY,
        ("metrics/test_correlation.py",),
    ),
    Break(
        "sums-lose-small-batches",
        "metrics",
        "state",
        "keras_dl/metrics/_parts/sums.py",
        "ops.where(finite, excess, ops.zeros_like(excess))",
        "ops.zeros_like(excess)",
        EVERY,
        ("metrics/test_perplexity.py",),
    ),
    # Optimizers.
    Break(
        "tensorflow-moments-of-groups-not-saved",
        "optimizers",
        "saving",
        "keras_dl/optimizers/parameter_groups.py",
        "        own = super().variables\n",
        "        own = super().variables\n"
        '        if backend.name == "tensorflow":\n'
        "            return own\n",
        ("tensorflow",),
        ("optimizers/test_parameter_groups.py",),
    ),
    Break(
        "adam-looks-ahead-without-decay",
        "optimizers",
        "values",
        "keras_dl/optimizers/differentiable.py",
        "m = m + (1.0 - b1) * (g - m)",
        "m = m + (1.0 - b1) * g",
        EVERY,
        ("optimizers/test_differentiable.py",),
    ),
    # Around training.
    Break(
        "epochs-count-on-from-where-batches-are",
        "callbacks",
        "state",
        "keras_dl/callbacks/epoch_order.py",
        "self.batches.epoch = epoch",
        "self.batches.epoch += 1",
        EVERY,
        ("callbacks/test_epoch_order.py",),
    ),
    Break(
        "seeds-not-saved",
        "training",
        "saving",
        "keras_dl/training/engine/stepped_model.py",
        "            store[_SEEDS] = np.stack(states)",
        "            np.stack(states)",
        EVERY,
        ("training/test_trainer.py",),
    ),
    Break(
        "optimizers-of-other-sizes-are-loaded",
        "training",
        "errors",
        "keras_dl/training/engine/named_optimizers.py",
        "if saved and saved != here:",
        "if saved and set(saved) != set(here):",
        EVERY,
        ("training/test_named_optimizers.py",),
    ),
    Break(
        "weights-cut-from-above-only",
        "constraints",
        "values",
        "keras_dl/constraints.py",
        "ops.clip(w, -self.limit, self.limit)",
        "ops.minimum(w, self.limit)",
        EVERY,
        ("test_constraints.py",),
    ),
    Break(
        "nan-is-no-difference",
        "testing",
        "errors",
        "keras_dl/testing/report.py",
        'return float("inf") if np.isnan(gap) else gap',
        "return 0.0 if np.isnan(gap) else gap",
        EVERY,
        ("testing/test_report.py",),
    ),
    # Heads, tasks, texts and data.
    Break(
        "padding-can-be-the-answer",
        "heads",
        "masks",
        "keras_dl/heads/extractive_qa.py",
        "return ops.where(real, logits, -1e9)",
        "return logits",
        EVERY,
        ("applications/test_task_model.py",),
    ),
    Break(
        "numbers-are-indices",
        "tasks",
        "values",
        "keras_dl/tasks/labels.py",
        "if any(one is not None for one in known):",
        "if False:",
        EVERY,
        ("tasks/test_task_labels.py",),
    ),
    Break(
        "tags-weigh-the-same",
        "models",
        "values",
        "keras_dl/models/class_weight.py",
        "known = ops.logical_and(y >= 0, y < others)",
        "known = ops.logical_and(y < 0, y < others)",
        EVERY,
        ("models/test_class_weight.py",),
    ),
    Break(
        "targets-of-any-shape",
        "models",
        "errors",
        "keras_dl/models/target_fit.py",
        "if not found & set(forms):",
        "if False:",
        EVERY,
        ("models/test_target_kind.py",),
    ),
    Break(
        "labels-may-repeat",
        "tasks",
        "errors",
        "keras_dl/tasks/labels.py",
        "if not allowed or len(set(names)) < len(names):",
        "if not allowed:",
        EVERY,
        ("tasks/test_task_errors.py",),
    ),
    Break(
        "memory-shows-what-is-hidden",
        "text",
        "masks",
        "keras_dl/text/examples/fragment_decoding.py",
        "masked != self._mask_id",
        "masked != self._pad_id",
        EVERY,
        ("text/test_fragment_decoding.py",),
    ),
    Break(
        "one-static-mask-for-all-epochs",
        "text",
        "state",
        "keras_dl/text/examples/masked_batches.py",
        "version = self.epoch % self.duplicates",
        "version = 0",
        EVERY,
        ("text/test_masked_batches.py",),
    ),
    Break(
        "rows-filled-up-with-zero",
        "datasets",
        "values",
        "keras_dl/datasets/bucketed.py",
        'np.full((len(chosen), next(lengths)), self.pad, "int32")',
        'np.zeros((len(chosen), next(lengths)), "int32")',
        EVERY,
        ("datasets/test_bucketed.py",),
    ),
    Break(
        "ended-beams-without-penalty",
        "generation",
        "values",
        "keras_dl/generation/beam_search.py",
        "self._ended.append((total / self._penalty(length), tokens))",
        "self._ended.append((total, tokens))",
        EVERY,
        ("generation/test_search.py",),
    ),
    # What any model answers, and what trains it.
    Break(
        "taps-record-inputs",
        "models",
        "values",
        "keras_dl/models/features.py",
        'if self.what in ("input", "logits"):',
        'if self.what != "weights":',
        EVERY,
        ("models/test_features.py",),
    ),
    Break(
        "attention-logits-after-the-mask",
        "models",
        "masks",
        "keras_dl/models/features.py",
        "value = args[0] if args else next(iter(kwargs.values()))\n",
        "value = args[0] if args else next(iter(kwargs.values()))\n"
        '            if kwargs.get("allowed") is not None:\n'
        '                real = kwargs["allowed"]\n'
        "                value = keras.ops.where(real, value, -1e9)\n",
        EVERY,
        ("models/test_features.py",),
    ),
    Break(
        "vectors-are-not-added",
        "models",
        "gradients",
        "keras_dl/models/embedded.py",
        "return call(*args, **kwargs) + vectors if self._added else vectors",
        "return vectors",
        EVERY,
        ("training/test_supervised_trainer.py",),
    ),
    Break(
        "what-a-model-trains-is-not-asked",
        "models",
        "values",
        "keras_dl/models/task.py",
        "return [v for v in self.model.variables if id(v) not in trained]",
        "return []",
        EVERY,
        ("models/test_task.py",),
    ),
    Break(
        "weights-evaluated-as-they-are",
        "training",
        "state",
        "keras_dl/training/supervised/supervised_trainer.py",
        "        with weights_read(self.readings):\n"
        "            batch = self._look(x, y",
        "        with weights_read([]):\n            batch = self._look(x, y",
        EVERY,
        ("training/test_supervised_trainer.py",),
    ),
    Break(
        "terms-count-padding",
        "training",
        "masks",
        "keras_dl/training/supervised/supervised_trainer.py",
        "padding_mask(self.network, clean) if self.terms else None",
        "None",
        EVERY,
        ("training/test_supervised_trainer.py",),
    ),
    Break(
        "statistics-of-teachers-move",
        "training",
        "state",
        "keras_dl/training/supervised/teachers.py",
        "        with untouched(teacher):\n"
        "            return glimpse_of(teacher, x, paths, False)",
        "        if True:\n"
        "            return glimpse_of(teacher, x, paths, True)",
        EVERY,
        ("training/test_supervised_trainer.py",),
    ),
    Break(
        "heads-of-one-name",
        "applications",
        "gradients",
        "applications/task_model.py",
        "keras.name_scope(name or head.name)",
        'keras.name_scope("head")',
        ("torch",),
        ("training/test_supervised_trainer.py",),
    ),
    # Models.
    Break(
        "config-without-dropout",
        "applications",
        "saving",
        "applications/mlp.py",
        '            "dropout": self.dropout,\n',
        "",
        EVERY,
        ("applications/test_configs.py",),
    ),
    Break(
        "strange-tensors-are-passed-over",
        "applications",
        "errors",
        "applications/bert/hugging_face_folder.py",
        'raise self._error(name, "belongs to no part of this model")',
        "continue",
        EVERY,
        ("applications/test_hugging_face.py",),
    ),
    Break(
        "new-layers-never-fade-in",
        "applications",
        "state",
        "applications/gan/progressive_gan.py",
        "self.seen.assign(self.seen + count)",
        "self.seen.assign(self.seen)",
        EVERY,
        ("applications/test_staged_gans.py",),
    ),
    # Steps that are recorded.
    Break(
        "seed-recorded-as-a-number",
        "backend",
        "state",
        "keras_dl/backend/torch_program.py",
        'self._lines.append(f"{generator}.manual_seed({seed})")',
        "generator",
        ("torch",),
        ("training/test_recorded_steps.py",),
    ),
    Break(
        "rate-recorded-as-a-number",
        "backend",
        "state",
        "keras_dl/backend/torch_recording.py",
        "leaves[found[0]] = Told(operation.number)",
        "leaves[found[0]] = Told(-1)",
        ("torch",),
        ("training/test_recorded_steps.py",),
    ),
    Break(
        "changed-attributes-passed-over",
        "backend",
        "state",
        "keras_dl/backend/torch_recorded.py",
        "            case.doubt()",
        "            case",
        ("torch",),
        ("training/test_recorded_steps.py",),
    ),
    Break(
        "half-a-step-not-undone",
        "backend",
        "state",
        "keras_dl/backend/torch_program.py",
        'undo.append(f"{slot!r}.copy_({copy})")',
        'undo.append("pass")',
        ("torch",),
        ("training/test_recorded_steps.py",),
    ),
    Break(
        "constant-after-it-was-written-to",
        "backend",
        "values",
        "keras_dl/backend/torch_recording.py",
        "return self.before.get(slot, self.externals[slot])",
        "return self.externals[slot]",
        ("torch",),
        ("training/test_recorded_steps.py",),
    ),
]


def commands(break_, in_lanes):
    """Yields `(backend, pytest arguments)`: what should catch a break.

    Args:
        break_: A `Break`.
        in_lanes: Whether tests run in their lanes only.
    """
    files = [f"tests/{test}" for test in break_.tests]
    across = [f for f in files if lanes.place_of(ROOT / f) == "agreement"]
    within = [f for f in files if f not in across]
    for backend in sorted(break_.backends if within else (), key=EVERY.index):
        if not in_lanes:
            yield backend, within
        elif backend != "torch":
            yield backend, ["--lane=compiled", *within]
        else:
            for file in within:
                yield backend, [f"--lane={lanes.place_of(ROOT / file)}", file]
    # Their tests start processes on all backends themselves.
    for file in [*across, *([AGREEMENT] if in_lanes else [])]:
        yield "torch", [file]


def copied(root, folder):
    """Copies what git would see of a repository, and makes it importable."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, folder / name)
    # An editable install would find the models elsewhere.
    link = folder / "keras_dl" / "applications"
    link.symlink_to(folder / "applications", target_is_directory=True)


def broken(break_, folder):
    """The text of the file, with the break in it."""
    text = (folder / break_.path).read_text(encoding="utf-8")
    if text.count(break_.old) != 1:
        raise ValueError(
            f"{break_.name}: the old text must be in {break_.path} once. "
            f"Found: {text.count(break_.old)} times."
        )
    text = text.replace(break_.old, break_.new)
    compile(text, break_.path, "exec")
    return text


def first_failure(folder, backend, arguments):
    """The first test that fails in a folder, or `None`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-x", "-q", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "PYTHONPATH": str(folder),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return None
    finally:
        # Whatever the tests have started, too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode in (0, 5):  # 5: no test of the lane is in the files.
        return None
    found = re.search(
        r"^(?:FAILED|ERROR) (\S+?::.+?)(?: - .*)?$", output, re.MULTILINE
    )
    if found is None:
        raise RuntimeError(f"The tests did not run:\n{output[-4000:]}")
    return found[1]


def caught_by(break_, root, in_lanes):
    """The test that catches a break, and its backend, or `None`."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder).resolve()
        copied(root, folder)
        text = broken(break_, folder)
        (folder / break_.path).write_text(text, encoding="utf-8")
        for backend, arguments in commands(break_, in_lanes):
            test = first_failure(folder, backend, arguments)
            if test is not None:
                return f"{test} on {backend}"
    return None


def main(arguments=None):
    """Prints a row for each break; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[])
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args(arguments)
    strange = set(options.only) - {break_.name for break_ in BREAKS}
    if strange:
        parser.error(f"there are no breaks named {sorted(strange)}")
    chosen = [b for b in BREAKS if not options.only or b.name in options.only]
    for break_ in chosen:
        broken(break_, options.root)  # Before any time is spent.
    missed = 0
    for break_ in chosen:
        test = caught_by(break_, options.root, not options.all)
        missed += test is None
        backends = ", ".join(break_.backends)
        result = f"caught by: {test}" if test else "NOT CAUGHT"
        row = break_.name, break_.room, break_.kind, backends, result
        print(" | ".join(row), flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
