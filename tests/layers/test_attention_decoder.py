"""The attention decoder against float64 NumPy, with masks and states."""

import numpy as np
import pytest
from keras import ops
from sequences import compiled, normal, numpy

from keras_dl import autodiff
from keras_dl.layers import AttentionDecoder

QUERY, VALUE = normal(2, 3, 4), normal(2, 5, 4, seed=1)
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class TestAttentionDecoder:
    @pytest.mark.parametrize("order", ["luong", "bahdanau"])
    def test_equals_numpy(self, order):
        layer = AttentionDecoder(4, "dot", order)
        outputs, weights = layer(
            QUERY, VALUE, memory_mask=MASK, return_attention_scores=True
        )
        kernel, recurrent, bias, combine = (
            w.astype("float64") for w in layer.get_weights()
        )
        h = c = fed = np.zeros((2, 4))

        def attend(h):
            scores = np.where(MASK, np.einsum("bd,bkd->bk", h, VALUE), -np.inf)
            a = softmax(scores)
            return np.einsum("bk,bkd->bd", a, VALUE), a

        def sigmoid(x):
            return 1 / (1 + np.exp(-x))

        for t in range(3):
            if order == "bahdanau":
                fed, a = attend(h)
            z = np.hstack([QUERY[:, t], fed]) @ kernel + h @ recurrent + bias
            i, f, g, o = np.split(z, 4, 1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            context = fed
            if order == "luong":
                context, a = attend(h)
            y = np.tanh(np.hstack([context, h]) @ combine)
            fed = y if order == "luong" else fed
            np.testing.assert_allclose(numpy(outputs)[0][:, t], y, atol=1e-5)
            np.testing.assert_allclose(numpy(weights)[0][:, t], a, atol=1e-5)

    @pytest.mark.parametrize("order", ["luong", "bahdanau"])
    @pytest.mark.parametrize("score", ["general", "additive"])
    def test_step_by_step_equals_all_at_once(self, order, score):
        layer = AttentionDecoder(6, score, order, return_state=True)
        expected, *last = numpy(layer(QUERY, VALUE, memory_mask=MASK))
        states, outputs = None, []
        for t in range(3):
            output, *states = layer(
                QUERY[:, t : t + 1], VALUE, states, memory_mask=MASK
            )
            outputs.append(output)
        np.testing.assert_allclose(
            np.concatenate(numpy(outputs), 1), expected, atol=1e-5
        )
        for a, b in zip(numpy(states), last, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)

    def test_large_states_cost_no_digits(self):
        layer = AttentionDecoder(4, return_state=True)
        h, c = 1e5 * normal(2, 4, seed=2), normal(2, 4, seed=3)
        _, *found, _ = layer(QUERY[:, :1], VALUE, [h, c])
        fed = np.concatenate([QUERY[:, 0], 0 * h], 1)
        _, expected = layer.cell(fed, [h, c])
        for a, b in zip(numpy(found), numpy(expected), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)

    @pytest.mark.compiled
    def test_masked_steps_and_memory_count_for_nothing(self):
        layer = AttentionDecoder(6, "additive", return_state=True)
        layer.build(QUERY.shape, VALUE.shape)
        steps = np.array([[1, 1, 0], [1, 1, 1]], bool)

        def call(q, v):
            y = layer(q, v, inputs_mask=steps, memory_mask=MASK)
            return ops.concatenate([y[0], ops.expand_dims(y[1], 1)], 1)

        def loss(q, v):
            return ops.sum(ops.square(call(q, v)))

        q = np.where(steps[..., None], QUERY, np.float32(np.nan))
        v = np.where(MASK[..., None], VALUE, np.float32(np.nan))
        both = compiled(
            layer, lambda *x: (call(*x), autodiff.grad(loss, (0, 1))(*x))
        )
        for a, b in zip(
            numpy(both(q, v)), numpy(both(QUERY, VALUE)), strict=True
        ):
            np.testing.assert_array_equal(a, b)

    def test_masked_equals_the_real_steps_alone(self):
        layer = AttentionDecoder(6, return_state=True)
        gap = np.array([[1, 0, 1], [1, 0, 1]], bool)
        whole, *states = numpy(layer(QUERY, VALUE, inputs_mask=gap))
        real, *alone = numpy(layer(QUERY[:, ::2], VALUE))
        np.testing.assert_allclose(whole[:, ::2], real, atol=1e-6)
        np.testing.assert_array_equal(whole[:, 1], whole[:, 0])
        for a, b in zip(states, alone, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)

    def test_errors(self):
        with pytest.raises(ValueError, match="`order` must be one of"):
            AttentionDecoder(4, order="both")
        with pytest.raises(ValueError, match="`initial_state` must be"):
            AttentionDecoder(4)(QUERY, VALUE, [normal(2, 4)])
        with pytest.raises(ValueError, match="Received: one tensor of shapes"):
            AttentionDecoder(4)(QUERY, VALUE, normal(2, 4))
        with pytest.raises(ValueError, match=r"\(batch, 4\) each"):
            AttentionDecoder(4)(QUERY, VALUE, [normal(2, 4), normal(2, 5)])
        with pytest.raises(ValueError, match="at least one step"):
            AttentionDecoder(4)(QUERY[:, :0], VALUE)
