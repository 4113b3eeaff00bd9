"""Attention masks that combine: true where a query may look at a key."""

from keras import ops

from keras_dl import backend


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


def cached_mask(mask, cache, index):
    """The mask of new steps, as one of all steps that their cache holds.

    Args:
        mask: Boolean tensor of shape `(batch, time)`, true for real ones, or
            `None`.
        cache: Keys and values, `(batch, length, ...)` each, or `None`.
        index: Where in the cache the new steps begin, or `None`.

    Returns:
        Boolean tensor of shape `(batch, length)`, true for all other steps;
        without a cache, `mask`.
    """
    if mask is None or cache is None or index is None:
        return mask
    shape = ops.shape(mask)[0], ops.shape(cache[0])[1]
    ones = ops.ones(shape, dtype="int32")
    return backend.write_at(ones, ops.cast(mask, "int32"), index)


def check_mask(name, mask, x):
    """Returns `mask` if it has one value for each step of `x`."""
    if mask is None:
        return None
    shape, steps = tuple(mask.shape), x.shape[1]
    known = len(shape) == 2 and None not in (shape[1], steps)
    if len(shape) != 2 or (known and shape[1] != steps):
        raise ValueError(
            f"`{name}` must have the shape (batch, {steps}), one value for "
            "each step; `attention_mask` says which steps of a cache are "
            f"real. Received: {name} of shape {shape}."
        )
    return mask


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
