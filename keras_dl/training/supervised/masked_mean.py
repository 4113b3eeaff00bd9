"""Means over what is real."""

from keras import ops


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
