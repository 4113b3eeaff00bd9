"""Layers that write to variables which the gradient of a loss needs."""

import keras
import numpy as np
import pytest
import torch
from keras import ops
from sequences import normal, numpy

import keras_dl
from keras_dl import backend

X, RATE = normal(8, 3), 0.1
FIRST, SECOND = normal(3, 5, seed=1), normal(5, 4, seed=2)
DIRECTION = normal(1, 4, seed=3)


class Twice(keras_dl.Trainer):
    """A critic that is called twice in one loss."""

    def training_step(self, data):
        def loss():
            scores = [self.network(k * data, training=True) for k in (1.0, 2.0)]
            return sum(ops.mean(ops.square(score)) for score in scores)

        return {"loss": self.minimize(loss)}


def critic():
    second = keras.layers.SpectralNormalization(keras.layers.Dense(4))
    first = keras.layers.Dense(5, activation="tanh")
    model = keras.Sequential([keras.Input((3,)), first, second])
    for variable, value in (
        (first.kernel, FIRST),
        (second.layer.kernel, SECOND),
        (second.vector_u, DIRECTION),
    ):
        variable.assign(value)
    return model


def by_torch(steps):
    """Kernels and the direction after some steps of PyTorch, in float64."""
    first, second = (
        torch.nn.Linear(*kernel.shape).double() for kernel in (FIRST, SECOND)
    )
    normalized = torch.nn.utils.parametrizations.spectral_norm(second, dim=1)
    weight, power = (
        normalized.parametrizations.weight.original,
        normalized.parametrizations.weight[0],
    )
    with torch.no_grad():
        first.weight.copy_(torch.tensor(FIRST.T))
        weight.copy_(torch.tensor(SECOND.T))
        for bias in (first.bias, normalized.bias):
            bias.zero_()
        power._v.copy_(torch.tensor(DIRECTION[0]))
    parameters = [*first.parameters(), *normalized.parameters()]
    optimizer = torch.optim.SGD(parameters, RATE)
    x = torch.tensor(X).double()
    for _ in range(steps):
        scores = [normalized(torch.tanh(first(k * x))) for k in (1, 2)]
        loss = sum(torch.mean(score**2) for score in scores)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = first.weight.T, weight.T, power._v[None]
    return [tensor.detach().numpy() for tensor in found]


@pytest.mark.compiled
@pytest.mark.skipif(
    backend.name == "tensorflow",
    reason="a gradient there is by the kernel as it was written, as in Keras'",
)
def test_spectral_normalization_twice_in_a_loss():
    model = critic()
    trainer = Twice(model)
    trainer.compile(keras.optimizers.SGD(RATE))
    trainer.fit(X, batch_size=8, epochs=3, verbose=0)
    first, second = model.layers
    found = first.kernel, second.layer.kernel, second.vector_u
    for ours, theirs in zip(numpy(list(found)), by_torch(3), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


class Counted(keras.layers.Layer):
    """Multiplies by a number that it writes, before and after it is read."""

    def build(self, shape):
        self.count = self.add_weight((), "ones", trainable=False)
        self.factor = self.add_weight((), "ones")

    def call(self, x):
        y = self.factor * x * self.count
        self.count.assign(self.count + 1.0)
        return y * self.count


@pytest.mark.compiled
@pytest.mark.parametrize("order", ["first", "second"])
def test_what_is_written_is_read_at_once_and_survives(order):
    """x c (c + 1), then x (c + 1) (c + 2), with c = 1: 2 + 6 times x."""
    layer, x = Counted(), ops.ones((3,))
    layer.build((3,))

    def loss():
        return ops.sum(layer(x)) + ops.sum(layer(x))

    def gradient():
        return keras_dl.variable_gradients(loss, [layer.factor])[1][0]

    if order == "second":

        def penalty(a):
            value = ops.sum(layer(a)) + ops.sum(layer(a))
            return value**2 / 2

        # By each element it is 64 times their sum, and the factor's square.
        def of_factor():
            return ops.sum(keras_dl.grad(penalty)(x))

        value, (found,) = keras_dl.variable_gradients(of_factor, [layer.factor])
        assert float(numpy(value)[0]) == pytest.approx(3 * 64 * 3)
        assert float(numpy(found)[0]) == pytest.approx(2 * 3 * 64 * 3)
    else:
        assert float(numpy(gradient())[0]) == pytest.approx(3 * 8)
    assert float(ops.convert_to_numpy(layer.count)) == 3.0


def test_a_loss_that_fails_writes_nothing():
    layer, x = Counted(), ops.ones((3,))
    layer.build((3,))

    def loss():
        layer(x)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        keras_dl.variable_gradients(loss, [layer.factor])
    assert float(ops.convert_to_numpy(layer.count)) == 1.0
