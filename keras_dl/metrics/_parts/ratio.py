"""A quotient of two sums over an epoch, however long it is."""

from keras import ops

from keras_dl.metrics._parts.sums import Sums


class Ratio(Sums):
    """Sums a numerator and a denominator without losing small batches."""

    def __init__(self, name=None, dtype=None):
        super().__init__((2,), name=name, dtype=dtype)

    def add(self, numerator, denominator):
        """Adds a batch's two sums."""
        self.add_to_sums(
            ops.stack(
                [
                    ops.cast(numerator, "float32"),
                    ops.cast(denominator, "float32"),
                ]
            )
        )

    def ratio(self):
        """The quotient, or 0 as long as the denominator is 0."""
        sums = ops.convert_to_tensor(self.sums)
        return ops.divide_no_nan(sums[0], sums[1])

    def is_empty(self):
        """Whether the denominator is 0."""
        return ops.equal(self.sums[1], 0.0)
