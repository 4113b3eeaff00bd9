"""`FeatureDistance`: features of a model, pulled to those of a teacher."""

import re

import keras
from keras import ops

from keras_dl.losses.unit_vectors import unit_vectors
from keras_dl.losses.whole_examples import WholeExampleLoss
from keras_dl.models.features import OUTPUTS
from keras_dl.training.supervised.loss_term import LossTerm
from keras_dl.training.supervised.masked_mean import masked_mean
from keras_dl.training.supervised.passes import example_weights

DISTANCES = ("mse", "mae", "cosine", "normalized_mse")


@keras.saving.register_keras_serializable("keras_dl")
class FeatureDistance(LossTerm):
    """How far features of the model are from those of a teacher.

        mse              mean_d (P s - t)_d^2
        mae              mean_d |P s - t|_d
        cosine           1 - cos(P s, t)
        normalized_mse   mean_d (P s / |P s| - t / |t|)_d^2

    over the last axis, and their mean over the others, of real tokens alone
    where there is a mask; of several pairs of features, the sum. `P` is a
    matrix for each pair, or the identity. This is the loss of hints (FitNets),
    of hidden states (TinyBERT, with `projection`; PKD, `"normalized_mse"` with
    `token=0`), of attention, and, with a loss in the place of a name, of maps
    and relations (`keras_dl.losses.AttentionTransfer`, `RelationalLoss`).

    **Attention.** `"attention_logits/0"` and `"attention_weights/0"` are
    compared between real tokens alone, head by head; a loss in the place of a
    name sees the padding among the keys.

    Args:
        student: Path of the feature of the model, or a list of paths; see
            `keras_dl.models.taps`. `"outputs"` is what the model returns.
        teacher: Path of the feature of the teacher, or a list of as many; the
            same by default.
        distance: See above; or a `keras.losses.Loss` over the last axis, which
            is called with the teacher's and the student's features.
        projection: Whether to learn a matrix `P` that makes the student's
            vectors as long as the teacher's.
        token: Number of the one token to compare, such as 0 for the first of
            a text; `None`: all of them.
        **kwargs: Arguments of `LossTerm`: `weight`, `of_teacher`, `gate`,
            `name`.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit,
            before the first step.

    Example: see `keras_dl.training.SupervisedTrainer`; relations of images.

    >>> def cnn(width):
    ...     layers = [
    ...         keras.Input((8, 8, 3)),
    ...         keras.layers.Conv2D(width, 3, name="conv"),
    ...         keras.layers.GlobalAveragePooling2D(name="pooled"),
    ...         keras.layers.Dense(2),
    ...     ]
    ...     return keras.Sequential(layers)
    >>> terms = [
    ...     FeatureDistance(
    ...         "conv", distance=keras_dl.losses.AttentionTransfer(), name="at"
    ...     ),
    ...     FeatureDistance(
    ...         "pooled", distance=keras_dl.losses.RelationalLoss(), name="rkd"
    ...     ),
    ... ]
    >>> trainer = keras_dl.training.SupervisedTrainer(
    ...     cnn(2), terms, teachers=cnn(4)
    ... )
    >>> trainer.compile("adam", loss="mse")
    >>> x, y = np.random.normal(size=(4, 8, 8, 3)), np.ones((4, 2))
    >>> sorted(trainer.fit(x, y, verbose=0).history)
    ['at', 'loss', 'rkd', 'task_loss']

    Reference:
        Romero et al., "FitNets: hints for thin deep nets", 2015; Jiao et al.,
        "TinyBERT: distilling BERT for natural language understanding", 2020;
        Sun et al., "Patient knowledge distillation for BERT model
        compression", 2019. TinyBERT's code compares attention of padding, too,
        and has one projection for all layers.
    """

    def __init__(
        self,
        student=OUTPUTS,
        teacher=None,
        distance="mse",
        projection=False,
        token=None,
        **kwargs,
    ):
        teacher = student if teacher is None else teacher
        pairs = _pairs(student, teacher)
        super().__init__(
            student_features=list(dict.fromkeys(s for s, _ in pairs)),
            teacher_features=list(dict.fromkeys(t for _, t in pairs)),
            **kwargs,
        )
        self.student, self.teacher, self.pairs = student, teacher, pairs
        if isinstance(self.of_teacher, tuple) or self.of_teacher is None:
            raise ValueError(
                "`of_teacher` must be a number: features are those of one "
                f"teacher. Received: of_teacher={self.of_teacher!r}."
            )
        self.distance = _check_distance(distance)
        self.projection = bool(projection)
        self.token = token
        self.matrices = []

    def loss(self, batch):
        return sum(
            self._of_pair(i, *pair, batch) for i, pair in enumerate(self.pairs)
        )

    def _of_pair(self, i, student, teacher, batch):
        s = batch.student.features[student]
        t = batch.teachers[self.of_teacher].features[teacher]
        s, t = self._tensor(student, s), self._tensor(teacher, t)
        if self.projection:
            s = self._projected(i, s, t.shape[-1])
        whole = isinstance(self.distance, WholeExampleLoss)
        if not whole:
            self._check_alike(student, s, teacher, t)
        if whole:
            return self._of_examples(s, t, batch)
        mask = batch.mask if self.token is None else None
        if mask is not None and _is_attention(student):
            # (batch, heads, queries, keys)
            return masked_mean(self._between_real(s, t, mask), mask[:, None, :])
        return masked_mean(self._distances(s, t), mask)

    def _between_real(self, s, t, mask):
        """Distances of the rows of attention, of real keys alone."""
        if isinstance(self.distance, keras.losses.Loss):
            return self._distances(s, t)
        keys = mask[:, None, None, :]
        s, t = (ops.where(keys, x, 0.0) for x in (s, t))
        distances = self._distances(s, t)
        if self.distance == "cosine":
            return distances
        count = ops.sum(ops.cast(keys, distances.dtype), axis=-1)
        length = ops.cast(ops.shape(s)[-1], distances.dtype)
        return distances * length / ops.maximum(count, 1.0)

    def _tensor(self, path, x):
        if not hasattr(x, "shape"):
            names = list(x) if isinstance(x, dict) else range(len(x))
            raise ValueError(
                f"{self.name!r} compares tensors, and {path!r} has several: "
                f"name one of {[f'{path}/{name}' for name in names]}."
            )
        if self.token is None:
            return x
        if len(x.shape) != 3:
            raise ValueError(
                f"`token` of {self.name!r} must be None where features are not "
                f"(batch, time, size). Received: token={self.token} with "
                f"{path!r} of shape {tuple(x.shape)}."
            )
        return x[:, self.token]

    def _projected(self, i, s, size):
        if i == len(self.matrices):  # Keras tracks what is appended.
            self.matrices.append(
                keras.layers.Dense(
                    size, use_bias=False, dtype="float32", name=f"matrix_{i}"
                )
            )
        return self.matrices[i](s)

    def _check_alike(self, student, s, teacher, t):
        if _static(s) != _static(t):
            raise ValueError(
                f"{self.name!r} compares the student's {student!r} of "
                f"shape {_static(s)} with the teacher's {teacher!r} of "
                f"shape {_static(t)}: they must be alike"
                + (" up to the last axis." if self.projection else ".")
            )

    def _of_examples(self, s, t, batch):
        if batch.mask is not None and self.token is None:
            s, t = (_real(x, batch.mask) for x in (s, t))
        weights = example_weights(batch.sample_weight, s.dtype)
        return self.distance.of_examples(t, s, weights)

    def _distances(self, s, t):
        """Without the last axis."""
        if isinstance(self.distance, keras.losses.Loss):
            return self.distance.call(t, s)
        if self.distance == "mae":
            return ops.mean(ops.abs(s - t), axis=-1)
        if self.distance in ("cosine", "normalized_mse"):
            s, t = unit_vectors(s), unit_vectors(t)
        if self.distance == "cosine":
            return 1.0 - ops.sum(s * t, axis=-1)
        return ops.mean(ops.square(s - t), axis=-1)

    def get_config(self):
        distance = self.distance
        if not isinstance(distance, str):
            distance = keras.saving.serialize_keras_object(distance)
        return {
            **super().get_config(),
            "student": self.student,
            "teacher": self.teacher,
            "distance": distance,
            "projection": self.projection,
            "token": self.token,
        }


