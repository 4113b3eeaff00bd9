"""Attention layers against float64 NumPy, torch.nn and Keras."""

import keras
import numpy as np
import pytest
import torch
from keras import ops
from sequences import compiled, gradients_of, masked, normal, numpy

from keras_dl import autodiff
from keras_dl.layers import (
    Attention,
    AttentionDecoder,
    LearnedPositions,
    MultiHeadAttention,
    SinusoidPositions,
    causal_mask,
    combine_masks,
    padding_mask,
)
from keras_dl.testing import check_layer

QUERY, VALUE = normal(2, 3, 4), normal(2, 5, 4, seed=1)
KEY = normal(2, 5, 4, seed=3)
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class TestMasks:
    def test_causal(self):
        np.testing.assert_array_equal(
            numpy(causal_mask(4))[0][0], np.tril(np.ones((4, 4), bool))
        )
        late = numpy(causal_mask(1, 4, first=2))[0][0]
        np.testing.assert_array_equal(late, [[1, 1, 1, 0]])

    def test_they_combine(self):
        both = combine_masks(padding_mask(MASK), None, causal_mask(5))
        expected = MASK[:, None] & np.tril(np.ones((5, 5), bool))
        np.testing.assert_array_equal(numpy(both)[0], expected)
        assert combine_masks(None, padding_mask(None)) is None


class TestAttention:
    @pytest.mark.parametrize("score", ["dot", "scaled_dot", "general"])
    def test_products(self, score):
        layer = Attention(score)
        q, v = QUERY.astype("float64"), VALUE.astype("float64")
        context, weights = layer(
            QUERY, VALUE, value_mask=MASK, return_attention_scores=True
        )
        keys = v
        if score == "general":
            keys = v @ layer.get_weights()[0]
        scores = q @ keys.swapaxes(1, 2)
        if score == "scaled_dot":
            scores /= 2
        a = softmax(np.where(MASK[:, None], scores, -np.inf))
        np.testing.assert_allclose(numpy(weights)[0], a, atol=1e-6)
        np.testing.assert_allclose(numpy(context)[0], a @ v, atol=1e-5)

    def test_additive(self):
        layer = Attention("additive", units=6)
        context = layer(QUERY, VALUE)
        w, u, v = (a.astype("float64") for a in layer.get_weights())
        hidden = np.tanh((QUERY @ w)[:, :, None] + (VALUE @ u)[:, None])
        a = softmax(hidden @ v)
        np.testing.assert_allclose(numpy(context)[0], a @ VALUE, atol=1e-5)

    @pytest.mark.parametrize("score", ["dot", "additive"])
    @pytest.mark.compiled("additive")
    def test_equals_keras(self, score):
        if score == "dot":
            peer = keras.layers.Attention()
            ours = Attention("dot")
        else:
            peer = keras.layers.AdditiveAttention(use_scale=True)
            ours = Attention("additive")
            ours.build(QUERY.shape, VALUE.shape)
            peer.build([QUERY.shape, VALUE.shape])
            scale = normal(4)
            ours.set_weights([np.eye(4), np.eye(4), scale])
            peer.set_weights([scale])
        np.testing.assert_allclose(
            *numpy([ours(QUERY, VALUE), peer([QUERY, VALUE])]), atol=1e-5
        )

    def test_own_keys_and_a_mask_of_pairs(self):
        seen = normal(2, 3, 5, seed=2) > -0.5
        _, weights = Attention("dot")(
            QUERY,
            VALUE,
            KEY,
            attention_mask=seen,
            return_attention_scores=True,
        )
        scores = np.where(seen, QUERY @ KEY.swapaxes(1, 2), -np.inf)
        np.testing.assert_allclose(
            numpy(weights)[0], softmax(scores), atol=1e-5
        )

    def test_errors(self):
        with pytest.raises(ValueError, match="`score` must be one of"):
            Attention("cosine")
        with pytest.raises(ValueError, match="needs queries and keys of the"):
            Attention("dot")(QUERY, VALUE[..., :3])


