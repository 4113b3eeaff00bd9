"""A layer with some of its inputs and outputs: a smaller one."""

import contextlib
import functools

import keras
import numpy as np

from keras_dl.layers import FactorizedDense, MultiHeadAttention

_SIZES = ("units", "filters")


def sliced(layer, inputs=None, outputs=None):
    """A new layer with some inputs and outputs of a dense one or the like.

    Args:
        layer: A built dense layer, convolution or batch normalization.
        inputs, outputs: Indices of those that stay, in order; `None`: all.

    Returns:
        A built layer of the same class, with the weights that are left.
    """
    if isinstance(layer, FactorizedDense):
        new = _made(layer, inputs, outputs)
        _take(new.reduce, layer.reduce, inputs, None)
        _take(new.expand, layer.expand, None, outputs)
        return new
    new = _made(layer, inputs, outputs)
    _take(new, layer, inputs, outputs)
    return new


def _made(layer, inputs, outputs):
    config = layer.get_config()
    if outputs is not None:
        for name in _SIZES:
            if name in config:
                config[name] = len(outputs)
    shape = list(layer.get_build_config()["input_shape"])
    if isinstance(layer, keras.layers.BatchNormalization):
        inputs = outputs
    if inputs is not None:
        shape[-1] = len(inputs)
    return built_like(type(layer).from_config(config), layer, tuple(shape))


def built_like(new, old, *shapes):
    """Builds a layer; its variables are called as those of another one.

    On PyTorch variables of one path would share their gradient.
    """
    with contextlib.ExitStack() as stack:
        for name in (getattr(old, "path", None) or old.name).split("/")[:-1]:
            stack.enter_context(keras.name_scope(name))
        new.build(*shapes)
    return new


def _take(new, old, inputs, outputs):
    """Copies what is left of the weights of a layer without parts."""
    for to, source in zip(new.variables, old.variables, strict=True):
        value = keras.ops.convert_to_numpy(source)
        if value.ndim > 1 and inputs is not None:
            value = np.take(value, inputs, axis=-2)
        if value.ndim and outputs is not None:
            value = np.take(value, outputs, axis=-1)
        to.assign(value)


def with_heads(attention, rows, kept):
    """A smaller attention, and those of its layers that are no plain `Dense`.

    Args:
        attention: A built `MultiHeadAttention`.
        rows: Array `(heads, size)` of the features of each head.
        kept: The heads that stay.

    Returns:
        The attention, and a dict of layers by the names that they are to have
        in it: factorized ones.
    """
    features = rows[kept].ravel()
    old = attention.query_dense
    width = functools.partial(_width, attention)
    config = attention.get_config() | {
        "num_heads": len(kept),
        "key_dim": rows.shape[1],
        "output_dim": attention.output_dense.units,
    }
    new = MultiHeadAttention.from_config(config)
    built_like(new, attention, *map(width, ("query", "value", "key")))
    others = {}
    for name in ("query_dense", "key_dense", "value_dense", "output_dense"):
        old, reads = getattr(attention, name), name == "output_dense"
        part = sliced(
            old,
            inputs=features if reads else None,
            outputs=None if reads else features,
        )
        if isinstance(old, FactorizedDense):
            others[name] = part
        else:
            target = getattr(new, name)
            for to, value in zip(target.weights, part.weights, strict=True):
                to.assign(value)
    return new, others


def _width(attention, name):
    layer = getattr(attention, f"{name}_dense")
    return tuple(layer.get_build_config()["input_shape"])
