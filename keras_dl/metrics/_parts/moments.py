"""Mean and covariance of vectors, over an epoch."""

import keras
from keras import ops


class Moments(keras.metrics.Metric):
    """Keeps the count, the weight, the mean and the co-moments of vectors.

    Each batch is taken from its own mean, and merged with what came before
    (Chan, Golub and LeVeque, 1979): sums of squares would lose the variance
    of numbers that differ little beside their size.

    Args:
        number: Length of a vector.
        name: Name of the metric.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it; what
            it keeps is in float32.
    """

    def __init__(self, number, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.count = self._zeros((), "count")
        self.weight = self._zeros((), "weight")
        self.mean = self._zeros((number,), "mean")
        self.comoment = self._zeros((number, number), "comoment")

    def _zeros(self, shape, name):
        return self.add_variable(
            shape=shape, initializer="zeros", dtype="float32", name=name
        )

    def update_state(self, values, weights):
        """Adds rows of a float32 matrix, each with its weight."""
        column = weights[:, None]
        weight = ops.sum(weights)
        mean = ops.divide_no_nan(ops.sum(values * column, axis=0), weight)
        apart = values - mean
        comoment = ops.matmul(ops.transpose(apart * column), apart)
        before = ops.convert_to_tensor(self.weight)
        share = ops.divide_no_nan(weight, before + weight)
        step = mean - self.mean
        between = before * share * step[:, None] * step
        self.comoment.assign_add(comoment + between)
        self.mean.assign_add(share * step)
        self.weight.assign_add(weight)
        counted = ops.cast(ops.not_equal(weights, 0.0), "float32")
        self.count.assign_add(ops.sum(counted))

    def result(self):
        """The mean, and the unbiased covariance."""
        covariance = ops.divide_no_nan(self.comoment, self.weight - 1.0)
        return ops.convert_to_tensor(self.mean), covariance
