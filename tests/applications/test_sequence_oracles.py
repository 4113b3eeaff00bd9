"""The models of sequences, put together a second time from their parts.

The parts have oracles of their own; here it is how they are joined.
"""

import keras
import numpy as np
import pytest
from models import IDS, KINDS, TARGETS, inputs_of, made
from sequences import compiled, normal, numpy

from keras_dl.layers import SinusoidPositions

LONG = np.array([[4, 5, 6, 7, 8, 9, 3], [9, 4, 5, 0, 0, 0, 0]], "int32")


def shaken(kind, **kwargs):
    """The model, with no weight left at 0 or 1."""
    model = made(kind, **kwargs)
    for i, w in enumerate(model.weights):
        if len(w.shape) == 1:
            w.assign(w + 0.3 * normal(*w.shape, seed=i))
    return model


def call(layer, *inputs, **kwargs):
    return numpy(compiled(layer, lambda *x: layer(*x, **kwargs))(*inputs))


def keras_lstm(layer, x, mask=None, states=None):
    """What Keras' own LSTM makes of it, with the layer's weights."""
    peer = keras.layers.LSTM(
        layer.units, return_sequences=True, return_state=True
    )
    peer.build((None, None, x.shape[-1]))
    peer.set_weights(layer.get_weights())
    return call(peer, x, mask=mask, initial_state=states)


def both_ways(layer, x, mask):
    """A bidirectional layer: outputs side by side, last h, last c."""
    forward, h, c = keras_lstm(layer.forward_layer, x, mask)
    lengths = mask.sum(1)
    flipped = np.zeros_like(x)
    for row, length in enumerate(lengths):
        flipped[row, :length] = x[row, :length][::-1]
    found, back_h, back_c = keras_lstm(layer.backward_layer, flipped, mask)
    back = np.zeros_like(found)
    for row, length in enumerate(lengths):
        back[row, :length] = found[row, :length][::-1]
    both = np.concatenate([forward, back], -1)
    return both, np.hstack([h, back_h]), np.hstack([c, back_c])


def test_seq2seq():
    model = shaken("seq2seq", num_layers=2)
    real = LONG != 0
    x = model.source_embedding.get_weights()[0][LONG]
    first, _, _ = both_ways(model.encoder[0], x, real)
    second, h, c = both_ways(model.encoder[1], first, real)
    memory = first + second
    h, c = (
        np.tanh(x @ w + b)
        for x, (w, b) in zip(
            (h, c), (d.get_weights() for d in model.bridge), strict=True
        )
    )
    y = model.target_embedding.get_weights()[0][TARGETS]
    y, *_ = call(
        model.decoder,
        y,
        memory,
        initial_state=[h, c, np.zeros_like(h)],
        memory_mask=real,
    )
    y = y + keras_lstm(model.above[0], y, states=[h, c])[0]
    kernel, bias = model.head.get_weights()
    (found,) = call(model, (LONG, TARGETS))
    np.testing.assert_allclose(found, y @ kernel + bias, atol=1e-5)


def embedded(table, ids, dim):
    """sqrt(d) E[ids], with sines and cosines of the positions in turn."""
    at = np.arange(ids.shape[1])[:, None]
    angles = at / 10000 ** (np.arange(0, dim, 2) / dim)
    waves = np.stack([np.sin(angles), np.cos(angles)], -1)
    positions = waves.reshape(-1, dim)
    return (table[ids] * np.sqrt(dim) + positions).astype("float32")


def normalized(layer, x):
    gamma, beta = layer.get_weights()
    centred = x - x.mean(-1, keepdims=True)
    return gamma * centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5) + beta


@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer(norm_first):
    model = shaken("transformer", norm_first=norm_first, activation="gelu")
    real = LONG != 0
    table = model.embedding.get_weights()[0]
    memory = embedded(table, LONG, 8)
    (memory,) = call(model.encoder[0], memory, mask=real)
    if norm_first:
        memory = normalized(model.encoder_norm, memory)
    x = embedded(table, TARGETS, 8)
    (x,) = call(
        model.decoder[0],
        x,
        memory,
        inputs_mask=TARGETS != 0,
        memory_mask=real,
    )
    if norm_first:
        x = normalized(model.decoder_norm, x)
    (found,) = call(model, (LONG, TARGETS))
    np.testing.assert_allclose(found, x @ table.T, atol=1e-4)
    for block in (*model.encoder, *model.decoder):
        assert block.activation is keras.activations.gelu


def test_transformer_language_model():
    model = shaken("transformer_lm", num_layers=1)
    table = model.embedding.get_weights()[0]
    x = embedded(table, IDS, 8)
    (x,) = call(model.blocks[0], x, use_causal_mask=True)
    x = normalized(model.norm, x)
    (found,) = call(model, IDS)
    np.testing.assert_allclose(found, x @ table.T, atol=1e-4)
    assert isinstance(model.position, SinusoidPositions)


def recorded(layer):
    """Lets a dropout layer change nothing, and note how it is called."""
    trainings = []

    def call(x, training=None):
        trainings.append(training)
        return x

    layer.call = call
    return trainings


@pytest.mark.parametrize(
    ("kind", "drops", "stacks"),
    [
        ("language_model", 3, []),  # Before each of two layers, and after.
        ("seq2seq", 5, []),  # Two layers on each side, and before the head.
        ("transformer", 2, ["encoder", "decoder"]),
        ("transformer_lm", 1, ["blocks"]),
    ],
)
def test_dropout_of_inputs_and_of_each_stack(kind, drops, stacks):
    model = KINDS[kind](dropout=0.5)
    x = inputs_of(model)
    model(x)
    assert model.drop.rate == 0.5
    of_model = recorded(model.drop)
    for stack in stacks:
        for block in getattr(model, stack):
            assert block.dropout == block.drop.rate == 0.5
            block.dropout = block.attention.dropout = 0
    model(x, training=True)
    assert of_model == [True] * drops
    for stack in stacks:
        for block in getattr(model, stack):
            block.dropout, of_block = 0.5, recorded(block.drop)
            model(x, training=True)
            assert of_block and all(of_block)


def test_a_file_binds_no_backend_to_xla():
    """Keras writes what "auto" came to where the model was saved."""
    model = made("language_model")
    model.compile("sgd")
    expected = model.jit_compile
    model.compile_from_config({**model.get_compile_config(), "jit_compile": 1})
    assert model.jit_compile == expected
