"""Transformer blocks against torch.nn, with masks and caches."""

import keras
import numpy as np
import pytest
import torch
from keras import ops
from sequences import compiled, masked, normal, numpy
from torch_peers import torch_peer

from keras_dl import autodiff, backend
from keras_dl.layers import TransformerDecoderBlock, TransformerEncoderBlock
from keras_dl.testing import check_layer

X, MEMORY = normal(2, 4, 6), normal(2, 5, 6, seed=1)
MASK = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], bool)
GAP = np.array([[1, 0, 1, 1], [1, 1, 1, 1]], bool)
MEMORY_MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], bool)


def shaken(block, *shapes):
    """Builds the block, and moves what starts at 0 or 1 away from it."""
    block.build(*shapes)
    for i, w in enumerate(block.weights):
        w.assign(w + 0.1 * normal(*w.shape, seed=i))
    return block


def with_torch(peer, *arrays, real=None, **kwargs):
    """The peer's output, and gradients of the sum of its squares."""
    with torch.enable_grad():
        inputs = [torch.tensor(a, requires_grad=True) for a in arrays]
        output = peer(*inputs, **kwargs)
        if real is not None:
            output = torch.where(torch.tensor(real[..., None]), output, 0.0)
        gradients = torch.autograd.grad((output**2).sum(), inputs)
    return output.detach().numpy(), [g.numpy() for g in gradients]


def with_gradients(block, call):
    """Compiles `call`, and the gradients of the sum of its squares."""

    def loss(*inputs):
        return ops.sum(ops.square(call(*inputs)))

    def both(*inputs):
        argnums = tuple(range(len(inputs)))
        return call(*inputs), autodiff.grad(loss, argnums)(*inputs)

    run = compiled(block, both)
    return lambda *inputs: numpy(run(*inputs))