@pytest.mark.parametrize(
    "policy", ["float32", "mixed_float16", "mixed_bfloat16"]
)
@pytest.mark.parametrize(
    "make",
    [
        lambda **kwargs: Attention(**kwargs),
        lambda **kwargs: MultiHeadAttention(2, **kwargs),
    ],
    ids=["Attention", "MultiHeadAttention"],
)
@pytest.mark.compiled(
    "MultiHeadAttention-mixed_float16", "Attention-mixed_bfloat16"
)
def test_what_sees_nothing_gets_the_mean(make, policy):
    layer = make(dtype=policy)

    def call(query, value):
        nothing = ops.zeros((2, 5), "bool")
        return layer(
            query, value, value_mask=nothing, return_attention_scores=True
        )

    layer.build(QUERY.shape, VALUE.shape)
    outputs, weights = compiled(layer, call)(QUERY, VALUE)
    np.testing.assert_array_equal(numpy(ops.cast(outputs, "float32"))[0], 0)
    np.testing.assert_allclose(
        numpy(ops.cast(weights, "float32"))[0], 0.2, rtol=1e-2
    )


@pytest.mark.compiled
def test_weights_of_a_single_key_can_be_trained_on():
    """They are 1 whatever the key is, with gradients, which are 0."""
    query, key = keras.Input((3, 4)), keras.Input((1, 4))
    layer = Attention("general")
    _, weights = layer(query, key, return_attention_scores=True)
    model = keras.Model([query, key], weights)
    model.compile("sgd", "mse")
    before = numpy(layer.weights)
    x = [QUERY, VALUE[:, :1]]
    y = np.zeros([2 if size is None else size for size in weights.shape])
    assert model.train_on_batch(x, y) == 1
    for one, other in zip(before, numpy(layer.weights), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "make",
    [
        lambda **kwargs: Attention("additive", dropout=0.1, **kwargs),
        lambda **kwargs: MultiHeadAttention(2, dropout=0.1, **kwargs),
        lambda **kwargs: AttentionDecoder(4, **kwargs),
    ],
    ids=["Attention", "MultiHeadAttention", "AttentionDecoder"],
)
@pytest.mark.compiled
def test_contract(make):
    check_layer(lambda **kwargs: OnItself(make(**kwargs), **kwargs), QUERY)


@keras.saving.register_keras_serializable("tests")
class OnItself(keras.Layer):
    """Attends to its own input, so that a layer of two inputs has one."""

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, shape):
        if not self.layer.built:
            self.layer.build(shape, shape)

    def call(self, x, training=None):
        return self.layer(x, x, training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "layer": keras.saving.serialize_keras_object(self.layer),
        }

    @classmethod
    def from_config(cls, config):
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": layer})


