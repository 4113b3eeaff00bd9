"""Stateful recurrent layers in training: state goes on, gradients stop."""

import keras
import numpy as np
import pytest
import torch
from keras import ops
from sequences import normal, numpy

import keras_dl
from keras_dl.layers import GRU, LSTM, fast_recurrent

BATCH, STEPS, FEATURES, UNITS, RATE = 4, 5, 3, 6, 0.1
X, Y = normal(3 * BATCH, STEPS, FEATURES), normal(3 * BATCH, STEPS, 1, seed=1)
WEIGHTS = {
    "LSTM": [(FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)],
    "GRU": [(FEATURES, 3 * UNITS), (UNITS, 3 * UNITS), (2, 3 * UNITS)],
}
OURS, KERAS = {"LSTM": LSTM, "GRU": GRU}, keras.layers
OF_OURS = pytest.mark.parametrize("kind", list(OURS))


def weights(kind):
    shapes = [*WEIGHTS[kind], (UNITS, 1), (1,)]
    return [normal(*shape, seed=9 + i) / 2 for i, shape in enumerate(shapes)]


def network(layer, kind):
    inputs = keras.Input((STEPS, FEATURES), batch_size=BATCH)
    x = layer(UNITS, stateful=True, return_sequences=True)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    for variable, value in zip(
        model.trainable_variables, weights(kind), strict=True
    ):
        variable.assign(value)
    return model


def to_torch(kind):
    """PyTorch's layers, with the weights of ours, in float64."""
    kernel, recurrent, bias, dense, dense_bias = weights(kind)
    if kind == "GRU":
        order = np.r_[UNITS : 2 * UNITS, :UNITS, 2 * UNITS : 3 * UNITS]
        kernel, recurrent, bias = (
            w[..., order] for w in (kernel, recurrent, bias)
        )
        biases = bias
    else:
        biases = bias, np.zeros_like(bias)
    layer = getattr(torch.nn, kind)(FEATURES, UNITS, batch_first=True).double()
    last = torch.nn.Linear(UNITS, 1).double()
    with torch.no_grad():
        for tensor, value in (
            (layer.weight_ih_l0, kernel.T),
            (layer.weight_hh_l0, recurrent.T),
            (layer.bias_ih_l0, biases[0]),
            (layer.bias_hh_l0, biases[1]),
            (last.weight, dense.T),
            (last.bias, dense_bias),
        ):
            tensor.copy_(torch.tensor(value))
    if kind == "LSTM":
        layer.bias_hh_l0.requires_grad_(False)  # Keras has one bias.
    return layer, last


def trained_by_torch(kind):
    """The last layer's weights and the states, after truncated BPTT."""
    layer, last = to_torch(kind)
    parameters = [*layer.parameters(), *last.parameters()]
    optimizer = torch.optim.SGD(
        [p for p in parameters if p.requires_grad], RATE
    )
    state = None
    for start in range(0, len(X), BATCH):
        rows = slice(start, start + BATCH)
        x, y = (torch.tensor(part[rows]).double() for part in (X, Y))
        outputs, state = layer(x, state)
        state = keras.tree.map_structure(torch.Tensor.detach, state)
        loss = torch.mean((last(outputs) - y) ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    states = [s[0].numpy() for s in keras.tree.flatten(state)]
    return last.weight.detach().numpy().T, states


class Plain(keras_dl.Trainer):
    """A trainer of one's own, which holds a network."""

    def training_step(self, data):
        x, y = data

        def loss():
            return ops.mean(ops.square(self.network(x, training=True) - y))

        return {"loss": self.minimize(loss)}


def train(model, loss="mse"):
    model.compile(keras.optimizers.SGD(RATE), loss=loss)
    model.fit(X, Y, batch_size=BATCH, shuffle=False, verbose=0)


def check(kind, model):
    expected, states = trained_by_torch(kind)
    found = [numpy(state)[0] for state in model.layers[1].states]
    for one, other in zip(found, states, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    kernel = model.layers[2].kernel
    np.testing.assert_allclose(numpy(kernel)[0], expected, atol=1e-5)


@pytest.mark.compiled
@OF_OURS
def test_under_plain_fit(kind):
    model = network(OURS[kind], kind)
    train(model)
    check(kind, model)


@pytest.mark.compiled("LSTM")
@OF_OURS
def test_through_fast_recurrent(kind):
    """Keras' own lose the state on JAX, and fail on PyTorch."""
    model = fast_recurrent(network(getattr(KERAS, kind), kind))
    train(model)
    check(kind, model)


@pytest.mark.compiled("keras-LSTM", "ours-GRU")
@OF_OURS
@pytest.mark.parametrize("whose", ["keras", "ours"])
def test_in_a_trainer(whose, kind):
    layer = OURS[kind] if whose == "ours" else getattr(KERAS, kind)
    model = network(layer, kind)
    train(Plain(model), None)
    check(kind, model)


def test_the_state_is_no_weight(tmp_path):
    """Weight files are those of Keras; a trainer's seeds are seeds alone."""
    ours, theirs = network(LSTM, "LSTM"), network(KERAS.LSTM, "LSTM")
    assert len(ours.weights) == len(theirs.weights)
    for model in (ours, theirs):
        trainer = Plain(model)
        train(trainer, None)
        trainer.save_weights(tmp_path / "trained.weights.h5")
        other = Plain(network(type(model.layers[1]), "LSTM"))
        other.compile(keras.optimizers.SGD(RATE))
        other.optimizer.build(other.trainable_variables)
        other.load_weights(tmp_path / "trained.weights.h5")
        assert not numpy(other.network.layers[1].states[0])[0].any()


@pytest.mark.compiled
def test_both_directions():
    def model(layer):
        inputs = keras.Input((STEPS, FEATURES), batch_size=BATCH)
        lstm = layer(UNITS, stateful=True, return_sequences=True)
        x = keras.layers.Bidirectional(lstm)(inputs)
        return keras.Model(inputs, keras.layers.Dense(1)(x))

    one, other = model(LSTM), model(KERAS.LSTM)
    other.set_weights(one.get_weights())
    train(one)
    train(Plain(other), None)
    assert np.any(numpy(one.layers[1].forward_layer.states[0])[0])
    for ours, theirs in zip(
        one.get_weights(), other.get_weights(), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
