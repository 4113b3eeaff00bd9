"""The DCGAN step by hand in JAX: pure functions, pytrees, one jit."""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.hand_written.adam_jax import adam, moments

ADAM = {"rate": 2e-4, "beta_1": 0.5}
LATENT, SLOPE, MOMENTUM, BN_EPSILON = 100, 0.2, 0.99, 1e-3


class DCGAN:
    """Holds the state; `step(images)` advances it.

    Args:
        generator, discriminator: Lists of arrays, as Keras' `get_weights()`
            of the two networks gives them.
        dropout: The discriminator's dropout rate.
    """

    def __init__(self, generator, discriminator, dropout):
        gen, stats = generator_state(generator)
        disc = [jnp.array(w) for w in discriminator]
        key = jax.random.key(0)
        self.state = (gen, disc), (moments(gen), moments(disc)), stats, key
        self._step = jax.jit(
            functools.partial(_step, dropout=dropout), donate_argnums=0
        )

    def parameter_count(self):
        return sum(leaf.size for leaf in jax.tree.leaves(self.state[0]))

    def step(self, images, noise=(None, None)):
        self.state, losses = self._step(self.state, images, noise)
        return losses

    def wait(self):
        jax.block_until_ready(self.state)


def generator_state(weights):
    """The generator's parameters and its running statistics."""
    dense, *bn_1, conv_1, scale, offset, mean, variance, conv_2, bias_2 = map(
        jnp.array, weights
    )
    params = {
        "dense": dense,
        "bn_1": bn_1[:2],
        "conv_1": conv_1,
        "bn_2": [scale, offset],
        "conv_2": conv_2,
        "bias_2": bias_2,
    }
    return params, [bn_1[2:], [mean, variance]]


def _step(state, images, noise, dropout):
    (gen, disc), (gen_moments, disc_moments), stats, key = state
    key, *keys = jax.random.split(key, 6)
    first, second = (
        jax.random.normal(k, (len(images), LATENT)) if n is None else n
        for k, n in zip(keys[:2], noise, strict=True)
    )
    fake, stats = generate(gen, stats, first)
    d_loss, grads = jax.value_and_grad(_discriminator_loss)(
        disc, images, fake, keys[2:4], dropout
    )
    disc, disc_moments = adam(grads, disc, disc_moments, **ADAM)
    (g_loss, stats), grads = jax.value_and_grad(_generator_loss, has_aux=True)(
        gen, stats, disc, second, keys[4], dropout
    )
    gen, gen_moments = adam(grads, gen, gen_moments, **ADAM)
    state = (gen, disc), (gen_moments, disc_moments), stats, key
    return state, (d_loss, g_loss)


def _discriminator_loss(disc, real, fake, keys, dropout):
    on_real = discriminate(disc, real, keys[0], dropout)
    on_fake = discriminate(disc, fake, keys[1], dropout)
    return jnp.mean(jax.nn.softplus(-on_real)) + jnp.mean(
        jax.nn.softplus(on_fake)
    )


def _generator_loss(gen, stats, disc, noise, key, dropout):
    fake, stats = generate(gen, stats, noise)
    logits = discriminate(disc, fake, key, dropout)
    return jnp.mean(jax.nn.softplus(-logits)), stats


def generate(gen, stats, noise):
    """Images, and the running statistics after that."""
    x, stats_1 = _batch_norm(noise @ gen["dense"], gen["bn_1"], stats[0])
    channels = gen["conv_1"].shape[3]
    side = math.isqrt(x.shape[1] // channels)
    x = jax.nn.relu(x).reshape(-1, side, side, channels)
    x = _transposed(x, gen["conv_1"])
    x, stats_2 = _batch_norm(x, gen["bn_2"], stats[1])
    x = _transposed(jax.nn.relu(x), gen["conv_2"]) + gen["bias_2"]
    return jnp.tanh(x), [stats_1, stats_2]


def discriminate(disc, x, key=None, dropout=0.0):
    """A logit for each image."""
    kernel_1, bias_1, kernel_2, bias_2, kernel, bias = disc
    for k, kernel_i, bias_i in zip(
        jax.random.split(key) if dropout else (None, None),
        (kernel_1, kernel_2),
        (bias_1, bias_2),
        strict=True,
    ):
        x = lax.conv_general_dilated(
            x, kernel_i, (2, 2), "SAME", dimension_numbers=_NHWC
        )
        x = jax.nn.leaky_relu(x + bias_i, SLOPE)
        if dropout:
            keep = jax.random.bernoulli(k, 1 - dropout, x.shape)
            x = jnp.where(keep, x / (1 - dropout), 0.0)
    return x.reshape(len(x), -1) @ kernel + bias


_NHWC = ("NHWC", "HWIO", "NHWC")


def _transposed(x, kernel):
    return lax.conv_transpose(
        x,
        kernel,
        (2, 2),
        "SAME",
        dimension_numbers=_NHWC,
        transpose_kernel=True,
    )


def _batch_norm(x, scale_and_offset, stats):
    scale, offset = scale_and_offset
    axes = tuple(range(x.ndim - 1))
    mean, variance = jnp.mean(x, axes), jnp.var(x, axes)
    stats = [
        MOMENTUM * old + (1 - MOMENTUM) * new
        for old, new in zip(stats, (mean, variance), strict=True)
    ]
    factor = scale * lax.rsqrt(variance + BN_EPSILON)
    return x * factor + (offset - mean * factor), stats
