"""Layers that Keras lacks, or computes slowly."""

from keras_dl.layers.activations import gelu_tanh
from keras_dl.layers.attention.attention import Attention
from keras_dl.layers.attention.attention_decoder import AttentionDecoder
from keras_dl.layers.attention.attention_patterns import attention_pattern_mask
from keras_dl.layers.attention.entity_fusion import (
    EntityFusionBlock,
    EntityStream,
)
from keras_dl.layers.attention.multi_head_attention import MultiHeadAttention
from keras_dl.layers.attention.positions import (
    LearnedPositions,
    SinusoidPositions,
)
from keras_dl.layers.attention.transformer_blocks import (
    TransformerDecoderBlock,
    TransformerEncoderBlock,
)
from keras_dl.layers.batch_normalization import BatchNormalization
from keras_dl.layers.conditioning_augmentation import ConditioningAugmentation
from keras_dl.layers.dense import Dense
from keras_dl.layers.equalized import EqualizedConv2D, EqualizedDense
from keras_dl.layers.factorized import FactorizedDense, FactorizedEmbedding
from keras_dl.layers.fade_in import FadeIn
from keras_dl.layers.image.convolution import Conv2D, Conv2DTranspose
from keras_dl.layers.image.instance_normalization import InstanceNormalization
from keras_dl.layers.image.minibatch_standard_deviation import (
    MinibatchStandardDeviation,
)
from keras_dl.layers.image.padding import ReflectionPadding2D, ZeroPadding2D
from keras_dl.layers.image.pixel_normalization import PixelNormalization
from keras_dl.layers.image.pixel_shuffle import PixelShuffle
from keras_dl.layers.image.residual_block import ResidualBlock
from keras_dl.layers.masks import causal_mask, combine_masks, padding_mask
from keras_dl.layers.recurrent.fast_recurrent import fast_recurrent
from keras_dl.layers.recurrent.gru import GRU
from keras_dl.layers.recurrent.lstm import LSTM

__all__ = [
    "GRU",
    "LSTM",
    "Attention",
    "AttentionDecoder",
    "BatchNormalization",
    "ConditioningAugmentation",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "EntityFusionBlock",
    "EntityStream",
    "EqualizedConv2D",
    "EqualizedDense",
    "FactorizedDense",
    "FactorizedEmbedding",
    "FadeIn",
    "InstanceNormalization",
    "LearnedPositions",
    "MinibatchStandardDeviation",
    "MultiHeadAttention",
    "PixelNormalization",
    "PixelShuffle",
    "ReflectionPadding2D",
    "ResidualBlock",
    "SinusoidPositions",
    "TransformerDecoderBlock",
    "TransformerEncoderBlock",
    "ZeroPadding2D",
    "attention_pattern_mask",
    "causal_mask",
    "combine_masks",
    "fast_recurrent",
    "gelu_tanh",
    "padding_mask",
]
