"""What the tests of GANs share: small networks, noise that is everywhere one.

`same_noise()` replaces Keras' random numbers, which differ from backend to
backend, by a sequence of integers that they all compute alike.
"""

import math

import keras
import numpy as np
from keras import layers, ops
from sequences import normal

from keras_dl.applications import ProgressiveGAN, StackGAN
from keras_dl.constraints import ClipWeights
from keras_dl.losses import GradientPenalty
from keras_dl.testing import Case
from keras_dl.training import (
    GAN,
    CycleConsistentGAN,
    ImageToImageGAN,
    ModeRegularizedGAN,
    MultiGeneratorGAN,
)


def same_noise():
    """Makes `keras.random` give the same numbers on every backend."""

    def uniform(shape, minval=0.0, maxval=1.0, dtype="float32", seed=None):
        count = ops.cast(seed.next()[1], "int32")
        number = math.prod(shape)
        whole = ops.arange(number, dtype="int32") * 7919 + count * 3571
        units = (ops.cast(whole % 10007, dtype) + 0.5) / 10007.0
        return minval + (maxval - minval) * ops.reshape(units, shape)

    def normal(shape, mean=0.0, stddev=1.0, dtype="float32", seed=None):
        units = uniform(shape, -1.0, 1.0, dtype, seed)
        return mean + stddev * 2**0.5 * ops.erfinv(units)

    def randint(shape, minval, maxval, dtype="int32", seed=None):
        return ops.cast(uniform(shape, minval, maxval, seed=seed), dtype)

    keras.random.uniform, keras.random.normal = uniform, normal
    keras.random.randint = randint


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


# The variants, as small as they come.


def mad_gan(**kwargs):
    """Three generators that share a layer."""
    z = keras.Input((3,))
    x = layers.Dense(8, activation="tanh")(z)
    generator = keras.Model(z, [layers.Dense(2)(x) for _ in range(3)])
    gan = MultiGeneratorGAN(
        generator, perceptron(2, outputs=4), seed=1, **kwargs
    )
    gan.compile(adam())
    return gan


def mode_regularized_gan(manifold=False, **kwargs):
    generator, discriminator = players(batch_norm=False)
    names = ["generator", "discriminator"]
    if manifold:
        names.append("manifold_discriminator")
        kwargs["manifold_discriminator"] = perceptron(
            2, outputs=1, batch_norm=True
        )
    encoder = perceptron(2, outputs=3)
    gan = ModeRegularizedGAN(
        generator, discriminator, encoder, seed=1, **kwargs
    )
    gan.compile(adam(*names))
    return gan


def image_to_image(conditional=True, **kwargs):
    """From points to points."""
    inputs = (2, 2) if conditional else (2,)
    gan = ImageToImageGAN(
        perceptron(2, outputs=2),
        perceptron(*inputs, outputs=1),
        conditional=conditional,
        content_weight=2.0,
        **kwargs,
    )
    gan.compile(adam())
    return gan


def cycle_gan(pool_size=4, **kwargs):
    networks = [perceptron(2, outputs=n) for n in (2, 2, 1, 1)]
    gan = CycleConsistentGAN(*networks, pool_size=pool_size, seed=1, **kwargs)
    gan.compile(adam("generators", "discriminators"))
    return gan


# Cases for the comparison of backends.


def vanilla_case():
    return case(small_gan(), POINTS)


def conditional_case():
    return case(small_gan(condition=(2,), matching_aware=True), POINTS, LABELS)


def wgan_case():
    gan = small_gan(
        adversarial_loss="wasserstein",
        discriminator_steps=2,
        discriminator_constraint=ClipWeights(0.05),
    )
    return case(gan, POINTS)


def wgan_gp_case():
    gan = small_gan(
        adversarial_loss="wasserstein",
        penalties=[GradientPenalty(1.0)],
        discriminator_steps=2,
    )
    return case(gan, POINTS)


def unrolled_case():
    gan = small_gan(adversarial_loss="minimax", unrolled_steps=2, rate=1e-3)
    return case(gan, POINTS)


def mad_gan_case():
    return case(mad_gan(diversity_weight=0.1), POINTS)


def mode_regularized_case():
    return case(mode_regularized_gan(manifold=True), POINTS)


def image_to_image_case():
    return case(image_to_image(), LABELS, POINTS)


def cycle_gan_case():
    return case(cycle_gan(), POINTS, LABELS)


def descent():
    """For deep networks, where Adam makes much of small differences."""
    return {
        name: keras.optimizers.SGD(1e-4)
        for name in ("generator", "discriminator")
    }


def progressive_case():
    """The second of two stages, which fades in over half of the steps."""
    gan = ProgressiveGAN((8, 8, 1), latent_dim=3, base=8, max_filters=4, seed=1)
    gan.compile(descent())
    gan.advance()
    gan.fading.assign(4.0 * 10)
    return case(gan, np.tanh(normal(4, 8, 8, 1)))


def stacked_case():
    gan = StackGAN(
        (32, 32, 1), 2, latent_dim=3, condition_dim=2, base=4, blocks=0, seed=1
    )
    gan.compile(descent())
    gan.advance()
    for variable in gan.trainable_variables:
        # Or statistics of batches would be of next to nothing, and of noise.
        if len(variable.shape) == 4:
            variable.assign(8.0 * variable)
        # Or a ReLU would be asked for its slope at 0, where backends differ.
        if variable.name == "bias":
            variable.assign(variable + 0.1)
    return case(gan, np.tanh(normal(4, 32, 32, 1)), normal(4, 2))
