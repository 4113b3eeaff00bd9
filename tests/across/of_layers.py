"""The agreement table's layers, and functions that layers are made of."""

import keras
import numpy as np
from cases import covers, filled, function_case, layer_case, masked_case
from gans import same_noise
from keras import ops
from sequences import normal

from keras_dl import constraints, layers

X = normal(3, 4)
SEQUENCES, MEMORY = normal(2, 5, 6), normal(2, 4, 6, seed=1)
# The last steps of the first row are not there.
MASKED = SEQUENCES * np.array([[1, 1, 1, 0, 0], [1] * 5])[..., None]
MASKED = MASKED.astype("float32")
IMAGES = normal(2, 6, 8, 4)
MASK = np.array([[1, 1, 0, 0, 1], [1, 1, 1, 1, 1]], bool)


@covers(layers.Dense)
def dense():
    return layer_case(layers.Dense(3, activation="tanh"), X)


@covers(layers.EqualizedDense)
def equalized_dense():
    return layer_case(layers.EqualizedDense(3, gain=0.7), X)


@covers(layers.FactorizedDense)
def factorized_dense():
    return layer_case(layers.FactorizedDense(3, 2, activation="tanh"), X)


@covers(layers.FactorizedEmbedding)
def factorized_embedding():
    """Vectors of ids, their mask, and logits by the same matrices."""
    ids = keras.Input((4,), dtype="int32")
    table = layers.FactorizedEmbedding(5, 6, 2, mask_zero=True)
    x = keras.layers.LSTM(6, return_sequences=True)(table(ids))
    model = keras.Model(ids, table(x, reverse=True))
    return layer_case(model, np.array([[1, 4, 0, 0], [2, 3, 1, 0]]))


@covers(layers.LSTM)
def lstm():
    return masked_case(layers.LSTM(3, return_sequences=True), MASKED)


@covers(layers.GRU)
def gru():
    return masked_case(layers.GRU(3), MASKED)


@covers(layers.fast_recurrent)
def fast_recurrent():
    slow = keras.layers.Bidirectional(keras.layers.GRU(3))
    model = keras.Sequential([keras.Input((5, 6)), slow])
    return layer_case(layers.fast_recurrent(model), SEQUENCES)


def on_itself(layer):
    """The layer with its inputs as its memory, and a mask on both."""
    x = keras.Input((5, 6))
    there = keras.layers.Masking()(x)
    return layer_case(keras.Model(x, layer(there, there)), MASKED)


@covers(layers.Attention)
def attention_additive():
    return on_itself(layers.Attention("additive", units=4))


@covers(layers.Attention)
def attention_general():
    return on_itself(layers.Attention("general"))


@covers(layers.AttentionDecoder)
def attention_decoder():
    return on_itself(layers.AttentionDecoder(4, "additive", "bahdanau"))


@covers(layers.AttentionDecoder)
def attention_decoder_luong():
    return on_itself(layers.AttentionDecoder(4, "general"))


@covers(layers.MultiHeadAttention)
def multi_head_attention():
    return on_itself(layers.MultiHeadAttention(2, 4))


@covers(layers.TransformerEncoderBlock)
def encoder_block():
    return masked_case(
        layers.TransformerEncoderBlock(2, 8, activation="gelu"), MASKED
    )


@covers(layers.TransformerDecoderBlock)
def decoder_block():
    return on_itself(layers.TransformerDecoderBlock(2, 8, norm_first=True))


@covers(layers.EntityFusionBlock)
def entity_fusion():
    def call(x, e):
        return block(x, e, mask=MASK, entities_mask=MASK[:, ::-1].copy())

    block = layers.EntityFusionBlock(2, 8, entity_heads=2)
    block.build(SEQUENCES.shape, (2, 5, 4))
    filled(block)
    return function_case(call, SEQUENCES, normal(2, 5, 4, seed=1))


@covers(layers.EntityStream)
def entity_stream():
    stream = layers.EntityStream(7, dim=4, num_heads=2, trainable=True)
    ids = np.array([[0, 3, 6], [1, 0, 0]], "int32")
    return layer_case(stream, ids)


@covers(layers.SinusoidPositions)
def sinusoid_positions():
    return layer_case(layers.SinusoidPositions(), SEQUENCES)


@covers(layers.LearnedPositions)
def learned_positions():
    return layer_case(layers.LearnedPositions(7), SEQUENCES)


@covers(layers.gelu_tanh)
def gelu_tanh():
    return function_case(layers.gelu_tanh, X)


@covers(layers.padding_mask, layers.causal_mask, layers.combine_masks)
def masks():
    def allowed(ids):
        padding = layers.padding_mask(ops.not_equal(ids, 0))
        causal = layers.causal_mask(ops.shape(ids)[1])
        return ops.cast(layers.combine_masks(padding, causal), "int32")

    return function_case(allowed, np.array([[3, 0, 2, 0], [1, 1, 1, 1]]))


@covers(layers.attention_pattern_mask)
def attention_pattern_mask():
    def allowed(patterns, target):
        return ops.cast(layers.attention_pattern_mask(patterns, 5, target), int)

    return function_case(
        allowed, np.arange(4, dtype="int32"), np.tile(MASK, (2, 1))
    )


@covers(layers.Conv2D)
def conv2d():
    return layer_case(
        layers.Conv2D(3, (3, 2), strides=2, padding="same"), IMAGES
    )


@covers(layers.Conv2DTranspose)
def conv2d_transpose():
    return layer_case(
        layers.Conv2DTranspose(3, 4, strides=2, padding="same"), IMAGES
    )


@covers(layers.EqualizedConv2D)
def equalized_conv2d():
    return layer_case(layers.EqualizedConv2D(3, 3, padding="same"), IMAGES)


@covers(layers.ZeroPadding2D, layers.ReflectionPadding2D)
def padding():
    return layer_case(
        keras.Sequential(
            [
                layers.ZeroPadding2D(((1, 2), (0, 1))),
                layers.ReflectionPadding2D(((1, 0), (2, 3))),
                layers.Conv2D(2, 3),
            ]
        ),
        IMAGES,
    )


@covers(layers.BatchNormalization)
def batch_normalization():
    layer = layers.BatchNormalization(momentum=0.8)
    return layer_case(layer, IMAGES, training=True)


@covers(layers.InstanceNormalization)
def instance_normalization():
    return layer_case(layers.InstanceNormalization(), IMAGES)


@covers(layers.PixelNormalization, layers.PixelShuffle)
def pixels():
    chain = [layers.PixelNormalization(), layers.PixelShuffle(2)]
    return layer_case(keras.Sequential(chain), IMAGES)


@covers(layers.MinibatchStandardDeviation)
def minibatch_deviation():
    return layer_case(layers.MinibatchStandardDeviation(2), IMAGES)


@covers(layers.ResidualBlock)
def residual_block():
    block = layers.ResidualBlock(4, activation="prelu", padding="reflect")
    return layer_case(block, IMAGES, training=True)


@covers(layers.FadeIn)
def fade_in():
    layer = layers.FadeIn()
    layer.build([X.shape, X.shape])
    layer.alpha.assign(0.3)
    return function_case(lambda *x: layer([*x]), X, normal(3, 4, seed=1))


@covers(layers.ConditioningAugmentation)
def conditioning_augmentation():
    same_noise()
    layer = layers.ConditioningAugmentation(3, seed=1)
    return layer_case(layer, X, training=True)


@covers(constraints.ClipWeights)
def clip_weights():
    layer = keras.layers.Dense(
        3, kernel_constraint=constraints.ClipWeights(0.2)
    )
    return layer_case(layer, X, steps=1)
