"""Losses of features of whole examples: of their maps and their relations."""

import keras
from keras import ops

from keras_dl.checks import check_choice, check_positive
from keras_dl.losses.unit_vectors import lengths, unit_vectors

RELATIONS = ("distance", "angle", "similarity")


class WholeExampleLoss(keras.losses.Loss):
    """How far features of whole examples are from a teacher's.

    The vectors of student and teacher may be of different lengths: it is not
    they that are compared. A subclass writes `of_examples`.

    **Sample weights.** As in Keras' losses. Where examples are compared with
    each other the weights count of all of them: an example of weight 0 has no
    effect.
    """

    def of_examples(self, y_true, y_pred, weights=None):
        """The losses of the examples.

        Args:
            y_true, y_pred: Features of teacher and student, `(batch, ...)`,
                with 0 where they are not real.
            weights: What each example counts for others, `(batch,)`.

        Returns:
            Tensor of shape `(batch,)`.
        """
        raise NotImplementedError

    def call(self, y_true, y_pred):
        return self.of_examples(y_true, y_pred)

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = (
            ops.cast(ops.convert_to_tensor(y), self.dtype)
            for y in (y_true, y_pred)
        )
        weights = sample_weight
        if weights is not None:
            weights = ops.cast(ops.convert_to_tensor(weights), self.dtype)
        values = self.of_examples(y_true, y_pred, weights)
        reduce = _Reduction(reduction=self.reduction, dtype=self.dtype)
        return reduce(values, values, weights)


class _Reduction(keras.losses.Loss):
    """Keras' reduction of losses that are computed."""

    def call(self, y_true, y_pred):
        return y_pred


@keras.saving.register_keras_serializable("keras_dl")
class AttentionTransfer(WholeExampleLoss):
    """Where a student's features are large, as a teacher's (attention maps).

        Q = mean_c |A_c|^p;  loss = ||Q_s / ||Q_s|| - Q_t / ||Q_t||||^2

    **Shapes.** Features `(batch, height, width, channels)`, or of any other
    number of places; the channels of student and teacher may differ in number.
    One loss for each example.

    Args:
        power: p, a positive number.
        reduction, name, dtype: As in `keras.losses.Loss`.

    Raises:
        ValueError: If `power` is not positive, or places differ.

    Example:

    >>> teacher, student = np.ones((2, 4, 4, 8)), np.ones((2, 4, 4, 3))
    >>> AttentionTransfer()(teacher, student)
    0.0

    Reference:
        Zagoruyko and Komodakis, "Paying more attention to attention", 2017.
        Their code takes the mean over the places, this the sum, which padding
        does not change. Attention *between tokens* is a feature of its own:
        see `keras_dl.training.FeatureDistance`.
    """

    def __init__(
        self,
        power=2.0,
        reduction="sum_over_batch_size",
        name="attention_transfer",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.power = check_positive("power", power)

    def of_examples(self, y_true, y_pred, weights=None):
        places = [tuple(y.shape)[1:-1] for y in (y_true, y_pred)]
        if places[0] != places[1] or not places[0]:
            raise ValueError(
                "Features must have the same places, `(batch, places ..., "
                f"channels)`. Received: those of the teacher of shape "
                f"{tuple(y_true.shape)}, of the student {tuple(y_pred.shape)}."
            )
        t, s = self._map(y_true), self._map(y_pred)
        return ops.sum(ops.square(s - t), axis=-1)

    def _map(self, x):
        size = ops.square(x) if self.power == 2 else ops.abs(x) ** self.power
        return unit_vectors(_flat(ops.mean(size, axis=-1)))

    def get_config(self):
        return {
            **super().get_config(),
            "power": self.power,
            "dtype": self.dtype,
        }


@keras.saving.register_keras_serializable("keras_dl")
class RelationalLoss(WholeExampleLoss):
    """How examples of a batch stand to each other, as a teacher has it.

        distance     H(d_ij(s), d_ij(t)),  d_ij = ||x_i - x_j|| / mean ||..||
        angle        H(a_ijk(s), a_ijk(t)),  a_ijk = cos of the angle at x_j
        similarity   (G_ij(s) - G_ij(t))^2,  G = rows of X X^T, normalized

    and the mean over j, or j and k; H is Huber's loss. So neither the length
    of vectors nor their direction in space is compared.

    **Shapes.** Features `(batch, ...)`, one vector for each example however
    many axes there are. `"angle"` takes memory for batch^2 vectors. One loss
    for each example i.

    Args:
        relation: See above.
        reduction, name, dtype: As in `keras.losses.Loss`.

    Raises:
        ValueError: If `relation` is unknown.

    Example: twice as large, and the same relations.

    >>> teacher = np.array([[0, 0], [1, 0], [0, 2]])
    >>> RelationalLoss("distance")(teacher, 2 * teacher)
    0.0

    Reference:
        Park et al., "Relational knowledge distillation", 2019: RKD-D, weight
        25, and RKD-A, weight 50. Tung and Mori, "Similarity-preserving
        knowledge distillation", 2019: rows of length 1; torchdistill divides
        them by their sum.
    """

    def __init__(
        self,
        relation="distance",
        reduction="sum_over_batch_size",
        name="relational_loss",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.relation = check_choice("relation", relation, RELATIONS)

    def of_examples(self, y_true, y_pred, weights=None):
        t, s = _flat(y_true), _flat(y_pred)
        if weights is None:
            weights = ops.ones_like(s[:, 0])
        if self.relation == "similarity":
            far = ops.square(
                _similarities(s, weights) - _similarities(t, weights)
            )
            return _weighted_mean(far, weights)
        read = {"distance": _distances, "angle": _angles}[self.relation]
        far = _huber(read(s, weights) - read(t, weights))
        if self.relation == "angle":
            far = _weighted_mean(far, weights)
        return _weighted_mean(far, weights)

    def get_config(self):
        return {
            **super().get_config(),
            "relation": self.relation,
            "dtype": self.dtype,
        }


def _flat(x):
    return ops.reshape(x, (ops.shape(x)[0], -1)) if len(x.shape) != 2 else x


def _weighted_mean(values, weights):
    """Over the last axis."""
    total = ops.maximum(ops.sum(weights), keras.config.epsilon())
    return ops.sum(ops.where(weights > 0, values * weights, 0.0), -1) / total


def _huber(x):
    size = ops.abs(x)
    return ops.where(size < 1.0, 0.5 * ops.square(x), size - 0.5)


def _differences(x):
    """Of each two examples, `(batch, batch, size)`."""
    return ops.expand_dims(x, 1) - ops.expand_dims(x, 0)


def _distances(x, weights):
    """Of each two, as a share of their mean."""
    far = lengths(ops.sum(ops.square(_differences(x)), axis=-1))
    pairs = ops.expand_dims(weights, 1) * ops.expand_dims(weights, 0)
    pairs = ops.where(far > 0.0, pairs, 0.0)
    tiny = keras.config.epsilon()
    mean = ops.sum(pairs * far) / ops.maximum(ops.sum(pairs), tiny)
    return far / ops.maximum(mean, tiny)


def _angles(x, weights):
    """Cosines at the first of each three, `(batch, batch, batch)`."""
    unit = unit_vectors(_differences(x))
    return ops.matmul(unit, ops.swapaxes(unit, 1, 2))


def _similarities(x, weights):
    """Dot products, of rows of length 1 as far as examples count."""
    products = ops.matmul(x, ops.transpose(x))
    products = ops.where(weights > 0, products, 0.0)
    return unit_vectors(products)
