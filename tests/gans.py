"""What the tests of GANs share: small networks, noise that is everywhere one.

`same_noise()` replaces Keras' random numbers, which differ from backend to
backend, by a sequence of integers that they all compute alike.
"""

import keras
from keras import layers, ops
from sequences import normal

from keras_dl.testing import Case
from keras_dl.training import GAN


def same_noise():
    """Makes `keras.random` give the same numbers on every backend."""

    def uniform(shape, minval=0.0, maxval=1.0, dtype="float32", seed=None):
        count = ops.cast(seed.next()[1], "int32")
        number = 1
        for length in shape:
            number = number * length
        whole = ops.arange(number, dtype="int32") * 7919 + count * 3571
        units = (ops.cast(whole % 10007, dtype) + 0.5) / 10007.0
        return minval + (maxval - minval) * ops.reshape(units, shape)

    def normal(shape, mean=0.0, stddev=1.0, dtype="float32", seed=None):
        units = uniform(shape, -1.0, 1.0, dtype, seed)
        return mean + stddev * 2**0.5 * ops.erfinv(units)

    keras.random.uniform, keras.random.normal = uniform, normal


def perceptron(*inputs, outputs, units=8, batch_norm=False, name=None):
    """A network of one hidden layer, of one input or of several."""
    inputs = [keras.Input((width,)) for width in inputs]
    x = layers.Concatenate()(inputs) if len(inputs) > 1 else inputs[0]
    x = layers.Dense(units)(x)
    if batch_norm:
        x = layers.BatchNormalization()(x)
    x = layers.Activation("tanh")(x)
    x = layers.Dense(outputs)(x)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], x, name=name)


def players(condition=(), batch_norm=True, scores=1, makes=2):
    """A generator and a discriminator of points in the plane."""
    return (
        perceptron(3, *condition, outputs=makes, batch_norm=batch_norm),
        perceptron(2, *condition, outputs=scores),
    )


def adam(*names, rate=1e-2):
    """Optimizers by name."""
    names = names or ("generator", "discriminator")
    return {n: keras.optimizers.Adam(rate, beta_1=0.5) for n in names}


def small_gan(kind=GAN, condition=(), batch_norm=True, rate=1e-2, **kwargs):
    """A GAN of points, compiled."""
    gan = kind(*players(condition, batch_norm), seed=1, **kwargs)
    gan.compile(adam(rate=rate))
    return gan


POINTS, LABELS = normal(16, 2), normal(16, 2, seed=1)


def case(gan, *data):
    """Twenty steps, with noise that is the same on every backend."""
    same_noise()
    return Case(gan, inputs=data if len(data) > 1 else data[0], steps=20)
