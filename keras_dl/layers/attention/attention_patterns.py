"""One encoder that reads in several ways, row by row, by its mask."""

from keras import ops

from keras_dl.layers.masks import causal_mask

ATTENTION_PATTERNS = (
    "bidirectional",
    "left_to_right",
    "right_to_left",
    "seq2seq",
)


def attention_pattern_mask(patterns, length, target=None):
    """Lets the tokens of each row see what the row's pattern allows.

    | id | pattern         | token i sees token j if               |
    |----|-----------------|---------------------------------------|
    | 0  | `bidirectional` | always                                |
    | 1  | `left_to_right` | j <= i                                |
    | 2  | `right_to_left` | j >= i                                |
    | 3  | `seq2seq`       | j is in the source; or both are in    |
    |    |                 | the target, and j <= i                |

    Padding is seen like any other token: combine this with its mask, by
    `combine_masks`. In a row with another id no token sees anything.

    Args:
        patterns: Integer tensor of ids, `(batch,)` or `(batch, 1)`.
        length: Number of tokens in a row.
        target: Boolean tensor `(batch, length)`: which tokens are in the
            target of `seq2seq`. By default none is: all see each other.

    Returns:
        Boolean tensor of shape `(batch, length, length)`.

    Example:

    >>> attention_pattern_mask([3], 3, [[False, False, True]])
    [[[True, True, False], [True, True, False], [True, True, True]]]

    Reference:
        Dong et al., "Unified language model pre-training for natural language
        understanding and generation" (UniLM), 2019.
    """
    earlier = causal_mask(length)
    later = ops.swapaxes(earlier, 1, 2)
    source_or_earlier = ops.ones_like(earlier)
    if target is not None:
        target = ops.cast(target, "bool")
        source_or_earlier = ops.logical_or(
            ops.logical_not(target[:, None, :]),
            ops.logical_and(target[:, :, None], earlier),
        )
    patterns = ops.reshape(ops.cast(patterns, "int32"), (-1, 1, 1))
    allowed = ops.ones_like(earlier), earlier, later, source_or_earlier
    mask = ops.zeros_like(earlier)
    for pattern, seen in enumerate(allowed):
        mask = ops.logical_or(mask, ops.logical_and(patterns == pattern, seen))
    return mask
