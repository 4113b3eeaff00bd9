"""Terms of a loss: what a model is to learn beside its task."""

import collections.abc
import dataclasses
import re

import keras
from keras import ops

from keras_dl.checks import check_choice, check_integer
from keras_dl.models.features import OUTPUTS


class _AskedFeatures(dict):
    """The features of a model by path; others are refused by name."""

    def __missing__(self, path):
        raise ValueError(
            f"No term asked for the feature {path!r}: name it in "
            "`student_features` or `teacher_features`. Asked for were: "
            f"{list(self)}."
        )


@dataclasses.dataclass
class Glimpse:
    """What one forward pass of a model left.

    Attributes:
        outputs: What the model returned.
        features: Mapping of the paths that terms asked for and tensors, in
            float32 where they were computed in half precision.
    """

    outputs: object
    features: collections.abc.Mapping

    def __post_init__(self):
        self.features = _AskedFeatures(self.features)


@dataclasses.dataclass
class SupervisedBatch:
    """What a term of the loss sees of a step.

    Attributes:
        x, y, sample_weight: The data; `None` where there is none.
        student: `Glimpse` of the model that trains: `outputs`, `features`.
        teachers: `Glimpse`s of the teachers, constants.
        mask: Boolean `(batch, time)`, true for real tokens, or `None`.
        training: Whether this is a step of training.
    """

    x: object
    y: object
    sample_weight: object
    student: Glimpse
    teachers: list
    mask: object
    training: bool

    @property
    def teacher(self):
        """The first teacher's `Glimpse`."""
        return self.teachers[0]


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
        of_teacher: Number of the teacher, where there are several.
        **kwargs: Arguments of `keras.Layer`; the term is logged under `name`.

    Raises:
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
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.factor = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="factor"
        )
        self.weight = weight
        self.of_teacher = check_integer("of_teacher", of_teacher, 0)
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
        if self.of_teacher >= len(trainer.teachers):
            raise ValueError(
                f"`of_teacher` of {self.name!r} must name one of "
                f"{len(trainer.teachers)} teachers, from 0. Received: "
                f"of_teacher={self.of_teacher}."
            )

    def get_config(self):
        return {
            **super().get_config(),
            "weight": self.weight,
            "of_teacher": self.of_teacher,
        }


DISTANCES = ("mse", "mae", "cosine")


@keras.saving.register_keras_serializable("keras_dl")
class FeatureDistance(LossTerm):
    """How far features of the model are from those of a teacher.

        mse      mean_d (P s - t)_d^2
        mae      mean_d |P s - t|_d
        cosine   1 - cos(P s, t)

    over the last axis, and their mean over the others, of real tokens alone
    where there is a mask. `P` is a matrix, or the identity. This is the loss
    of hints (FitNets), and of hidden states (TinyBERT, with `projection`).

    Args:
        student: Path of the feature of the model; see `keras_dl.models.taps`.
            `"outputs"` is what the model returns.
        teacher: Path of the feature of the teacher; the same by default.
        distance: `"mse"`, `"mae"` or `"cosine"`.
        projection: Whether to learn a matrix `P` that makes the student's
            vectors as long as the teacher's.
        **kwargs: Arguments of `LossTerm`: `weight`, `of_teacher`, `name`.

    Raises:
        ValueError: If the shapes do not fit, before the first step.

    Example: see `keras_dl.training.SupervisedTrainer`.

    Reference:
        Romero et al., "FitNets: hints for thin deep nets", 2015; Jiao et al.,
        "TinyBERT: distilling BERT for natural language understanding", 2020.
    """

    def __init__(
        self,
        student=OUTPUTS,
        teacher=None,
        distance="mse",
        projection=False,
        **kwargs,
    ):
        teacher = student if teacher is None else teacher
        super().__init__(
            student_features=[student], teacher_features=[teacher], **kwargs
        )
        self.student, self.teacher = student, teacher
        self.distance = check_choice("distance", distance, DISTANCES)
        self.projection = projection
        self.matrix = None

    def loss(self, batch):
        s = batch.student.features[self.student]
        t = batch.teachers[self.of_teacher].features[self.teacher]
        self._check_single(self.student, s)
        self._check_single(self.teacher, t)
        if self.projection:
            if self.matrix is None:
                self.matrix = keras.layers.Dense(
                    t.shape[-1], use_bias=False, dtype="float32", name="matrix"
                )
            s = self.matrix(s)
        if _static(s) != _static(t):
            raise ValueError(
                f"{self.name!r} compares the student's {self.student!r} of "
                f"shape {_static(s)} with the teacher's {self.teacher!r} of "
                f"shape {_static(t)}: they must be alike"
                + (" up to the last axis." if self.projection else ".")
            )
        distances = self._distance(s, t)
        if not _is_attention(self.student):
            if self.distance != "cosine":
                distances = ops.mean(distances, axis=-1)
            return masked_mean(distances, batch.mask)
        if batch.mask is None:
            return masked_mean(distances)
        # (batch, heads, queries, keys), or without the keys.
        real = batch.mask[:, None, :]
        if self.distance != "cosine":
            real = ops.logical_and(real[..., None], real[:, :, None, :])
        return masked_mean(distances, real)

    def _check_single(self, path, x):
        if not hasattr(x, "shape"):
            names = list(x) if isinstance(x, dict) else range(len(x))
            raise ValueError(
                f"{self.name!r} compares tensors, and {path!r} has several: "
                f"name one of {[f'{path}/{name}' for name in names]}."
            )

    def _distance(self, s, t):
        if self.distance == "mse":
            return ops.square(s - t)
        if self.distance == "mae":
            return ops.abs(s - t)
        both = ops.normalize(s, axis=-1) * ops.normalize(t, axis=-1)
        return 1.0 - ops.sum(both, axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "student": self.student,
            "teacher": self.teacher,
            "distance": self.distance,
            "projection": self.projection,
        }


def masked_mean(values, mask=None):
    """The mean of each example, of what is real.

    Args:
        values: Tensor of shape `(batch, ...)`.
        mask: Boolean, `(batch, time)` of `(batch, time, ...)`, or of as many
            axes as the values, where 1 stands for any number. It is left
            aside if the values have no such axis.

    Returns:
        Tensor of shape `(batch,)`.
    """
    axes = tuple(range(1, len(values.shape)))
    if not axes:
        return values
    if mask is None or (
        values.shape[1] not in (mask.shape[1], None)
        and (mask.shape[1] not in (1, None))
    ):
        return ops.mean(values, axis=axes)
    for _ in range(len(values.shape) - len(mask.shape)):
        mask = ops.expand_dims(mask, -1)
    real = ops.broadcast_to(mask, ops.shape(values))
    total = ops.sum(ops.where(real, values, 0.0), axes)
    count = ops.sum(ops.cast(real, values.dtype), axes)
    return total / ops.maximum(count, 1.0)


def _is_attention(path):
    """Whether a path is that of weights or logits between tokens."""
    return bool(re.search(r"(attention_|:)(weights|logits)\b", path))


def _static(x):
    return tuple(x.shape)[1:]


def _paths(name, paths):
    if isinstance(paths, str) or not all(isinstance(p, str) for p in paths):
        raise ValueError(
            f"`{name}` must be a list of paths. Received: {name}={paths!r}."
        )
    return tuple(paths)