class TestMultiHeadAttention:
    def test_torch_is_the_oracle(self):
        layer = MultiHeadAttention(2, bias_initializer="random_normal")
        layer.build(QUERY.shape, VALUE.shape)
        peer = torch.nn.MultiheadAttention(4, 2, batch_first=True)
        kernels = [w.T for w in layer.get_weights()[::2]]
        biases = layer.get_weights()[1::2]
        with torch.no_grad():
            peer.in_proj_weight.copy_(torch.tensor(np.vstack(kernels[:3])))
            peer.in_proj_bias.copy_(torch.tensor(np.hstack(biases[:3])))
            peer.out_proj.weight.copy_(torch.tensor(kernels[3]))
            peer.out_proj.bias.copy_(torch.tensor(biases[3]))
        with torch.enable_grad():
            q, v = (torch.tensor(x, requires_grad=True) for x in (QUERY, VALUE))
            expected, scores = peer(
                q,
                v,
                v,
                key_padding_mask=torch.tensor(~MASK),
                average_attn_weights=False,
            )
            found = torch.autograd.grad((expected**2).sum(), [q, v])

        def call(q, v, **kwargs):
            return layer(q, v, value_mask=MASK, **kwargs)

        output = call(QUERY, VALUE)
        plain, weights = call(QUERY, VALUE, return_attention_scores=True)
        for y in (output, plain):
            np.testing.assert_allclose(
                numpy(y)[0], expected.detach(), atol=1e-5
            )
        np.testing.assert_allclose(
            numpy(weights)[0], scores.detach(), atol=1e-5
        )
        for ours, theirs in zip(
            gradients_of(call, QUERY, VALUE), found, strict=True
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-4)

    def test_own_keys_and_sizes(self):
        layer = MultiHeadAttention(2, key_dim=3, output_dim=7, use_bias=False)
        found, weights = layer(
            QUERY,
            VALUE,
            KEY,
            value_mask=MASK,
            key_mask=np.roll(MASK, 1, 1),
            return_attention_scores=True,
        )
        assert found.shape == (2, 3, 7)
        q, k, v, out = (w.astype("float64") for w in layer.get_weights())

        def heads(x, kernel):
            return (x @ kernel).reshape(2, -1, 2, 3).swapaxes(1, 2)

        scores = heads(QUERY, q) @ heads(KEY, k).swapaxes(2, 3) / np.sqrt(3)
        seen = (MASK & np.roll(MASK, 1, 1))[:, None, None]
        a = softmax(np.where(seen, scores, -np.inf))
        joined = (a @ heads(VALUE, v)).swapaxes(1, 2).reshape(2, 3, 6)
        np.testing.assert_allclose(numpy(weights)[0], a, atol=1e-5)
        np.testing.assert_allclose(numpy(found)[0], joined @ out, atol=1e-5)

    def test_masks_come_along(self):
        layer = MultiHeadAttention(2)
        x, ones = masked(VALUE, MASK), np.ones((1, 5, 5), bool)
        expected = numpy(layer(VALUE, VALUE, value_mask=MASK))[0]
        for y in (
            layer(x),
            layer(x, x),
            layer(x, attention_mask=ones),
            layer(VALUE, mask=MASK),
        ):
            np.testing.assert_allclose(numpy(y)[0], expected, atol=1e-6)
        np.testing.assert_allclose(
            *numpy(
                [
                    layer(QUERY, VALUE, masked(KEY, MASK)),
                    layer(QUERY, VALUE, KEY, value_mask=MASK),
                ]
            ),
            atol=1e-6,
        )

    @pytest.mark.compiled
    def test_a_mask_with_a_cache(self):
        layer = MultiHeadAttention(2)
        expected = layer(VALUE, VALUE, value_mask=MASK)
        cache = layer.empty_cache(2, 7)
        real = np.array([0, 1, 1, 1, 1, 1, 0], bool)[None, None]
        x = masked(np.where(MASK[..., None], VALUE, np.float32(np.nan)), MASK)
        found, _ = layer(x, attention_mask=real, cache=cache, index=1)
        rows = [numpy(y)[0][MASK] for y in (found, expected)]
        np.testing.assert_allclose(*rows, atol=1e-6)

    @pytest.mark.compiled
    def test_symbolic_cache(self):
        layer = MultiHeadAttention(2)
        layer.build((None, 1, 4))
        x = keras.Input((1, 4))
        k, v = keras.Input((5, 2, 2)), keras.Input((5, 2, 2))
        outputs = layer(x, cache=(k, v), index=2, return_attention_scores=True)
        y, weights, cache = outputs
        assert weights.shape == (None, 2, 1, 5)
        model = keras.Model([x, k, v], [y, weights, *cache])
        arrays = [QUERY[:, :1], *numpy(layer.empty_cache(2, 5))]
        found = model(arrays)
        expected = layer(
            arrays[0],
            cache=tuple(arrays[1:]),
            index=2,
            return_attention_scores=True,
        )
        for a, b in zip(numpy(found), numpy(expected), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)

    def test_inference_with_dropout_equals_none(self):
        layer = MultiHeadAttention(2, dropout=0.5, seed=0)
        expected = numpy(layer(QUERY, use_causal_mask=True))[0]
        scores = layer(
            QUERY, use_causal_mask=True, return_attention_scores=True
        )
        np.testing.assert_allclose(numpy(scores)[0], expected, atol=1e-6)
        trained = numpy(layer(QUERY, use_causal_mask=True, training=True))[0]
        assert np.abs(trained - expected).max() > 1e-3

    def test_later_steps_cannot_be_seen(self):
        layer = MultiHeadAttention(2)

        def second(x):
            return ops.sum(layer(x, use_causal_mask=True)[:, 1])

        gradient = numpy(autodiff.grad(second)(QUERY))[0]
        assert np.all(gradient[:, 2:] == 0)
        assert np.all(np.any(gradient[:, :2] != 0, axis=-1))

    @pytest.mark.parametrize("scores", [False, True])
    @pytest.mark.compiled("True")
    def test_masked_values_count_for_nothing(self, scores):
        layer = MultiHeadAttention(2)

        def call(q, v):
            y = layer(q, v, value_mask=MASK, return_attention_scores=scores)
            return y[0] if scores else y

        junk = np.where(MASK[..., None], VALUE, np.float32(np.nan))
        for value in (VALUE, junk):
            found = numpy(call(QUERY, value)), gradients_of(call, QUERY, value)
            if value is VALUE:
                expected = found
        for a, b in zip(found, expected, strict=True):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_array_equal(x, y)

    def test_a_row_of_padding_is_defined(self):
        layer = MultiHeadAttention(2)
        none = np.zeros((2, 5), bool)
        fused = layer(QUERY, VALUE, value_mask=none)
        plain, _ = layer(
            QUERY, VALUE, value_mask=none, return_attention_scores=True
        )
        np.testing.assert_allclose(*numpy([fused, plain]), atol=1e-6)
        assert np.all(np.isfinite(numpy(fused)[0]))

    @pytest.mark.compiled
    def test_cached_equals_full(self):
        layer = MultiHeadAttention(2)
        expected = numpy(layer(VALUE, use_causal_mask=True))[0]
        cache = layer.empty_cache(2, 5)
        first, cache = layer(
            VALUE[:, :3], use_causal_mask=True, cache=cache, index=0
        )
        parts = [first]
        for t in (3, 4):
            part, cache = layer(
                VALUE[:, t : t + 1],
                use_causal_mask=True,
                cache=cache,
                index=t,
            )
            parts.append(part)
        np.testing.assert_allclose(
            np.concatenate(numpy(parts), 1), expected, atol=1e-5
        )

    def test_a_projected_memory_is_a_cache(self):
        layer = MultiHeadAttention(2)
        expected = layer(QUERY, VALUE, value_mask=MASK)
        memory = layer.project(VALUE, value_mask=MASK)
        found = layer(QUERY, cache=memory, value_mask=MASK)
        np.testing.assert_allclose(*numpy([found, expected]), atol=1e-6)

    def test_errors(self):
        with pytest.raises(ValueError, match="`num_heads` must be an integer"):
            MultiHeadAttention(0)
        with pytest.raises(ValueError, match="must be a multiple of"):
            MultiHeadAttention(3)(QUERY)
        with pytest.raises(ValueError, match="`output_dim` must be an integer"):
            MultiHeadAttention(2, output_dim=0)
        layer = MultiHeadAttention(2)
        layer.build(QUERY.shape)
        with pytest.raises(ValueError, match="Received: value_mask of shape"):
            layer(
                QUERY,
                value_mask=MASK,
                cache=layer.empty_cache(2, 5),
                index=0,
            )


