"""Correlation of predicted and true numbers, over an epoch."""

import keras
from keras import ops

from keras_dl import backend, tokens
from keras_dl.checks import check_integer


@keras.saving.register_keras_serializable("keras_dl")
class PearsonCorrelation(keras.metrics.Metric):
    """Linear correlation of predicted and true numbers.

        sum_i w_i (x_i - mx)(y_i - my)
        / sqrt(sum_i w_i (x_i - mx)^2  sum_i w_i (y_i - my)^2)

    with the weighted means mx and my, over all examples since the last reset:
    not the mean of the correlations of the batches. With `SpearmanCorrelation`
    it is the metric of STS-B in GLUE.

    **Shapes and units.** `y_true` and `y_pred` have the same shape, but for a
    last axis of length 1 that one of them may lack; every entry is an example.
    The result lies in [-1, 1]. It is NaN as long as it is not defined: before
    two different targets and two different predictions.

    **Masking.** An example does not count if the mask that Keras attaches to
    `y_pred` says so, or if its `sample_weight` is 0.

    **Precision.** Computed in float32, whatever the dtypes of the inputs, from
    the differences to the first example, whose means and co-moments are merged
    from batch to batch. So numbers that differ little beside their size lose
    nothing but what float32 takes from each.

    Args:
        name: Name of the metric.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it.

    Raises:
        ValueError: If the shapes do not fit.

    Example:

    >>> metric = PearsonCorrelation()
    >>> metric.update_state([1.0, 2.0, 3.0], [[1.0], [2.0], [5.0]])
    >>> metric.result()
    0.9608

    Reference:
        Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm
        for Computing Sample Variances", 1979.

    Where it differs: `keras.metrics.PearsonCorrelation` correlates along an
    axis within each example, and takes the mean of that.
    """

    _direction = "up"  # Read by callbacks with mode="auto".

    def __init__(self, name="pearson_correlation", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.weight = self._zeros((), "weight")
        self.shift = self._zeros((2,), "shift")
        self.mean = self._zeros((2,), "mean")
        self.comoment = self._zeros((2, 2), "comoment")

    def _zeros(self, shape, name):
        return self.add_variable(
            shape=shape, initializer="zeros", dtype="float32", name=name
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        values, weights = _pairs(y_true, y_pred, sample_weight)
        values = values - self._shifted_by(values, weights)[:, None]
        weight, mean, comoment = _moments(values, weights)
        before = ops.convert_to_tensor(self.weight)
        share = ops.divide_no_nan(weight, before + weight)
        step = mean - self.mean
        between = before * share * step[:, None] * step
        self.comoment.assign_add(comoment + between)
        self.mean.assign_add(share * step)
        self.weight.assign_add(weight)

    def _shifted_by(self, values, weights):
        """The first real example, which stays the origin."""
        first = ops.argmax(ops.cast(ops.not_equal(weights, 0.0), "int32"))
        first = ops.take(values, first, axis=1)
        shift = ops.convert_to_tensor(self.shift)
        shift = ops.where(ops.equal(self.weight, 0.0), first, shift)
        self.shift.assign(shift)
        return shift

    def result(self):
        return _correlation(ops.convert_to_tensor(self.comoment))


@keras.saving.register_keras_serializable("keras_dl")
class SpearmanCorrelation(keras.metrics.Metric):
    """Correlation of the ranks of predicted and true numbers.

        Pearson's correlation of r(x) and r(y),
        r(x)_i = sum_{x_j < x_i} w_j + sum_{x_j = x_i} w_j / 2

    so that equal numbers share the mean of their ranks, and an example of
    weight 2 is the same as two of them. It is 1 for any increasing relation,
    linear or not. With `PearsonCorrelation` it is the metric of STS-B in GLUE.

    **Shapes and units.** `y_true` and `y_pred` have the same shape, but for a
    last axis of length 1 that one of them may lack; every entry is an example.
    The result lies in [-1, 1]. It is NaN as long as it is not defined: before
    two different targets and two different predictions, and once a number was
    NaN.

    **Masking.** An example does not count if the mask that Keras attaches to
    `y_pred` says so, or if its `sample_weight` is 0.

    **Capacity.** Ranks need all numbers, and a compiled step needs a fixed
    shape: up to `capacity` examples that count are kept, and the result is
    exact. After more of them it is NaN, until the next reset, rather than that
    of a part. Keras asks for the result at each step of `fit`, so ranks are
    kept too: each batch is sorted, and raises those of the others.

    Args:
        capacity: The largest number of examples between two resets.
        name: Name of the metric.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example:

    >>> metric = SpearmanCorrelation(capacity=1500)
    >>> metric.update_state([1.0, 2.0, 3.0, 4.0], [1.0, 10.0, 5.0, 99.0])
    >>> metric.result()
    0.8

    Reference:
        Spearman, "The Proof and Measurement of Association between Two
        Things", 1904.
    """

    _direction = "up"  # Read by callbacks with mode="auto".

    def __init__(self, capacity=10000, name="spearman_correlation", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.capacity = check_integer("capacity", capacity, minimum=2)
        # Each has a last entry for what is left over, which is not read.
        self.values = self._kept("values", 2)
        self.ranks = self._kept("ranks", 2)
        self.weights = self._kept("weights", 1)
        self.count = self.add_variable(
            shape=(), initializer="zeros", dtype="int32", name="count"
        )

    def _kept(self, name, rows):
        return self.add_variable(
            shape=(rows, self.capacity + 1),
            initializer="zeros",
            dtype="float32",
            name=name,
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        values, weights = _pairs(y_true, y_pred, sample_weight)
        ranks, new_ranks = self._ranks_with(values, weights)
        real = ops.not_equal(weights, 0.0)
        number = ops.cumsum(ops.cast(real, "int32"))
        count = ops.convert_to_tensor(self.count)
        index = ops.minimum(count + number - 1, self.capacity)
        index = ops.where(real, index, self.capacity)
        for variable, before, batch in (
            (self.values, self.values, values),
            (self.ranks, ranks, new_ranks),
            (self.weights, self.weights, weights[None]),
        ):
            variable.assign(_written(before, index, batch))
        # Stays at one too many, before it can overflow.
        self.count.assign(ops.minimum(count + number[-1], self.capacity + 1))

    def _ranks_with(self, values, weights):
        """Ranks of what is kept and of a batch, among both."""
        kept, ranks = [], []
        for row in range(2):
            raised, new = _ranks(
                self.values[row], self.weights[0], values[row], weights
            )
            kept.append(self.ranks[row] + raised)
            ranks.append(new)
        return ops.stack(kept), ops.stack(ranks)

    def result(self):
        values, ranks, weights = (
            ops.convert_to_tensor(variable)[:, : self.capacity]
            for variable in (self.values, self.ranks, self.weights)
        )
        _, _, comoment = _moments(ranks, weights[0])
        broken = ops.any(ops.isnan(values))
        defined = ops.logical_not(broken) & (self.count <= self.capacity)
        return ops.where(defined, _correlation(comoment), float("nan"))

    def get_config(self):
        return {**super().get_config(), "capacity": self.capacity}


def _pairs(y_true, y_pred, sample_weight):
    """Targets and predictions as rows of one tensor, and their weights."""
    if not hasattr(y_pred, "shape"):
        y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(ops.convert_to_tensor(y_true), "float32")
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if len(true) == len(pred) + 1 and true[-1] == 1:
        y_true = ops.squeeze(y_true, -1)
    elif len(pred) == len(true) + 1 and pred[-1] == 1:
        pred = pred[:-1]
    _check_shapes(y_true, pred, y_pred)
    weights = tokens.token_weights(y_true, y_pred, sample_weight)
    if weights is None:
        weights = ops.ones_like(y_true)
    weights = ops.reshape(weights, (-1,))
    y_pred = ops.cast(ops.convert_to_tensor(y_pred), "float32")
    values = ops.stack([ops.reshape(y_true, (-1,)), ops.reshape(y_pred, (-1,))])
    if 0 in true:
        # One that does not count, as there is none at all.
        values, weights = ops.zeros((2, 1)), ops.zeros((1,))
    # Not a product: what does not count may be NaN.
    real = ops.not_equal(weights, 0.0)
    return ops.where(real, values, ops.zeros_like(values)), weights


def _check_shapes(y_true, pred, y_pred):
    true = tuple(y_true.shape)
    known = zip(true, pred, strict=False)
    if len(true) != len(pred) or any(
        None not in (a, b) and a != b for a, b in known
    ):
        raise ValueError(
            "`y_true` and `y_pred` must have the same shape, but for a last "
            f"axis of length 1. Received: y_true.shape={true}, "
            f"y_pred.shape={tuple(y_pred.shape)}."
        )


def _moments(values, weights):
    """Sum of the weights, and means and co-moments of two rows of values."""
    weight = ops.sum(weights)
    mean = ops.divide_no_nan(ops.sum(values * weights, axis=-1), weight)
    # A product of matrices may be less precise than float32 on a GPU.
    differences = values - mean[:, None]
    products = differences[:, None] * differences * weights
    return weight, mean, ops.sum(products, axis=-1)


def _correlation(comoment):
    """From co-moments; NaN if one of the two does not vary."""
    spread = ops.sqrt(ops.diagonal(comoment))
    correlation = comoment[0, 1] / spread[0] / spread[1]
    return ops.clip(correlation, -1.0, 1.0)


def _ranks(kept, kept_weights, batch, weights):
    """What a batch raises the ranks of others by, and its own among both.

    A rank is the weight below a value, and half of that of its equals.
    """
    order = ops.argsort(batch)
    ordered = ops.take(batch, order)
    below = ops.cumsum(ops.take(weights, order))
    below = ops.concatenate([ops.zeros((1,), "float32"), below])

    # How many of the batch are below each value, and up to it.
    values = ops.concatenate([kept, batch])
    left, right = (
        ops.searchsorted(ordered, values, side=side)
        for side in ("left", "right")
    )
    ranks = ops.take(below, left) + ops.take(below, right)
    # A kept value is below one of the batch if all that are up to the former
    # come before the latter.
    number = kept.shape[0]
    weights_at = backend.segment_sum(
        ops.concatenate([kept_weights, kept_weights]),
        ops.concatenate([left[:number], right[:number]]),
        ops.shape(below)[0],
    )
    own = ranks[number:] + ops.take(ops.cumsum(weights_at), left[number:])
    return ranks[:number] / 2.0, own / 2.0


def _written(rows, index, batch):
    """`rows` with a batch of columns written at their indices."""
    columns = ops.transpose(ops.convert_to_tensor(rows))
    written = ops.scatter_update(columns, index[:, None], ops.transpose(batch))
    return ops.transpose(written)
