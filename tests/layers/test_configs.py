"""Every argument of every layer survives the round trip of its config."""

import inspect

import keras
import pytest

from keras_dl import layers

# A value for every argument, none of them its default.
BLOCK = {
    "num_heads": 3,
    "intermediate_dim": 8,
    "dropout": 0.25,
    "activation": "gelu",
    "norm_first": True,
    "attention_bias": False,
    "layer_norm_epsilon": 1e-3,
    "kernel_initializer": "he_normal",
    "seed": 7,
    "attention_dropout": 0.5,
}
CASES = {
    layers.Attention: {
        "score": "additive",
        "units": 6,
        "dropout": 0.25,
        "seed": 7,
    },
    layers.AttentionDecoder: {
        "units": 6,
        "score": "additive",
        "order": "bahdanau",
        "dropout": 0.25,
        "return_state": True,
        "seed": 7,
    },
    layers.ConditioningAugmentation: {
        "units": 6,
        "activation": "tanh",
        "kl_weight": 0.5,
        "sample_at_inference": False,
        "kernel_initializer": "he_normal",
        "seed": 7,
    },
    layers.EntityFusionBlock: {
        **BLOCK,
        "entity_heads": 2,
        "returns_entities": False,
    },
    layers.EntityStream: {
        "num_entities": 5,
        "dim": 6,
        "num_heads": 3,
        "num_layers": 2,
        "returns_entities": True,
        "trainable": True,
    },
    layers.InstanceNormalization: {
        "axis": 1,
        "epsilon": 1e-3,
        "center": False,
        "scale": False,
    },
    layers.LearnedPositions: {"max_length": 6, "initializer": "he_normal"},
    layers.MinibatchStandardDeviation: {
        "group_size": 3,
        "epsilon": 1e-4,
        "data_format": "channels_first",
    },
    layers.MultiHeadAttention: {
        "num_heads": 3,
        "key_dim": 5,
        "dropout": 0.25,
        "use_bias": False,
        "output_dim": 7,
        "kernel_initializer": "he_normal",
        "bias_initializer": "ones",
        "seed": 7,
    },
    layers.PixelNormalization: {"axis": 1, "epsilon": 1e-4},
    layers.PixelShuffle: {"factor": 2, "data_format": "channels_first"},
    layers.ReflectionPadding2D: {
        "padding": ((1, 2), (3, 4)),
        "data_format": "channels_first",
    },
    layers.ResidualBlock: {
        "filters": 4,
        "kernel_size": 5,
        "normalization": "instance",
        "activation": "prelu",
        "padding": "reflect",
        "dropout": 0.25,
        "use_bias": False,
        "epsilon": 1e-3,
        "kernel_initializer": "he_normal",
        "seed": 7,
        "data_format": "channels_first",
    },
    layers.SinusoidPositions: {"max_wavelength": 100, "layout": "halves"},
    layers.TransformerDecoderBlock: BLOCK,
    layers.TransformerEncoderBlock: BLOCK,
}


def plain(value):
    """What can be compared, of initializers and activations too."""
    return keras.saving.serialize_keras_object(value)


def parameters(kind):
    found = {}
    for of in (kind, *kind.__bases__):
        if of is not keras.Layer:
            found |= inspect.signature(of.__init__).parameters
    for name in ("self", "args", "kwargs"):
        found.pop(name, None)
    return found


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_config_keeps_every_argument(kind):
    given, known = CASES[kind], parameters(kind)
    assert set(given) == set(known)
    required = {
        name: 1
        for name, parameter in known.items()
        if parameter.default is inspect.Parameter.empty
    }
    layer, default = kind(**given, name="mine"), kind(**required)
    copy = kind.from_config(layer.get_config())
    assert plain(copy.get_config()) == plain(layer.get_config())
    for name in given:
        value = plain(getattr(layer, name))
        assert value != plain(getattr(default, name)), name
        assert value == plain(getattr(copy, name)), name
    assert copy.name == "mine"


def test_every_layer_is_in_the_table():
    keras_own = {layers.Dense, layers.LSTM, layers.GRU, layers.Conv2D}
    keras_own |= {layers.Conv2DTranspose, layers.ZeroPadding2D}
    keras_own |= {layers.BatchNormalization}
    keras_own |= {layers.EqualizedConv2D, layers.EqualizedDense}
    keras_own |= {layers.FadeIn}  # It has no arguments of its own.
    public = {getattr(layers, name) for name in layers.__all__}
    assert {x for x in public if isinstance(x, type)} == {*CASES, *keras_own}
