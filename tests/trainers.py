"""Small trainers that need all of the engine, and cases made of them."""

import keras
import numpy as np
from keras import layers, ops

from keras_dl import Trainer, grad, substitute, variable_gradients
from keras_dl.testing import Case

register = keras.saving.register_keras_serializable("keras_dl_tests")


def network(*units, inputs, outputs, activation="tanh", **options):
    """A small fully connected network, built."""
    return keras.Sequential(
        [
            keras.Input((inputs,)),
            *[layers.Dense(n, activation=activation) for n in units],
            layers.Dense(outputs),
        ],
        **options,
    )


@register
class Supervised(Trainer):
    """The plainest step."""

    expects = ("x", "y", "sample_weight?")

    def training_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)

        def loss():
            y_pred = self(x, training=True)
            return self.compute_loss(x, y, y_pred, sample_weight), y_pred

        loss, y_pred = self.minimize(loss, has_aux=True)
        logs = self.compute_metrics(x, y, y_pred, sample_weight)
        return {"loss": loss, **logs}


@register
class TwoPlayers(Trainer):
    """A GAN with batch norm, dropout, a seed and two optimizers.

    The noise may come with the data, so that backends can be compared.
    """

    def __init__(self, generator=None, discriminator=None, **kwargs):
        super().__init__(**kwargs)
        self.generator = generator or keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(8, use_bias=False),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.Dense(3),
            ]
        )
        self.discriminator = discriminator or keras.Sequential(
            [
                keras.Input((3,)),
                layers.Dense(8),
                layers.LeakyReLU(),
                layers.Dropout(0.2, seed=1),
                layers.Dense(1),
            ]
        )
        self.seed = keras.random.SeedGenerator(0)
        self.bce = keras.losses.BinaryCrossentropy(from_logits=True)

    def call(self, inputs, training=None):
        return self.generator(inputs)

    def training_step(self, data):
        x, noise, _ = keras.utils.unpack_x_y_sample_weight(data)
        if noise is None:
            noise = keras.random.normal((ops.shape(x)[0], 4), seed=self.seed)
        fake = self.generator(noise, training=True)

        def discriminator_loss():
            return self.score(x, 1.0) + self.score(fake, 0.0)

        def generator_loss():
            return self.score(self.generator(noise, training=True), 1.0)

        return {
            "d_loss": self.minimize(
                discriminator_loss, optimizer="discriminator"
            ),
            "g_loss": self.minimize(generator_loss, optimizer="generator"),
        }

    def score(self, x, target):
        logits = self.discriminator(x, training=True)
        return self.bce(target * ops.ones_like(logits), logits)

    def get_config(self):
        config = super().get_config()
        del config["network"]
        serialize = keras.saving.serialize_keras_object
        config["generator"] = serialize(self.generator)
        config["discriminator"] = serialize(self.discriminator)
        return config


@register
class GradientPenalty(TwoPlayers):
    """The critic of WGAN-GP: a second-order term in a first-order step."""

    def score(self, x, target):
        return ops.mean(self.discriminator(x)) * (1.0 - 2.0 * target)

    def training_step(self, data):
        x, noise = data
        fake = self.generator(noise, training=True)

        def critic_loss():
            middle = 0.3 * x + 0.7 * fake
            slope = grad(lambda m: ops.sum(self.discriminator(m)))(middle)
            norm = ops.sqrt(ops.sum(ops.square(slope), axis=-1) + 1e-12)
            penalty = ops.mean(ops.square(norm - 1.0))
            return self.score(x, 1.0) + self.score(fake, 0.0) + 10.0 * penalty

        def generator_loss():
            return self.score(self.generator(noise, training=True), 1.0)

        return {
            "d_loss": self.minimize(critic_loss, optimizer="discriminator"),
            "g_loss": self.minimize(generator_loss, optimizer="generator"),
        }


@register
class MAML(Trainer):
    """One inner step per task, the outer step through it (second order)."""

    expects = ("x", "y")

    def __init__(self, network, inner_rate=0.1, **kwargs):
        super().__init__(network, **kwargs)
        self.inner_rate = inner_rate

    def task_loss(self, x, y):
        return ops.mean(ops.square(self.network(x) - y))

    def adapted_loss(self, x, y):
        half = x.shape[0] // 2
        weights = self.network.trainable_variables
        _, gradients = variable_gradients(
            lambda: self.task_loss(x[:half], y[:half]), weights
        )
        fast = [
            w - self.inner_rate * g
            for w, g in zip(weights, gradients, strict=True)
        ]
        with substitute(weights, fast):
            return self.task_loss(x[half:], y[half:])

    def training_step(self, data):
        x, y = data

        def loss():
            tasks = [self.adapted_loss(x[i], y[i]) for i in range(x.shape[0])]
            return sum(tasks) / len(tasks)

        return {"loss": self.minimize(loss)}


@register
class InputGradient(Trainer):
    """Trains on inputs moved along the sign of the loss' gradient."""

    def training_step(self, data):
        x, y = data

        def loss(x):
            return ops.mean(ops.square(self.network(x) - y))

        moved = x + 0.1 * ops.sign(grad(loss)(x))
        return {"loss": self.minimize(lambda: loss(moved))}


def normal(*shape):
    return (
        np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")
    )


def maml_case():
    x = np.random.default_rng(0).uniform(-5, 5, (4, 10, 1)).astype("float32")
    y = np.sin(x + np.arange(4, dtype="float32")[:, None, None])
    trainer = MAML(network(16, 16, inputs=1, outputs=1))
    trainer.compile(optimizer=keras.optimizers.Adam(1e-2))
    return Case(trainer, inputs=(x, y), steps=20)


def gradient_penalty_case():
    trainer = GradientPenalty(discriminator=network(16, inputs=3, outputs=1))
    adam = {"learning_rate": 1e-3, "beta_1": 0.5}
    trainer.compile(
        optimizer={
            "generator": keras.optimizers.Adam(**adam),
            "discriminator": keras.optimizers.Adam(**adam),
        }
    )
    return Case(trainer, inputs=(normal(16, 3), normal(16, 4)), steps=20)


def input_gradient_case():
    trainer = InputGradient(network(16, inputs=3, outputs=1))
    trainer.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9))
    return Case(trainer, inputs=(normal(16, 3), normal(16, 1)), steps=20)


def second_order_case():
    """The gradient of a gradient's square, by input and by weights."""

    def penalty(x, first, second):
        def score(x):
            return ops.sum(ops.square(ops.tanh(x @ first) @ second))

        return ops.sum(ops.square(grad(score)(x)), axis=-1)

    return Case(penalty, inputs=(normal(4, 3), normal(3, 8), normal(8, 1)))


def dense_case():
    layer = layers.Dense(3, activation="tanh")
    return Case(layer, inputs=normal(5, 4), optimizer="adam", steps=10)


def disagreeing_case():
    """A function that is not the same on every backend, on purpose."""
    offset = {"jax": 0.0}.get(keras.backend.backend(), 1e-2)
    return Case(lambda x: ops.sin(x) + offset, inputs=normal(5), loss=ops.sum)


def failing_case():
    def fail(x):
        raise RuntimeError("this case fails on purpose")

    return Case(fail, inputs=normal(5))
