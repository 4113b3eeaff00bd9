"""Each dropout of each layer acts in training, and in training alone."""

import keras
import numpy as np
import pytest
from sequences import compiled, normal, numpy

from keras_dl.layers import (
    GRU,
    LSTM,
    Attention,
    AttentionDecoder,
    MultiHeadAttention,
    TransformerDecoderBlock,
    TransformerEncoderBlock,
)

X, MEMORY = normal(2, 3, 4), normal(2, 5, 4, seed=1)


def weights_alone(block):
    """Leaves a block the dropout of its attention's weights."""
    block.dropout = 0.0
    if isinstance(block, TransformerDecoderBlock):
        block.memory_attention.dropout = 0.0


def memory_weights_alone(block):
    block.dropout = block.attention.dropout = 0.0


def sublayers_alone(*silent):
    """Leaves a block the dropout behind those of its parts that speak."""

    def prepare(block):
        for name in ("attention", "memory_attention"):
            part = getattr(block, name, None)
            if part is not None:
                part.dropout = 0.0
                if name in silent:
                    silence(part.output_dense)
        if "feed_forward" in silent:
            silence(block.narrow)

    return prepare


def silence(dense):
    dense.set_weights([0 * w for w in dense.get_weights()])


def encoder(**kwargs):
    return TransformerEncoderBlock(2, 8, **kwargs)


def decoder(**kwargs):
    return TransformerDecoderBlock(2, 8, **kwargs)


def recurrent_dropout(kind):
    return lambda dropout, seed: kind(4, recurrent_dropout=dropout, seed=seed)


CASES = {
    "Attention": (Attention, 2, None),
    "MultiHeadAttention": (
        lambda **kwargs: MultiHeadAttention(2, **kwargs),
        2,
        None,
    ),
    "AttentionDecoder": (
        lambda **kwargs: AttentionDecoder(4, **kwargs),
        2,
        None,
    ),
    "LSTM": (lambda **kwargs: LSTM(4, **kwargs), 1, None),
    "GRU": (lambda **kwargs: GRU(4, **kwargs), 1, None),
    "LSTM, recurrent": (recurrent_dropout(LSTM), 1, None),
    "GRU, recurrent": (recurrent_dropout(GRU), 1, None),
    "encoder, weights": (encoder, 1, weights_alone),
    "encoder, attention": (encoder, 1, sublayers_alone("feed_forward")),
    "encoder, feed-forward": (encoder, 1, sublayers_alone("attention")),
    "decoder, weights": (decoder, 2, weights_alone),
    "decoder, memory's weights": (decoder, 2, memory_weights_alone),
    "decoder, attention": (
        decoder,
        2,
        sublayers_alone("memory_attention", "feed_forward"),
    ),
    "decoder, memory": (
        decoder,
        2,
        sublayers_alone("attention", "feed_forward"),
    ),
    "decoder, feed-forward": (
        decoder,
        2,
        sublayers_alone("attention", "memory_attention"),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.compiled("GRU, recurrent", "decoder, memory")
def test_dropout_acts_in_training_alone(case):
    make, count, prepare = CASES[case]
    inputs = [X, MEMORY][:count]
    layer = make(dropout=0.5, seed=1)
    layer.build(*[x.shape for x in inputs])
    for i, w in enumerate(layer.weights):
        w.assign(normal(*w.shape, seed=20 + i))
    if prepare:
        prepare(layer)

    def three(*inputs):
        training = layer(*inputs, training=True)
        return layer(*inputs), training, layer(*inputs)

    plain, dropped, again = numpy(compiled(layer, three)(*inputs))
    np.testing.assert_array_equal(again, plain)
    assert np.abs(dropped - plain).max() > 1e-3


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (Attention, 1),
        (lambda **kwargs: MultiHeadAttention(2, **kwargs), 1),
        (lambda **kwargs: AttentionDecoder(4, **kwargs), 1),
        (encoder, 2),
        (decoder, 3),
    ],
    ids=["Attention", "MultiHeadAttention", "AttentionDecoder", "E", "D"],
)
def test_the_seed_seeds_each_part_by_itself(make, parts):
    def seeds(seed):
        layer = make(dropout=0.5, seed=seed)
        states = [
            part.seed_generator.state.value
            for part in layer._flatten_layers()
            if isinstance(part, keras.layers.Dropout) and part.rate
        ]
        return {tuple(state) for state in numpy(states)}

    first, again, other = seeds(10), seeds(10), seeds(20)
    assert len(first) == parts and first == again
    assert not first & other


@pytest.mark.parametrize("make", [encoder, decoder])
def test_attention_weights_have_a_rate_of_their_own(make):
    block = make(dropout=0.5, attention_dropout=0.25)
    assert (block.dropout, block.attention.dropout) == (0.5, 0.25)
    assert make(dropout=0.5).attention.dropout == 0.5
    with pytest.raises(ValueError, match="`attention_dropout` must be"):
        make(attention_dropout=1.5)
