"""Gradients of gradients under Keras' own training, without a `Trainer`."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from trainers import normal

import keras_dl
from keras_dl import Trainer, backend, grad, substitute, variable_gradients
from keras_dl.layers import LSTM

pytestmark = pytest.mark.compiled

RATE = 0.1
X, Y = normal(6, 4), normal(6, 1)
SEQUENCES = normal(6, 5, 3)


def numpy(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


class Penalized(keras.Model):
    """A plain model whose loss holds the slope of its output by its input."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def call(self, x):
        return self.network(x)

    def compute_loss(self, x=None, y=None, y_pred=None, *args, **kwargs):
        slope = grad(lambda x: ops.sum(self.network(x)))(x)
        return ops.mean(ops.square(y_pred - y)) + ops.mean(ops.square(slope))


def trained(model, x, y=Y):
    """The change of each weight in one step, by the rate: a gradient."""
    model.compile(keras.optimizers.SGD(RATE))
    before = [w.copy() for w in model.get_weights()]
    model.fit(x, y, batch_size=len(x), verbose=0)
    return [
        (old - new) / RATE
        for old, new in zip(before, model.get_weights(), strict=True)
    ]


def test_the_gradient_of_a_penalty_equals_finite_differences():
    dense = [layers.Dense(5, activation="tanh"), layers.Dense(1)]
    model = Penalized(keras.Sequential([keras.Input((4,)), *dense]))
    weights = [w.astype("float64") for w in model.get_weights()]
    gradients = trained(model, X)

    def loss(kernel, bias, second, last):
        h = np.tanh(X @ kernel + bias)
        slope = ((1 - h**2) * second[:, 0]) @ kernel.T
        return np.mean((h @ second + last - Y) ** 2) + np.mean(slope**2)

    for number, actual in enumerate(gradients):
        expected = np.zeros_like(actual)
        for index in np.ndindex(actual.shape):
            up, down = ([w.copy() for w in weights] for _ in range(2))
            up[number][index] += 1e-5
            down[number][index] -= 1e-5
            expected[index] = (loss(*up) - loss(*down)) / 2e-5
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


def test_kernels_without_a_second_derivative_give_way():
    def made(kind):
        net = keras.Sequential([keras.Input((5, 3)), kind(4), layers.Dense(1)])
        net.set_weights([normal(*w.shape) * 0.5 for w in net.get_weights()])
        return Penalized(net)

    def plain(units):
        return layers.LSTM(units, use_cudnn=False)

    ours, slow = (trained(made(kind), SEQUENCES) for kind in (LSTM, plain))
    for a, b in zip(ours, slow, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


class MAML(keras.Model):
    """A step within the loss, by `variable_gradients`."""

    def __init__(self):
        super().__init__()
        self.w = self.add_weight(shape=(), initializer="ones", name="w")

    def call(self, x):
        return x * self.w

    def compute_loss(self, x=None, y=None, y_pred=None, *args, **kwargs):
        _, (slope,) = variable_gradients(
            lambda: 0.5 * (self.w - 3.0) ** 2, [self.w]
        )
        with substitute([self.w], [self.w - 0.1 * slope]):
            return 0.5 * (self.w - 2.0) ** 2 + 0.0 * ops.mean(y_pred)


def test_maml_gradient_has_its_closed_form():
    (slope,) = trained(MAML(), X)
    assert float(slope) == pytest.approx(-0.72, rel=1e-4)


def test_the_first_order_of_a_trainer_does_not_pay_for_a_second():
    seen = []

    class FirstOrder(Trainer):
        def training_step(self, x):
            def output(x):
                seen.append(backend.differentiated_twice())
                return ops.sum(self.network(x))

            slope = grad(output)(x)
            return {"slope": ops.mean(slope), "loss": self.minimize(self.mean)}

        def mean(self):
            return ops.mean(self.network.kernel)

    layer = layers.Dense(1, use_bias=False)
    layer.build((None, 4))
    trainer = FirstOrder(layer)
    trainer.compile("sgd")
    trainer.fit(X, verbose=0)
    assert seen and not any(seen)


def test_outside_of_training_a_gradient_is_part_of_what_is_recorded():
    """As on PyTorch all that weights go into; the others record nothing."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    x = ops.convert_to_tensor(X)

    def moved(x):
        return x - RATE * grad(lambda x: ops.sum(model(x) ** 2))(x)

    by_weights = moved(x)
    assert getattr(by_weights, "requires_grad", True)
    square = grad(lambda x: ops.sum(x**2))(x)
    assert not getattr(square, "requires_grad", False)
    np.testing.assert_allclose(numpy(square), 2 * X, rtol=1e-6)

    @keras_dl.compiled
    def constant(x):
        return ops.stop_gradient(moved(x))

    for _ in range(4):
        x = constant(x)  # A loop of one's own keeps nothing of what it was.
        assert not getattr(x, "requires_grad", False)


def test_a_compiled_gradient_is_differentiated_by_keras():
    """It has run without a second derivative in view, and has it after all."""

    class Compiled(Penalized):
        def __init__(self, network):
            super().__init__(network)

            def total(x):
                return ops.sum(self.network(x))

            self.slope = keras_dl.compiled(grad(total))

        def compute_loss(self, x=None, y=None, y_pred=None, *args, **kwargs):
            slope = self.slope(x)
            return ops.mean(ops.square(y_pred - y)) + ops.mean(slope**2)

    def network():
        net = keras.Sequential([keras.Input((5, 3)), LSTM(4), layers.Dense(1)])
        net.set_weights([np.full_like(w, 0.3) for w in net.get_weights()])
        return net

    ours, plain = Compiled(network()), Penalized(network())
    for _ in range(3):  # Seen, recorded, run from the record.
        pairs = zip(
            trained(ours, SEQUENCES), trained(plain, SEQUENCES), strict=True
        )
        for a, b in pairs:
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
