"""What the tests of sequence layers and models share."""

import keras
import numpy as np
from keras import ops

from keras_dl import autodiff, backend


def normal(*shape, seed=0):
    """Normally distributed numbers, the same in every test."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def numpy(structure):
    """The tensors of a structure as a list of arrays."""
    return [ops.convert_to_numpy(x) for x in keras.tree.flatten(structure)]


def gradients_of(fn, *inputs):
    """Gradients of the sum of squares of `fn(*inputs)` by each input."""

    def loss(*inputs):
        return ops.sum(ops.square(fn(*inputs)))

    argnums = tuple(range(len(inputs)))
    return numpy(autodiff.grad(loss, argnums)(*inputs))


def compiled(layer, function):
    """Compiles a function that calls the layer: one program, not many."""
    return backend.compiled(layer, function)
