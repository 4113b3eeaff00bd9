"""What batches hold beside tokens: the base of the parts that make it."""

import numpy as np

from keras_dl.checks import check_int32


class BatchPart:
    """Adds inputs, or targets, to the batches of `MaskedBatches`.

    A subclass writes `__call__`, and `check`, if it does not fit every text.
    """

    def check(self, packed):
        """Refuses texts that the part does not fit.

        Args:
            packed: `Packed`, of arrays.

        Raises:
            ValueError: Says what does not fit.
        """

    def __call__(self, x, y, rows, generator):
        """Adds to a batch.

        Args:
            x, y: Dicts of arrays, as `MaskedBatches` makes them.
            rows: Integers `(batch,)`: which rows of the texts they are.
            generator: `numpy.random.RandomState`, of this batch and part
                alone.

        Returns:
            `x` and `y`, with additions.
        """
        raise NotImplementedError


def check_extras(extras, packed):
    """Returns parts as a list, each of which fits the texts."""
    extras = [extras] if isinstance(extras, BatchPart) else list(extras)
    for extra in extras:
        if not isinstance(extra, BatchPart):
            raise TypeError(
                "`extras` must be parts of batches, such as "
                f"AttentionPatterns(). Received: {extra!r}."
            )
        extra.check(packed)
    return extras


def check_aligned(name, array, shape):
    """Returns integers of this shape as `int32`, and `None` as it is."""
    if array is None:
        return None
    array = np.asarray(array)
    if array.shape != shape or array.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must be integers of shape {shape}. "
            f"Received: shape {array.shape}, dtype {array.dtype}."
        )
    return check_int32(name, array)
