"""Quantization after training: Keras' integers, with calibrated ranges."""

import re
import warnings

import keras
import numpy as np
from keras import ops, quantizers

from keras_dl.checks import check_integer
from keras_dl.compression.grid import (
    EPSILON,
    MULTIPLYING,
    QUANTIZABLE,
    packs_channels,
    weight_axes,
)
from keras_dl.models import sublayers, variables_by_path


@keras.saving.register_keras_serializable("keras_dl")
class StaticQuantizer(quantizers.Quantizer):
    """Rounds activations to integers by a range that was found before.

        q = clip(round(s x), -n, n),  s = n / limit,  n = 2^(bits-1) - 1

    An activation quantizer for Keras' int8 and int4 layers: `quantize` makes
    one for each layer.

    Args:
        limit: The largest absolute value; what is larger is clipped.
        bits: Number of bits, 2 to 8.

    Raises:
        ValueError: If `limit` is negative, or `bits` is out of range.

    Example:

    >>> integers, scale = StaticQuantizer(2.0)(np.array([[0.5, -1.5, 3.0]]))
    >>> ops.convert_to_numpy(integers)
    array([[ 32, -95, 127]], dtype=int8)
    """

    def __init__(self, limit, bits=8):
        super().__init__(output_dtype="int8")
        if not 0 <= limit < np.inf:
            raise ValueError(
                "`limit` must be a finite number of at least 0. Received: "
                f"limit={limit!r}."
            )
        self.limit = float(limit)
        self.bits = check_integer("bits", bits, 2, 8)

    def __call__(self, x, axis=None, to_numpy=False):
        """Integers, and the scale, in the dtype and for the axes of `x`."""
        x = ops.convert_to_tensor(x)
        last = 2 ** (self.bits - 1) - 1
        scale = last / (self.limit + EPSILON)
        integers = ops.clip(ops.round(x * scale), -last, last)
        shape = (1,) * len(x.shape)
        return ops.cast(integers, "int8"), ops.full(shape, scale, x.dtype)

    def get_config(self):
        return {"limit": self.limit, "bits": self.bits}


def quantize(
    model,
    bits=8,
    activations="dynamic",
    activation_bits=8,
    paths=None,
):
    """Quantizes the dense layers and embeddings of a trained model, in place.

        x W  =  (round(s_x x) round(s_w W)) / (s_x s_w)

    By Keras' own `layer.quantize`: with 8 bits and dynamic activations this is
    `model.quantize("int8")`. The model's config and `.keras` files keep it.
    With 8 and 4 bits weights take as many bits of memory; others, which try
    out how many a model needs, take 8.

    Args:
        model: A built Keras model.
        bits: Number of bits of a weight, 2 to 8. Ranges are those of each
            channel.
        activations: How what goes into dense layers is quantized: `"dynamic"`,
            each vector by its range; a dict of ranges by path, as `calibrate`
            gives them, where the other layers are dynamic; or `None`: it stays.
        activation_bits: Number of bits of an activation, 2 to 8.
        paths: Regular expressions: the layers with variables whose path (see
            `keras_dl.models.variables_by_path`) matches one in full. By
            default all that Keras can quantize.

    Returns:
        The model.

    Raises:
        TypeError: If `model` is no Keras model.
        ValueError: If an argument is not allowed, the model is not built, or a
            path matches no layer that Keras can quantize.

    Example: ranges of activations from data.

    >>> x = np.random.default_rng(0).normal(size=(8, 4))
    >>> model = keras_dl.applications.MLP((8,), num_outputs=3)
    >>> model.build((None, 4))
    >>> ranges = keras_dl.compression.calibrate(model, x)
    >>> list(ranges)
    ['hidden/0', 'head']
    >>> model = quantize(model, 8, ranges)
    >>> model.head.quantization_mode
    'int8'
    """
    check_integer("bits", bits, 2, 8)
    check_integer("activation_bits", activation_bits, 2, 8)
    check_model(model)
    ranges = _checked_ranges(model, activations)
    if isinstance(ranges, dict):
        activations = "dynamic"
    for path, layer in _chosen(model, paths).items():
        how = ranges.get(path) if isinstance(ranges, dict) else None
        inputs = _input_quantizer(layer, activations, how, activation_bits)
        _quantize_layer(model, layer, _config(layer, bits, inputs))
    return model


def check_model(model):
    """Refuses what has no weights yet, or no `quantize`."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a Keras model. Received: {model!r}.")
    if not model.built:
        raise ValueError(
            f"`model` must be built: call {model.name!r} on data first."
        )


def can_quantize(layer):
    """Whether Keras quantizes a layer, and has not yet."""
    return isinstance(layer, QUANTIZABLE) and layer.quantization_mode is None


def _checked_ranges(model, ranges):
    if ranges in (None, "dynamic"):
        return ranges
    if not isinstance(ranges, dict):
        raise ValueError(
            "`activations` must be 'dynamic', None, or a dict of ranges. "
            f"Received: activations={ranges!r}."
        )
    known = sublayers(model)
    unknown = [path for path in ranges if path not in known]
    if unknown:
        raise ValueError(
            f"`activations` names layers that {model.name!r} does not have: "
            f"{unknown}. It has: {list(known)}."
        )
    return ranges


def _chosen(model, paths):
    """The layers that are to be quantized, by path."""
    parts = sublayers(model)
    if paths is None:
        return {p: layer for p, layer in parts.items() if can_quantize(layer)}
    paths = [paths] if isinstance(paths, str) else list(paths)
    weights = {
        p: p.rpartition("/")[0]
        for p in variables_by_path(model)
        if can_quantize(parts.get(p.rpartition("/")[0]))
    }
    for pattern in paths:
        if not any(re.fullmatch(pattern, p) for p in weights):
            raise ValueError(
                "`paths` must match weights of layers that Keras can "
                f"quantize. Received: {pattern!r}, which matches none of "
                f"{list(weights)}."
            )
    chosen = [
        place
        for path, place in weights.items()
        if any(re.fullmatch(pattern, path) for pattern in paths)
    ]
    return {place: parts[place] for place in dict.fromkeys(chosen)}


def _input_quantizer(layer, activations, how, bits):
    """What rounds what goes into a layer, or `None`."""
    if activations is None or not isinstance(layer, MULTIPLYING):
        return None
    if how is None:
        return _dynamic(bits)
    low, high = how
    return StaticQuantizer(max(-low, high, 0.0), bits)


def _dynamic(bits):
    last = 2 ** (bits - 1) - 1
    return quantizers.AbsMaxQuantizer(value_range=(-last, last))


def _config(layer, bits, inputs):
    axes = weight_axes(layer, layer.weights[0])
    if bits == 4 and packs_channels(layer, axes):
        return quantizers.Int4QuantizationConfig(
            activation_quantizer=inputs, block_size=None
        )
    weights = None
    if bits != 8:
        last = 2 ** (bits - 1) - 1
        weights = quantizers.AbsMaxQuantizer(
            axis=axes, value_range=(-last, last)
        )
    return quantizers.Int8QuantizationConfig(weights, inputs)


def _quantize_layer(model, layer, config):
    with warnings.catch_warnings():
        # A class that extends Keras' own, and computes something else.
        warnings.filterwarnings("ignore", message=".*`quantize` method")
        model.quantize(config=config, filters=lambda part: part is layer)
