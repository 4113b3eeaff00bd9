"""Lengths of vectors, of which those of 0 have a gradient, too."""

from keras import ops


def lengths(squares):
    """Roots of sums of squares, with the gradient 0 at 0.

    `ops.sqrt` has an infinite one there, `ops.normalize` NaN.
    """
    there = squares > 0.0
    # Twice, since where cuts no gradient off that is not finite.
    return ops.where(there, ops.sqrt(ops.where(there, squares, 1.0)), 0.0)


def unit_vectors(x):
    """Vectors of length 1, along the last axis; 0 where they are 0."""
    size = lengths(ops.sum(ops.square(x), axis=-1, keepdims=True))
    return x / ops.where(size > 0.0, size, 1.0)
