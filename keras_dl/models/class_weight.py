"""`class_weight`: how much the targets of each class count."""

import inspect
import math
import numbers

import keras
import numpy as np
from keras import ops

from keras_dl.models.target_kind import TargetKind
from keras_dl.tokens import like_rank

# Where `class_weight` stands among the arguments of `fit` behind `x` and `y`.
_PLACE = list(inspect.signature(keras.Model.fit).parameters).index(
    "class_weight"
) - len(("self", "x", "y"))


class ClassWeights:
    """Weights of targets by their classes: of examples, or of tokens.

    An index of a class weighs what is said of it, one-hot targets the sum of
    the weights of their classes; what is not named weighs 1.

    Args:
        given: Dict of numbers of at least 0 by class indices, or by names.
        kind: The `TargetKind` of the targets.

    Raises:
        ValueError: If targets are of no one class, or `given` is wrong.
    """

    def __init__(self, given, kind):
        self._num_axes = _check_kind(given, kind)
        known = _weights(given, kind)
        self.table = np.ones(max(known, default=0) + 2, "float32")
        for index, weight in known.items():
            self.table[index] = weight

    def same_as(self, other):
        return other is not None and np.array_equal(self.table, other.table)

    def of(self, y, sample_weight=None):
        """The weights of targets, times those that they have already."""
        y = ops.convert_to_tensor(y)
        rank = len(y.shape)
        if rank == self._num_axes + 1 and y.shape[-1] != 1:
            weights = self._of_probabilities(y)
        elif rank in (self._num_axes, self._num_axes + 1):
            if rank > self._num_axes:
                y = ops.squeeze(y, -1)
            weights = self._of_indices(y)
        else:
            raise ValueError(
                "`class_weight` needs class indices with "
                f"{self._num_axes} axes, or one-hot targets with one more. "
                f"Received: targets of shape {tuple(y.shape)}."
            )
        if sample_weight is None:
            return weights
        return weights * like_rank(sample_weight, weights)

    def _of_indices(self, y):
        others = len(self.table) - 1  # Whose weight is 1.
        y = ops.cast(ops.round(y), "int32") if _is_float(y) else y
        y = ops.cast(y, "int32")
        known = ops.logical_and(y >= 0, y < others)
        return ops.take(self.table, ops.where(known, y, others))

    def _of_probabilities(self, y):
        table = np.ones(y.shape[-1], "float32")
        few = min(len(table), len(self.table))
        table[:few] = self.table[:few]
        return ops.sum(ops.cast(y, "float32") * table, -1)


class ClassWeightedModel(keras.Model):
    """A Keras model whose `class_weight` weighs what has a class.

    Keras weighs rows: those of a batch of tags by the place of the largest
    tag. Here it is kept out of Keras' hands, and applied in the step, to
    batches wherever they come from.
    """

    _class_weights = None

    def target_kind(self):
        """What targets are, a `TargetKind`; of several outputs a dict.

        A loss, metrics and targets of another kind are refused, and
        `class_weight` weighs what has a class, be it an example or a token.
        `None`: nothing is known, and they are left to Keras.
        """
        return None

    def targets(self, y):
        """Of all targets of a batch, or their weights, those it takes."""
        return y

    def fit(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.fit`; see `target_kind` about `class_weight`.

        It is a dict by class indices or by names, and may be given beside
        `sample_weight`.
        """
        args = list(args)
        given = args if len(args) > _PLACE else kwargs
        key = _PLACE if given is args else "class_weight"
        if key == _PLACE or key in kwargs:
            given[key] = self._keep_class_weight(given[key])
        else:
            self._keep_class_weight(None)
        return super().fit(x, y, *args, **kwargs)

    fit.__signature__ = inspect.signature(keras.Model.fit)

    def train_on_batch(
        self, x, y=None, sample_weight=None, class_weight=None, **kwargs
    ):
        """As `keras.Model.train_on_batch`, with `class_weight` as in `fit`."""
        left = self._keep_class_weight(class_weight)
        return super().train_on_batch(x, y, sample_weight, left, **kwargs)

    def train_step(self, *args):
        """As `keras.Model.train_step`, of targets weighted by classes."""
        *state, data = args
        return super().train_step(*state, self._weigh(data))

    def _keep_class_weight(self, given):
        """Sets the weights of classes; returns what is left to Keras."""
        kind = self.target_kind()
        if given is not None and kind is None:
            return given
        new = None if given is None else ClassWeights(given, kind)
        old = self._class_weights
        if new is not old and not (new is not None and new.same_as(old)):
            self._class_weights = new
            self.train_function = None  # It holds the old ones.
        return None

    def _weigh(self, data):
        """The data of a step, weighted by classes."""
        if self._class_weights is None:
            return data
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        taken, given = self.targets(y), self.targets(weights)
        return x, y, self._class_weights.of(taken, given)


def _check_kind(given, kind):
    """The number of axes of targets whose classes can be weighted."""
    if isinstance(kind, TargetKind):
        if kind.kind == "classes":
            return kind.num_axes
        if kind.kind == "labels" and kind.num_classes == 1:
            return 1
        reason = {
            "labels": "an example has several labels: give weights of its "
            "labels to a loss of your own, or `sample_weight`",
            "numbers": "targets are numbers: give `sample_weight`",
        }[kind.kind]
    else:
        reason = "there are several outputs: give `sample_weight`, a dict"
    raise ValueError(
        f"`class_weight` must be None here: {reason}. "
        f"Received: class_weight={given!r}."
    )


def _weights(given, kind):
    """The weights by indices, each of which is looked at."""
    number = kind.num_classes
    if kind.kind == "labels":
        number = 2
    names = kind.label_names if kind.kind == "classes" else None
    found = {}
    for key, weight in given.items() if isinstance(given, dict) else [(0, 0j)]:
        index = names.index(key) if key in (names or ()) else key
        if not _is_index(index, number) or not _is_weight(weight):
            upper = "on" if number is None else f"to {number - 1}"
            or_names = f", or by {names}" if names else ""
            raise ValueError(
                "`class_weight` must be a dict of numbers of at least 0 by "
                f"class indices from 0 {upper}{or_names}. Received: "
                f"class_weight={given!r}."
            )
        found[int(index)] = float(weight)
    return found


def _is_index(value, number):
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return whole and 0 <= value < (math.inf if number is None else number)


def _is_weight(value):
    return isinstance(value, numbers.Real) and 0 <= value < math.inf


def _is_float(y):
    return "float" in keras.backend.standardize_dtype(y.dtype)
