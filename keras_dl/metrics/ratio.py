"""A quotient of two sums over an epoch, however long it is."""

import keras
from keras import ops


class Ratio(keras.metrics.Metric):
    """Sums a numerator and a denominator without losing small batches.

    A float32 sum stops growing where a batch is below its last digit: a count
    of tokens at 2^24 or so. Each sum therefore comes with what rounding has
    added to it so far, which the next batch takes off (Kahan summation).
    """

    def __init__(self, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.sums = self.add_variable(
            shape=(2,), initializer="zeros", dtype="float32", name="sums"
        )
        self.excess = self.add_variable(
            shape=(2,), initializer="zeros", dtype="float32", name="excess"
        )

    def add(self, numerator, denominator):
        """Adds a batch's two sums."""
        batch = ops.stack(
            [ops.cast(numerator, "float32"), ops.cast(denominator, "float32")]
        )
        before = ops.convert_to_tensor(self.sums)
        batch = batch - self.excess
        after = before + batch
        excess = (after - before) - batch
        # Once a sum is infinite it stays so, without becoming NaN.
        finite = ops.isfinite(after)
        self.excess.assign(ops.where(finite, excess, ops.zeros_like(excess)))
        self.sums.assign(after)

    def ratio(self):
        """The quotient, or 0 as long as the denominator is 0."""
        sums = ops.convert_to_tensor(self.sums)
        return ops.divide_no_nan(sums[0], sums[1])

    def is_empty(self):
        """Whether the denominator is 0."""
        return ops.equal(self.sums[1], 0.0)
