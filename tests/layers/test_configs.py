"""Every argument of every layer survives the round trip of its config."""

import pytest
from configs import check_arguments

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
    "key_dim": 3,
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
    layers.FactorizedDense: {
        "units": 6,
        "rank": 2,
        "activation": "tanh",
        "use_bias": False,
        "kernel_initializer": "he_normal",
    },
    layers.FactorizedEmbedding: {
        "input_dim": 5,
        "output_dim": 6,
        "rank": 2,
        "embeddings_initializer": "he_normal",
        "mask_zero": True,
    },
    layers.InstanceNormalization: {
        "axis": 1,
        "epsilon": 1e-3,
        "center": False,
        "scale": False,
    },
    layers.LearnedPositions: {
        "max_sequence_length": 6,
        "initializer": "he_normal",
    },
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


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_config_keeps_every_argument(kind):
    check_arguments(kind, CASES[kind])


def test_every_layer_is_in_the_table():
    keras_own = {layers.Dense, layers.LSTM, layers.GRU, layers.Conv2D}
    keras_own |= {layers.Conv2DTranspose, layers.ZeroPadding2D}
    keras_own |= {layers.BatchNormalization}
    keras_own |= {layers.EqualizedConv2D, layers.EqualizedDense}
    keras_own |= {layers.FadeIn}  # It has no arguments of its own.
    public = {getattr(layers, name) for name in layers.__all__}
    assert {x for x in public if isinstance(x, type)} == {*CASES, *keras_own}
