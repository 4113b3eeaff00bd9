"""What teachers make of inputs: models, and outputs that are known already."""

import keras

from keras_dl.models.features import OUTPUTS
from keras_dl.training.supervised.batch import Glimpse
from keras_dl.training.supervised.passes import (
    constant,
    glimpse_of,
    in_full,
    is_output,
    output_at,
    untouched,
)

TARGETS = "targets"


@keras.saving.register_keras_serializable("keras_dl")
class StoredOutputs(keras.Layer):
    """A teacher in the place of which its outputs come with the data.

    The teacher then runs once over all data, and not in each epoch. Targets
    are a dict: `"targets"`, those of the task, which there need not be with
    `task_weight=0`, and what the teacher made of the examples, under the name
    of this.

    Args:
        name: Name of the outputs in the dict.
        **kwargs: Arguments of `keras.Layer`.

    Example:

    >>> teacher = keras_dl.applications.MLP((32,), num_outputs=3)
    >>> x, y = np.random.normal(size=(8, 5)), np.arange(8) % 3
    >>> logits = teacher.predict_logits(x, verbose=0)
    >>> trainer = keras_dl.training.SupervisedTrainer(
    ...     keras_dl.applications.MLP((4,), num_outputs=3),
    ...     keras_dl.training.LogitsDistillation(),
    ...     teachers=StoredOutputs(),
    ... )
    >>> trainer.compile(keras.optimizers.AdamW(1e-3))
    >>> y = {"targets": y, "teacher_outputs": logits}
    >>> sorted(trainer.fit(x, y, verbose=0).history)
    ['accuracy', 'logits_distillation', 'loss', 'task_loss']
    """

    def __init__(self, name="teacher_outputs", **kwargs):
        super().__init__(name=name, **kwargs)
        self.built = True

    def check_paths(self, paths):
        """Refuses to look inside."""
        inside = [path for path in paths if not is_output(path)]
        if inside:
            raise ValueError(
                f"The teacher {self.name!r} has no features but {OUTPUTS!r}, "
                f"which were stored. Received: {inside}."
            )

    def glimpse(self, y, paths):
        """What the teacher made of the examples whose targets these are."""
        outputs = y[self.name]
        found = {path: in_full(output_at(outputs, path)) for path in paths}
        return Glimpse(outputs, found)


def taught(teachers, paths, x, y):
    """What teachers make of a batch: a constant `Glimpse` of each.

    Args:
        teachers: List of models and `StoredOutputs`.
        paths: List of the paths of features of each.
        x: Inputs.
        y: Targets, with the outputs that are stored.
    """

    def one(teacher, paths):
        if isinstance(teacher, StoredOutputs):
            return teacher.glimpse(y, paths)
        with untouched(teacher):
            return glimpse_of(teacher, x, paths, False)

    found = [one(*pair) for pair in zip(teachers, paths, strict=True)]
    return [
        Glimpse(constant(g.outputs), constant({**g.features})) for g in found
    ]


def stored_in(teachers):
    """The names of outputs that come with the data."""
    return [t.name for t in teachers if isinstance(t, StoredOutputs)]


def task_targets(y, teachers):
    """Of targets, or their weights, those of the task."""
    names = stored_in(teachers)
    if not names or not isinstance(y, dict):
        return y
    return y.get(TARGETS)


def check_targets(y, teachers, has_task):
    """Refuses targets without what teachers are to have said."""
    names = stored_in(teachers)
    if not names:
        return
    needed = {*names, TARGETS} if has_task else set(names)
    there = set(y) if isinstance(y, dict) else type(y).__name__
    if not isinstance(y, dict) or not needed <= there <= {*names, TARGETS}:
        raise ValueError(
            f"`y` must be a dict with {sorted(needed)}: the outputs of a "
            f"teacher that does not run. Received: {there}."
        )
