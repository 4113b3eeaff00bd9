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
    with backend.own_step():
        return numpy(autodiff.grad(loss, argnums)(*inputs))


def compiled(layer, function):
    """Compiles a function that calls the layer: one program, not many.

    It runs as in a step of ours, where kernels of one derivative are used.
    """
    program = backend.compiled(function, layer.variables)

    def run(*inputs):
        with backend.own_step():
            return program(*inputs)

    return run


class Masked(keras.Layer):
    """Gives its inputs a mask, as an embedding does."""

    def __init__(self, mask, **kwargs):
        super().__init__(**kwargs)
        self.mask = mask

    def compute_mask(self, inputs, mask=None):
        return ops.convert_to_tensor(self.mask)

    def call(self, inputs):
        return inputs + 0.0


def masked(x, mask):
    """`x` as a tensor that carries the mask."""
    return Masked(mask)(x)


def tokenizer_with_padding(id):
    """A tokenizer of `tokenizers` whose padding has this id."""
    import tokenizers

    names = ["a", "b", "<s>", "</s>"]
    names.insert(id, "<pad>")
    ids = {name: id for id, name in enumerate(names)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(ids, "b"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return tokenizer