OPTIONS = [
    {},
    {"norm_first": True, "activation": "gelu", "layer_norm_epsilon": 0.1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=["post", "pre"])
class TestOracle:
    def test_encoder(self, options):
        block = TransformerEncoderBlock(2, 8, **options)
        peer = torch_peer(
            shaken(block, X.shape), torch.nn.TransformerEncoderLayer
        )
        expected, slopes = with_torch(peer, X)
        output, *found = with_gradients(block, block)(X)
        np.testing.assert_allclose(output, expected, atol=1e-5)
        np.testing.assert_allclose(found[0], slopes[0], atol=1e-4)

    def test_decoder(self, options):
        block = TransformerDecoderBlock(2, 8, **options)
        peer = torch_peer(
            shaken(block, X.shape, MEMORY.shape),
            torch.nn.TransformerDecoderLayer,
        )
        causal = torch.nn.Transformer.generate_square_subsequent_mask(4)
        expected, slopes = with_torch(
            peer,
            X,
            MEMORY,
            tgt_mask=causal < 0,
            tgt_key_padding_mask=torch.tensor(~GAP),
            memory_key_padding_mask=torch.tensor(~MEMORY_MASK),
            real=GAP,
        )

        def call(x, memory):
            y = block(x, memory, inputs_mask=GAP, memory_mask=MEMORY_MASK)
            return ops.where(GAP[..., None], y, 0.0)

        output, *found = with_gradients(block, call)(X, MEMORY)
        np.testing.assert_allclose(output, expected, atol=1e-5)
        for a, b in zip(found, slopes, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.compiled
def test_contract():
    check_layer(
        lambda **kwargs: TransformerEncoderBlock(2, 8, dropout=0.1, **kwargs), X
    )


def test_decoder_keeps_its_config_and_trains_every_variable():
    block = TransformerDecoderBlock(2, 8, activation="gelu", norm_first=True)
    block(X, MEMORY)
    copy = TransformerDecoderBlock.from_config(block.get_config())
    copy.build(X.shape, MEMORY.shape)
    copy.set_weights(block.get_weights())
    np.testing.assert_allclose(
        *numpy([copy(X, MEMORY), block(X, MEMORY)]), atol=1e-6
    )

    def slopes(x, memory):
        return autodiff.variable_gradients(
            lambda: ops.sum(ops.square(block(x, memory))),
            block.trainable_variables,
        )[1]

    gradients = compiled(block, slopes)(X, MEMORY)
    for variable, gradient in zip(
        block.trainable_variables, gradients, strict=True
    ):
        # A bias of the keys moves all scores of a query alike.
        if not variable.path.endswith("key/bias"):
            assert np.any(numpy(gradient)[0] != 0), variable.path


def test_symbolic_shapes():
    block = TransformerDecoderBlock(2, 8)
    inputs = keras.Input((None, 6)), keras.Input((None, 6))
    outputs = block(*inputs, return_attention_scores=True)
    shapes = [y.shape for y in outputs]
    assert shapes == [
        (None, None, 6),
        (None, 2, None, None),
        (None, 2, None, None),
    ]
    model = keras.Model(inputs, outputs)
    found = [y.shape for y in numpy(model([X, MEMORY]))]
    assert found == [(2, 4, 6), (2, 2, 4, 4), (2, 2, 4, 5)]


def test_masks_come_along_and_scores_respect_them():
    embed = keras.layers.Embedding(9, 6, mask_zero=True)
    ids = np.array([[1, 2, 3, 0], [4, 5, 6, 7]])
    x = embed(ids)
    encoder = TransformerEncoderBlock(2, 8)
    memory, scores = encoder(x, return_attention_scores=True)
    assert np.all(numpy(scores)[0][0, :, :, 3] == 0)
    decoder = TransformerDecoderBlock(2, 8)
    _, own, cross = decoder(x, memory, return_attention_scores=True)
    assert np.all(np.triu(numpy(own)[0][1, 0], 1) == 0)
    np.testing.assert_allclose(numpy(own)[0].sum(-1), 1, atol=1e-5)
    expected = decoder(x, memory, memory_mask=MASK)
    np.testing.assert_allclose(
        *numpy([decoder(x, memory), expected]), atol=1e-6
    )
    assert cross.shape == (2, 2, 4, 4)


def test_the_mask_comes_along_with_other_tensors():
    encoder = TransformerEncoderBlock(2, 8)
    x = masked(X, GAP)
    expected = numpy(encoder(X, mask=GAP))[0]
    ones = np.ones((1, 4, 4), bool)
    real = np.array([0, 1, 1, 1, 1, 0], bool)[None, None]
    cached, _ = encoder(
        x, attention_mask=real, cache=encoder.empty_cache(2, 6), index=1
    )
    others = encoder(x), encoder(x, attention_mask=ones), cached
    for y in numpy(others):
        np.testing.assert_allclose(y[GAP], expected[GAP], atol=1e-5)


def test_the_decoders_mask_with_a_cache():
    decoder = TransformerDecoderBlock(2, 8)
    expected = decoder(X, MEMORY, inputs_mask=GAP)
    found, _ = decoder(
        masked(X, GAP), MEMORY, cache=decoder.start_cache(MEMORY, 6), index=0
    )
    rows = [numpy(y)[0][GAP] for y in (found, expected)]
    np.testing.assert_allclose(*rows, atol=1e-5)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
@pytest.mark.compiled("decoder")
def test_symbolic_caches(kind):
    def held(length):
        return tuple(keras.Input((length, 2, 3)) for _ in range(2))

    inputs, cache = [keras.Input((1, 6))], held(4)
    block = TransformerEncoderBlock(2, 8)
    if kind == "decoder":
        inputs, cache = [*inputs, keras.Input((5, 6))], (cache, held(5))
        block = TransformerDecoderBlock(2, 8)
    options = {"index": 1, "return_attention_scores": True}
    outputs = block(*inputs, cache=cache, **options)
    flat = [*inputs, *keras.tree.flatten(cache)]
    model = keras.Model(flat, keras.tree.flatten(outputs))

    def both(*arrays):
        rest = list(arrays[len(inputs) :])
        rest = keras.tree.pack_sequence_as(cache, rest)
        eager = block(*arrays[: len(inputs)], cache=rest, **options)
        keras.tree.assert_same_structure(outputs, eager)
        return model(list(arrays)), keras.tree.flatten(eager)

    arrays = [normal(2, *x.shape[1:], seed=i) for i, x in enumerate(flat)]
    found, expected = compiled(model, both)(*arrays)
    for a, b, symbol in zip(
        numpy(found), numpy(expected), keras.tree.flatten(outputs), strict=True
    ):
        assert symbol.shape[1:] == b.shape[1:]
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.compiled
def test_masked_steps_have_no_effect_whatever_they_hold():
    block = TransformerDecoderBlock(2, 8)

    def call(x, memory):
        y = block(x, memory, inputs_mask=MASK, memory_mask=MEMORY_MASK)
        return ops.where(MASK[..., None], y, 0.0)

    x = np.where(MASK[..., None], X, np.float32(np.nan))
    memory = np.where(MEMORY_MASK[..., None], MEMORY, np.float32(np.nan))
    block.build(X.shape, MEMORY.shape)
    run = with_gradients(block, call)
    for a, b in zip(run(x, memory), run(X, MEMORY), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_later_steps_cannot_be_seen():
    encoder, decoder = (
        TransformerEncoderBlock(2, 8),
        TransformerDecoderBlock(2, 8),
    )
    for call in (
        lambda x: encoder(x, use_causal_mask=True),
        lambda x: decoder(x, MEMORY),
    ):
        slope = autodiff.grad(lambda x, call=call: ops.sum(call(x)[:, 1, 0]))
        gradient = numpy(slope(X))[0]
        assert np.all(gradient[:, 2:] == 0)
        assert np.all(np.any(gradient[:, :2] != 0, axis=-1))


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.compiled("True")
def test_cached_equals_full(norm_first):
    encoder = TransformerEncoderBlock(2, 8, norm_first=norm_first)
    decoder = TransformerDecoderBlock(2, 8, norm_first=norm_first)
    expected = numpy(
        [
            encoder(X, use_causal_mask=True),
            decoder(X, MEMORY, memory_mask=MEMORY_MASK),
        ]
    )
    own = encoder.empty_cache(2, 4)
    both = decoder.start_cache(MEMORY, 4, MEMORY_MASK)
    parts = []
    for t in range(4):
        x = X[:, t : t + 1]
        y, own = encoder(x, use_causal_mask=True, cache=own, index=t)
        # The memory itself is not needed any more.
        z, both = decoder(
            x, MEMORY[:, :1], memory_mask=MEMORY_MASK, cache=both, index=t
        )
        parts.append(numpy([y, z]))
    for i in range(2):
        found = np.concatenate([part[i] for part in parts], 1)
        np.testing.assert_allclose(found, expected[i], atol=1e-5)


def test_second_order_goes_through():
    block = TransformerEncoderBlock(2, 8)
    block.build(X.shape)
    slope = autodiff.grad(lambda x: ops.sum(ops.square(block(x))))
    curvature = autodiff.grad(lambda x: ops.sum(ops.square(slope(x))))
    curvature = compiled(block, curvature)(X)
    assert np.any(numpy(curvature)[0] != 0)


@pytest.mark.parametrize("norm_first", [False, True])
def test_dropout_is_of_what_the_layers_add(norm_first):
    """Never of what goes past them."""
    block = TransformerEncoderBlock(
        2, 8, norm_first=norm_first, dropout=0.5, attention_dropout=0.0
    )
    shaken(block, X.shape)
    usual, trained = numpy([block(X), block(X, training=True)])
    assert np.abs(usual - trained).max() > 0.1
    for layer in (block.attention.output_dense, block.narrow):
        layer.set_weights([0 * w for w in layer.get_weights()])
    usual, trained = numpy([block(X), block(X, training=True)])
    np.testing.assert_allclose(usual, trained, atol=1e-6)


@pytest.mark.skipif(backend.name != "torch", reason="it is compiled away")
def test_layers_inside_are_called_in_full_where_more_is_asked_for():
    """By their `call` alone, but for hooks, other policies, and the like."""
    block = TransformerEncoderBlock(2, 8, norm_first=True)
    block.build(X.shape)
    (plain,) = numpy([block(X)])
    called = []
    inner = {
        "attention": block.attention,
        "query": block.attention.query_dense,
        "norm": block.attention_norm,
        "narrow": block.narrow,
    }
    for name, layer in inner.items():
        layer.register_forward_hook(
            lambda *args, name=name: called.append(name)
        )
    np.testing.assert_array_equal(*numpy([block(X)]), plain)
    assert called == ["norm", "query", "attention", "narrow"]
    block.widen.activity_regularizer = keras.regularizers.L2(1.0)
    block(X)
    assert len(block.losses) == 1
    block.attention.output_dense.dtype_policy = "mixed_bfloat16"
    (rounded,) = numpy([block(X)])
    assert 1e-6 < np.abs(rounded - plain).max() < 0.1


def test_errors():
    with pytest.raises(ValueError, match="`intermediate_dim` must be"):
        TransformerEncoderBlock(2, 0)
    with pytest.raises(ValueError, match="`dropout` must be"):
        TransformerDecoderBlock(2, 8, dropout=1.0)
    encoder = TransformerEncoderBlock(2, 8)
    encoder.build(X.shape)
    cache = encoder.empty_cache(2, 4)
    with pytest.raises(ValueError, match=r"`mask` must have the shape"):
        encoder(X[:, :1], mask=MASK, cache=cache, index=0)
    decoder = TransformerDecoderBlock(2, 8)
    decoder.build(X.shape, MEMORY.shape)
    cache = decoder.start_cache(MEMORY, 4)
    with pytest.raises(ValueError, match="`index` must be given with"):
        decoder(X, MEMORY, cache=cache)
