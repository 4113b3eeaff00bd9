"""Terms of a loss: what a model is to learn beside its task."""

import keras
from keras import ops

from keras_dl.checks import check_integer
from keras_dl.training.supervised.gate import Gate


class LossTerm(keras.Layer):
    """A part of the loss, beside the task's: the base of all terms.

        loss = task_weight * loss of the task + sum_k weight_k term_k

    A subclass says in `student_features` and `teacher_features` what it wants
    to see of the models (paths: see `keras_dl.models.taps`), and writes `loss`.
    Whatever the number of terms, a step calls the model and each teacher once.
    Layers that a term makes in `__init__` train with the model, and are left
    behind with the trainer.

    Regularizers of its layers count in the whole loss.

    Args:
        weight: Factor, a number of at least 0. It can be set later, too: it is
            a variable, which compiled steps follow.
        student_features: Paths of features of the model.
        teacher_features: Paths of features of the teacher.
        of_teacher: Number of the teacher, where there are several; a list of
            numbers, or `None` for all, of a term that looks at more than one.
        gate: A `Gate` that says what each example counts in this term, or
            `None`.
        **kwargs: Arguments of `keras.Layer`; the term is logged under `name`.

    Raises:
        TypeError: If `gate` is something else.
        ValueError: If `weight` is below 0.

    Example: hidden states that are to stay small.

    >>> class SmallStates(keras_dl.training.LossTerm):
    ...     def __init__(self, **kwargs):
    ...         super().__init__(student_features=["hidden"], **kwargs)
    ...
    ...     def loss(self, batch):
    ...         states = batch.student.features["hidden"]
    ...         return ops.mean(ops.square(states), axis=-1)
    >>> model = keras.Sequential(
    ...     [keras.Input((3,)), keras.layers.Dense(4, name="hidden"),
    ...      keras.layers.Dense(1)]
    ... )
    >>> trainer = keras_dl.training.SupervisedTrainer(
    ...     model, terms=[SmallStates(weight=0.1, name="states")]
    ... )
    >>> trainer.compile("sgd", loss="mse")
    >>> history = trainer.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    >>> sorted(history.history)
    ['loss', 'states', 'task_loss']
    """

    def __init__(
        self,
        weight=1.0,
        student_features=(),
        teacher_features=(),
        of_teacher=0,
        gate=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.factor = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="factor"
        )
        self.weight = weight
        self.of_teacher = _check_teachers(of_teacher)
        if gate is not None and not isinstance(gate, Gate):
            raise TypeError(
                f"`gate` must be a Gate or None. Received: gate={gate!r}."
            )
        self.gate = gate
        self.student_features = _paths("student_features", student_features)
        self.teacher_features = _paths("teacher_features", teacher_features)
        self.built = True  # Its layers are built when they are first called.

    @property
    def weight(self):
        """The factor, a number."""
        return float(ops.convert_to_numpy(self.factor))

    @weight.setter
    def weight(self, value):
        if not value >= 0:
            raise ValueError(
                f"`weight` must be at least 0. Received: weight={value!r}."
            )
        self.factor.assign(value)

    def loss(self, batch):
        """The term's value.

        Args:
            batch: A `SupervisedBatch`.

        Returns:
            A scalar; or losses of the examples, `(batch,)`, of which the mean
            is taken, with sample weights as in Keras' losses: those of single
            tokens count by their mean in a row, and of several outputs the
            largest weight of an example counts.
        """
        raise NotImplementedError

    def check(self, trainer):
        """Says before the first step why a trainer cannot have this term."""
        if not self.teacher_features:
            return
        if not trainer.teachers:
            raise ValueError(
                f"The term {self.name!r} needs a teacher: give `teachers`."
            )
        if max(self.seen_teachers(trainer.teachers)) >= len(trainer.teachers):
            raise ValueError(
                f"`of_teacher` of {self.name!r} must name one of "
                f"{len(trainer.teachers)} teachers, from 0. Received: "
                f"of_teacher={self.of_teacher}."
            )

    def seen_teachers(self, teachers):
        """Of a list of teachers, the numbers of those that the term sees."""
        if self.of_teacher is None:
            return list(range(len(teachers)))
        several = isinstance(self.of_teacher, tuple)
        return list(self.of_teacher) if several else [self.of_teacher]

    def get_config(self):
        return {
            **super().get_config(),
            "weight": self.weight,
            "of_teacher": self.of_teacher,
            "gate": keras.saving.serialize_keras_object(self.gate),
        }

    @classmethod
    def from_config(cls, config):
        read = keras.saving.deserialize_keras_object
        parts = {
            name: read(value)
            for name, value in config.items()
            if isinstance(value, dict) and "class_name" in value
        }
        return super().from_config({**config, **parts})


def _paths(name, paths):
    if isinstance(paths, str) or not all(isinstance(p, str) for p in paths):
        raise ValueError(
            f"`{name}` must be a list of paths. Received: {name}={paths!r}."
        )
    return tuple(paths)


def _check_teachers(numbers):
    if numbers is None:
        return None
    if not isinstance(numbers, (list, tuple)):
        return check_integer("of_teacher", numbers, 0)
    if not numbers:
        raise ValueError("`of_teacher` must name teachers. Received: [].")
    return tuple(check_integer("of_teacher", n, 0) for n in numbers)
