"""Each contract passes what is right, and finds what is broken."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from trainers import Supervised, network, normal

from keras_dl.testing import (
    check_callback,
    check_layer,
    check_loss,
    check_metric,
    check_optimizer,
    check_trainer,
)

register = keras.saving.register_keras_serializable("keras_dl_tests")
X = normal(4, 3)


@register
class Scale(layers.Layer):
    """Multiplies by a learnt factor."""

    def __init__(self, start=2.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape):
        self.factor = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(self.start)
        )

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        return {**super().get_config(), "start": self.start}


@register
class Forgetful(Scale):
    """Does not say its argument in its config."""

    def get_config(self):
        config = super().get_config()
        del config["start"]
        return config

    def call(self, inputs):
        return inputs * self.factor + self.start


@register
class Disconnected(Scale):
    def call(self, inputs):
        return inputs + ops.stop_gradient(self.factor) + 0 * self.factor


class Unregistered(Scale):
    pass


class TestLayer:
    def test_right(self):
        check_layer(lambda **options: Scale(3.0, **options), X)
        check_layer(lambda **options: layers.Dense(2, **options), X)

    @pytest.mark.parametrize(
        ("cls", "message"),
        [
            (Forgetful, "output after reloading"),
            (Disconnected, "gets no gradient"),
            (Unregistered, "not registered"),
        ],
    )
    def test_broken(self, cls, message):
        with pytest.raises(AssertionError, match=message):
            check_layer(
                lambda **options: cls(3.0, **options), X, policies=["float32"]
            )


class TestLoss:
    def test_right(self):
        check_loss(
            lambda **options: keras.losses.MeanSquaredError(**options),
            np.zeros((3, 2), "float32"),
            np.full((3, 2), 0.1, "float32"),
            normal(3, 2),
        )

    def test_wrong_direction(self):
        class Negative(keras.losses.MeanSquaredError):
            def call(self, y_true, y_pred):
                return -super().call(y_true, y_pred)

        with pytest.raises(AssertionError):
            check_loss(register(Negative), X, X + 0.1, X + 1.0)


class TestMetric:
    batches = [(X, X + 1.0), (X[:2], X[:2] + 4.0)]

    def test_right(self):
        # Squares: 4 of 1 and 2 of 16.
        check_metric(
            keras.metrics.MeanSquaredError, self.batches, (4 * 1 + 2 * 16) / 6
        )

    def test_mean_of_batches_is_found(self):
        class OfBatches(keras.metrics.Mean):
            def update_state(self, y_true, y_pred, sample_weight=None):
                super().update_state(ops.mean(ops.square(y_true - y_pred)))

        with pytest.raises(AssertionError, match="result"):
            check_metric(register(OfBatches), self.batches, 6.0)


class TestOptimizer:
    def test_right(self):
        check_optimizer(lambda: keras.optimizers.Adam(0.05))

    def test_one_that_does_not_descend(self):
        with pytest.raises(AssertionError, match="the loss went"):
            check_optimizer(lambda: keras.optimizers.SGD(1e-9), steps=2)


class TestCallback:
    def test_right(self):
        history = check_callback(keras.callbacks.TerminateOnNaN)
        assert set(history.history) == {"loss", "val_loss"}

    def test_one_that_fails(self):
        class Failing(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                raise RuntimeError("broken")

        with pytest.raises(RuntimeError, match="broken"):
            check_callback(Failing)


class TestTrainer:
    def test_right(self):
        def make():
            trainer = Supervised(network(4, inputs=3, outputs=1))
            trainer.compile(optimizer="adam", loss="mse", metrics=["mae"])
            return trainer

        check_trainer(make, (normal(8, 3), normal(8, 1)))

    def test_one_whose_loss_is_not_finite(self):
        class Infinite(Supervised):
            def training_step(self, data):
                return {"loss": ops.convert_to_tensor(np.inf)}

        def make():
            trainer = Infinite(network(4, inputs=3, outputs=1))
            trainer.compile(optimizer="sgd", loss="mse")
            return trainer

        with pytest.raises(AssertionError, match="loss is"):
            check_trainer(make, (normal(8, 3), normal(8, 1)))
