"""How much heads, units and blocks matter, beside products of gradients."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers
from keras.ops import convert_to_numpy as array
from sequences import normal
from small_models import bert, cnn, mlp, randomized

import keras_dl
from keras_dl.compression import (
    LearnedGates,
    head_importance,
    layer_importance,
    lowest,
    remove_heads,
    unit_importance,
)
from keras_dl.compression.importance import _scores
from keras_dl.compression.structures import (
    heads_of,
    reading_kernel,
    units_of,
)
from keras_dl.models import features, sublayer, weights_read
from keras_dl.training import SupervisedTrainer

IDS = np.array([[2, 5, 6, 3], [2, 9, 3, 0], [7, 4, 8, 0]])
Y = np.array([0, 2, 1])


def test_what_tokens_cancel_out_counts_by_token_alone():
    """Two heads of size 1, two tokens: [1, -1] and [.5, .25]."""
    products = np.array([[[1.0, 0.5], [-1.0, 0.25]]], "float32")
    rows = np.array([[0], [1]])
    taylor = _scores(products, rows, "taylor")
    np.testing.assert_allclose(array(taylor), [2, 0.75])
    np.testing.assert_allclose(
        array(_scores(products, rows, "gate")), [0, 0.75]
    )


def by_weights(model, loss, structures, x, y):
    """|sum W dL/dW| of the rows that read each group, mean over examples."""
    found = {path: [] for path in structures}
    kernels = [
        reading_kernel(sublayer(model, of.reader)) for of in structures.values()
    ]
    for i in range(len(y)):
        _, slopes = keras_dl.variable_gradients(
            lambda i=i: loss(y[i : i + 1], model(x[i : i + 1])), kernels
        )
        for (path, of), w, g in zip(
            structures.items(), kernels, slopes, strict=True
        ):
            terms = np.moveaxis(array(w) * array(g), -2, 0)[of.rows]
            found[path].append(np.abs(terms.reshape(of.number, -1).sum(1)))
    return {path: np.mean(rows, axis=0) for path, rows in found.items()}


CROSSENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.compiled("heads")
@pytest.mark.parametrize("kind", ["heads", "units of a CNN", "units"])
def test_gates(kind):
    of, structures, x, loss = (
        unit_importance,
        units_of,
        normal(3, 6, 6, 2),
        None,
    )
    if kind == "units of a CNN":
        model, loss = cnn(), CROSSENTROPY
        y = Y % 2
    elif kind == "units":
        model, x, y = mlp(), normal(3, 4), Y
    else:
        model, x, y = bert(), IDS, Y
        of, structures = head_importance, heads_of
    model = randomized(model)
    found = of(model, x, y, "gate", loss, normalize=False, batch_size=2)
    expected = by_weights(model, CROSSENTROPY, structures(model), x, y)
    assert found.keys() == expected.keys()
    for path, scores in found.items():
        np.testing.assert_allclose(scores, expected[path], rtol=1e-3, atol=1e-6)


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="the oracle is PyTorch's hook"
)
def test_by_token_as_hooks_see_it():
    model = randomized(bert())
    seen = []

    def keep(module, inputs):
        inputs[0].retain_grad()
        seen.append(inputs[0])

    hooks = [
        block.attention.output_dense.register_forward_pre_hook(keep)
        for block in model.encoder.blocks
    ]
    loss = CROSSENTROPY(Y, model(IDS))
    loss.backward()
    for hook in hooks:
        hook.remove()
    found = head_importance(model, IDS, Y, batch_size=2)
    for z, scores in zip(seen, found.values(), strict=True):
        products = array(z * z.grad).reshape(3, 4, 2, 4).sum(-1)
        expected = np.abs(products).sum((0, 1))
        expected /= np.linalg.norm(expected)
        np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_magnitudes():
    model = randomized(mlp())
    found = unit_importance(model, criterion="magnitude", normalize=False)
    kernel = array(model.hidden[3].kernel)
    np.testing.assert_allclose(
        found["hidden/0"], np.linalg.norm(kernel, axis=1), rtol=1e-6
    )
    heads = head_importance(bert(), criterion="magnitude")
    for scores in heads.values():
        assert np.linalg.norm(scores) == pytest.approx(1)


def test_blocks():
    model = randomized(bert(3))
    names = [f"hidden_states/{i}" for i in range(4)]
    states = features(model, IDS, names)
    states = [array(states[name])[IDS > 0] for name in names]
    expected = []
    for a, b in itertools.pairwise(states):
        norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
        expected.append(1 - ((a * b).sum(-1) / norms).mean())
    found = layer_importance(model, IDS, batch_size=2)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_gates_are_learned_and_baked():
    """A penalty closes gates that the loss does not hold open."""
    model = bert()
    gates = LearnedGates("heads", penalty=1.0, paths=".*blocks/1/.*")
    trainer = SupervisedTrainer(model, readings=gates)
    trainer.compile(keras.optimizers.SGD(0.1))
    trainer.fit(IDS, Y, batch_size=1, epochs=3, verbose=0)
    (scores,) = gates.gates().values()
    assert list(gates.gates()) == ["encoder/blocks/1/attention"]
    np.testing.assert_allclose(scores, 0.1, atol=0.08)  # 9 steps of 0.1.
    gates.gate_variables["encoder/blocks/1/attention"].assign([1.0, 0.0])
    with weights_read([gates]):
        read = array(model(IDS))
    model = trainer.finish()
    np.testing.assert_allclose(array(model(IDS)), read, atol=1e-6)
    gone = lowest(gates.gates(), 1)
    model = remove_heads(model, gone)
    np.testing.assert_allclose(array(model(IDS)), read, atol=1e-5)


def test_what_is_refused():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="`model` must have heads, or units"):
        unit_importance(model, criterion="magnitude")
    with pytest.raises(ValueError, match="`model` must have blocks"):
        layer_importance(model, np.ones((1, 2)))
    with pytest.raises(ValueError, match="`x` and `y` must be given"):
        head_importance(bert())
    with pytest.raises(ValueError, match="`criterion` must be one of"):
        head_importance(bert(), IDS, Y, "michel")
    with pytest.raises(ValueError, match="`paths` must match heads"):
        LearnedGates(paths="x").attach(bert())
