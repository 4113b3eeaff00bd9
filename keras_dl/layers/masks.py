"""Attention masks that combine: true where a query may look at a key."""

from keras import ops


def causal_mask(queries, keys=None, first=0):
    """Lets each position look at itself and at those before it.

        mask[i, j] = (j <= first + i)

    Args:
        queries: Number of query positions.
        keys: Number of key positions; as many by default.
        first: Position of the first query among the keys, an integer or an
            integer tensor: in cached decoding, how many came before.

    Returns:
        Boolean tensor of shape `(1, queries, keys)`.

    Example:

    >>> causal_mask(2)
    [[[True, False], [True, True]]]
    """
    keys = queries if keys is None else keys
    rows = ops.arange(queries, dtype="int32")[:, None] + first
    return (ops.arange(keys, dtype="int32")[None, :] <= rows)[None]


def padding_mask(mask):
    """Lets every query look at the real keys only.

    Args:
        mask: Boolean tensor of shape `(batch, keys)`, true for real ones, or
            `None`.

    Returns:
        Boolean tensor of shape `(batch, 1, keys)`, or `None`.
    """
    return None if mask is None else ops.cast(mask, "bool")[:, None, :]


def combine_masks(*masks):
    """Allows what all of the masks allow; `None` allows everything.

    Args:
        *masks: Boolean tensors of shapes that broadcast, or `None`.

    Returns:
        Boolean tensor, or `None` if nothing is masked.
    """
    combined = None
    for mask in masks:
        if mask is not None:
            mask = ops.cast(mask, "bool")
            combined = (
                mask if combined is None else ops.logical_and(combined, mask)
            )
    return combined


def zero_masked(x, mask):
    """`x` with zeros where `mask`, of one dimension less, is false.

    So what stands in a masked place has no effect, also where it is NaN,
    neither on values nor on gradients.
    """
    if mask is None:
        return x
    mask = ops.expand_dims(ops.cast(mask, "bool"), -1)
    return ops.where(mask, x, ops.zeros_like(x))
