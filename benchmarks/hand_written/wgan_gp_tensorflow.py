"""The WGAN-GP step by hand in TensorFlow: nested tapes, tf.function."""

import tensorflow as tf

from benchmarks.hand_written.adam_tensorflow import Adam
from benchmarks.hand_written.dcgan_tensorflow import (
    LATENT,
    Discriminator,
    Generator,
)

CRITIC_STEPS, WEIGHT = 5, 10.0


class WGANGP:
    """Two networks and their optimizers; `step(images)` trains both.

    Args:
        generator, critic: Lists of arrays, as Keras' `get_weights()` of the
            two networks gives them.
    """

    def __init__(self, generator, critic):
        self.generator = Generator(generator)
        self.critic = Discriminator(critic)
        self.g_optimizer, self.c_optimizer = (
            Adam(network.trainable_variables, 1e-4, beta_1=0.0, beta_2=0.9)
            for network in (self.generator, self.critic)
        )
        self.step = tf.function(self._step)

    def parameter_count(self):
        return sum(
            tf.size(v).numpy()
            for network in (self.generator, self.critic)
            for v in network.trainable_variables
        )

    def wait(self):
        self.critic.kernel.numpy()

    def _step(self, images, noise=None, shares=None):
        parts = tf.split(images, CRITIC_STEPS)
        count = len(parts[0])
        if noise is None:
            noise = tf.random.normal((CRITIC_STEPS + 1, count, LATENT))
        if shares is None:
            shares = tf.random.uniform((CRITIC_STEPS, count, 1, 1, 1))
        losses = []
        for i, real in enumerate(parts):
            fake = self.generator(noise[i])
            with tf.GradientTape() as tape:
                losses.append(self._critic_loss(real, fake, shares[i]))
            variables = self.c_optimizer.variables
            self.c_optimizer.apply(tape.gradient(losses[-1], variables))
        variables = self.g_optimizer.variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            fake = self.generator(noise[-1])
            g_loss = -tf.reduce_mean(self.critic(fake))
        self.g_optimizer.apply(tape.gradient(g_loss, variables))
        return tf.add_n(losses) / CRITIC_STEPS, g_loss

    def _critic_loss(self, real, fake, share):
        mixed = real + share * (fake - real)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(mixed)
            scores = self.critic(mixed)
        slopes = tape.gradient(scores, mixed)
        norms = tf.sqrt(tf.reduce_sum(slopes**2, (1, 2, 3)))
        distance = tf.reduce_mean(self.critic(real)) - tf.reduce_mean(
            self.critic(fake)
        )
        return WEIGHT * tf.reduce_mean((norms - 1) ** 2) - distance
