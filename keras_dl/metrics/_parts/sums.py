"""Sums over an epoch, however long it is."""

import keras
from keras import ops


class Sums(keras.metrics.Metric):
    """Sums an array over batches without losing small ones.

    A float32 sum stops growing where a batch is below its last digit: a count
    of tokens at 2^24 or so. Each sum therefore comes with what rounding has
    added to it so far, which the next batch takes off (Kahan summation).

    Args:
        shape: Shape of the array.
        name: Name of the metric.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it; the
            sums are in float32.
    """

    def __init__(self, shape, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.sums = self.add_variable(
            shape=shape, initializer="zeros", dtype="float32", name="sums"
        )
        self.excess = self.add_variable(
            shape=shape, initializer="zeros", dtype="float32", name="excess"
        )

    def add_to_sums(self, batch):
        """Adds a batch's sums, a float32 tensor of the shape of `sums`."""
        before = ops.convert_to_tensor(self.sums)
        batch = batch - self.excess
        after = before + batch
        excess = (after - before) - batch
        # Once a sum is infinite it stays so, without becoming NaN.
        finite = ops.isfinite(after)
        self.excess.assign(ops.where(finite, excess, ops.zeros_like(excess)))
        self.sums.assign(after)
