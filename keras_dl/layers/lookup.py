"""Vectors of ids, where an id that there is not shows up as NaN."""

import numpy as np
from keras import ops


def looked_up(embedding, ids, size):
    """The vectors of ids, and NaN for ids that are not from 0 to `size - 1`."""
    ids = ops.cast(ids, "int32")
    inside = in_range(ids, size)
    x = embedding(ops.where(inside, ids, 0))
    # Quantized inside another layer, Keras' may give float32 on TensorFlow.
    return nan_unless(inside, ops.cast(x, embedding.compute_dtype))


def in_range(ids, size):
    """Whether ids are from 0 to `size - 1`."""
    return ops.logical_and(ids >= 0, ids < size)


def nan_unless(known, x):
    """`x` where `known`, of one dimension less, is true, and NaN elsewhere."""
    wrong = ops.where(known, 0.0, np.nan)
    return x + ops.cast(ops.expand_dims(wrong, -1), x.dtype)