def _pairs(student, teacher):
    """Pairs of paths, of the student and of the teacher."""
    single = isinstance(student, str)
    students, teachers = (
        [paths] if isinstance(paths, str) else list(paths)
        for paths in (student, teacher)
    )
    if single != isinstance(teacher, str) or len(students) != len(teachers):
        raise ValueError(
            "`student` and `teacher` must be two paths, or two lists of as "
            f"many. Received: student={student!r}, teacher={teacher!r}."
        )
    if not students:
        raise ValueError("`student` must name features. Received: [].")
    return list(zip(students, teachers, strict=True))


def _check_distance(distance):
    loss = isinstance(distance, keras.losses.Loss)
    if not loss and distance not in DISTANCES:
        raise ValueError(
            f"`distance` must be one of {sorted(DISTANCES)}, or a "
            f"keras.losses.Loss. Received: distance={distance!r}."
        )
    return distance


def _real(x, mask):
    """With 0 for padding, if there is an axis of time."""
    if len(x.shape) < 3 or (
        None not in (x.shape[1], mask.shape[1])
        and (x.shape[1] != mask.shape[1])
    ):
        return x
    for _ in range(len(x.shape) - len(mask.shape)):
        mask = ops.expand_dims(mask, -1)
    return ops.where(mask, x, 0.0)


def _is_attention(path):
    """Whether a path is that of weights or logits between tokens."""
    return bool(re.search(r"(attention_|:)(weights|logits)\b", path))


def _static(x):
    return tuple(x.shape)[1:]