class TestPositions:
    @pytest.mark.parametrize("longest", [10000, 50])
    def test_interleaved_formula(self, longest):
        layer = SinusoidPositions(longest)
        found = numpy(layer(np.zeros((1, 50, 6), "float32")))[0]
        t, i = np.arange(50)[:, None], np.arange(3)
        angle = t / longest ** (2 * i / 6)
        np.testing.assert_allclose(found[0, :, 0::2], np.sin(angle), atol=1e-5)
        np.testing.assert_allclose(found[0, :, 1::2], np.cos(angle), atol=1e-5)

    def test_halves_formula(self):
        layer = SinusoidPositions(layout="halves")
        found = numpy(layer(np.zeros((1, 50, 6), "float32")))[0]
        scales = np.exp(-np.arange(3) * np.log(10000) / 2)
        angle = np.arange(50)[:, None] * scales
        np.testing.assert_allclose(found[0, :, :3], np.sin(angle), atol=1e-5)
        np.testing.assert_allclose(found[0, :, 3:], np.cos(angle), atol=1e-5)

    @pytest.mark.parametrize("kind", [SinusoidPositions, LearnedPositions])
    def test_given_positions(self, kind):
        layer = kind() if kind is SinusoidPositions else kind(9)
        x = np.zeros((1, 5, 4), "float32")
        whole = numpy(layer(x))[0]
        part = numpy(layer(x[:, :2], positions=np.array([[2, 4]])))[0]
        np.testing.assert_allclose(part, whole[:, [2, 4]], atol=1e-6)

    @pytest.mark.compiled
    def test_contracts(self):
        check_layer(lambda **kwargs: SinusoidPositions(**kwargs), QUERY)
        check_layer(lambda **kwargs: LearnedPositions(3, **kwargs), QUERY)

    def test_errors(self):
        with pytest.raises(ValueError, match="must be even"):
            SinusoidPositions()(np.zeros((1, 2, 3)))
        with pytest.raises(ValueError, match="max_sequence_length=2 steps"):
            LearnedPositions(2)(QUERY)
        with pytest.raises(ValueError, match="`layout` must be one of"):
            SinusoidPositions(layout="other")
        for wrong in (0, -1, float("nan"), "10", True):
            with pytest.raises(ValueError, match="`max_wavelength` must be a"):
                SinusoidPositions(wrong)
