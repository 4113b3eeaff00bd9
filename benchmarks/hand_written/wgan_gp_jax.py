"""The WGAN-GP step by hand in JAX: pure functions, pytrees, one jit."""

import jax
import jax.numpy as jnp

from benchmarks.hand_written import dcgan_jax as dcgan
from benchmarks.hand_written.adam_jax import adam, moments

ADAM = {"rate": 1e-4, "beta_1": 0.0, "beta_2": 0.9}
CRITIC_STEPS, WEIGHT = 5, 10.0


class WGANGP:
    """Holds the state; `step(images)` advances it.

    Args:
        generator, critic: Lists of arrays, as Keras' `get_weights()` of the
            two networks gives them.
    """

    def __init__(self, generator, critic):
        gen, stats = dcgan.generator_state(generator)
        critic = [jnp.array(w) for w in critic]
        key = jax.random.key(0)
        self.state = (gen, critic), (moments(gen), moments(critic)), stats, key
        self._step = jax.jit(_step, donate_argnums=0)

    def parameter_count(self):
        return sum(leaf.size for leaf in jax.tree.leaves(self.state[0]))

    def step(self, images, noise=None, shares=None):
        self.state, losses = self._step(self.state, images, noise, shares)
        return losses

    def wait(self):
        jax.block_until_ready(self.state)


def _step(state, images, noise, shares):
    (gen, critic), (gen_moments, critic_moments), stats, key = state
    images = images.reshape(CRITIC_STEPS, -1, *images.shape[1:])
    key, *keys = jax.random.split(key, 3)
    count = images.shape[1]
    if noise is None:
        shape = (CRITIC_STEPS + 1, count, dcgan.LATENT)
        noise = jax.random.normal(keys[0], shape)
    if shares is None:
        shape = (CRITIC_STEPS, count, 1, 1, 1)
        shares = jax.random.uniform(keys[1], shape)
    # Unrolled: within a loop XLA uses the processor's cores badly.
    losses = []
    for real, z, share in zip(images, noise, shares, strict=False):
        fake, stats = dcgan.generate(gen, stats, z)
        loss, grads = jax.value_and_grad(_critic_loss)(
            critic, real, fake, share
        )
        critic, critic_moments = adam(grads, critic, critic_moments, **ADAM)
        losses.append(loss)
    (g_loss, stats), grads = jax.value_and_grad(_generator_loss, has_aux=True)(
        gen, stats, critic, noise[-1]
    )
    gen, gen_moments = adam(grads, gen, gen_moments, **ADAM)
    state = (gen, critic), (gen_moments, critic_moments), stats, key
    return state, (sum(losses) / len(losses), g_loss)


def _critic_loss(critic, real, fake, share):
    slopes = jax.grad(lambda x: jnp.sum(dcgan.discriminate(critic, x)))(
        real + share * (fake - real)
    )
    norms = jnp.sqrt(jnp.sum(slopes**2, (1, 2, 3)))
    distance = jnp.mean(dcgan.discriminate(critic, real)) - jnp.mean(
        dcgan.discriminate(critic, fake)
    )
    return WEIGHT * jnp.mean((norms - 1) ** 2) - distance


def _generator_loss(gen, stats, critic, noise):
    fake, stats = dcgan.generate(gen, stats, noise)
    return -jnp.mean(dcgan.discriminate(critic, fake)), stats
