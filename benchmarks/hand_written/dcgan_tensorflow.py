"""The DCGAN step by hand in TensorFlow: tf.Module, tapes, tf.function."""

import math

import tensorflow as tf

from benchmarks.hand_written.adam_tensorflow import Adam

LATENT, SLOPE, MOMENTUM, BN_EPSILON = 100, 0.2, 0.99, 1e-3


class DCGAN:
    """Two networks and their optimizers; `step(images)` trains both.

    Args:
        generator, discriminator: Lists of arrays, as Keras' `get_weights()`
            of the two networks gives them.
        dropout: The discriminator's dropout rate.
    """

    def __init__(self, generator, discriminator, dropout):
        self.generator = Generator(generator)
        self.discriminator = Discriminator(discriminator, dropout)
        self.optimizers = [
            Adam(network.trainable_variables, rate=2e-4, beta_1=0.5)
            for network in (self.generator, self.discriminator)
        ]
        self.step = tf.function(self._step)

    def parameter_count(self):
        return sum(
            tf.size(v).numpy()
            for network in (self.generator, self.discriminator)
            for v in network.trainable_variables
        )

    def wait(self):
        self.discriminator.kernel.numpy()

    def _step(self, images, noise=(None, None)):
        first, second = (
            tf.random.normal((len(images), LATENT)) if n is None else n
            for n in noise
        )
        fake = self.generator(first)
        with tf.GradientTape() as tape:
            d_loss = _cross_entropy(
                tf.ones_like, self.discriminator(images)
            ) + _cross_entropy(tf.zeros_like, self.discriminator(fake))
        self._descend(tape, d_loss, self.optimizers[1])
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.generator.trainable_variables)
            g_loss = _cross_entropy(
                tf.ones_like, self.discriminator(self.generator(second))
            )
        self._descend(tape, g_loss, self.optimizers[0])
        return d_loss, g_loss

    def _descend(self, tape, loss, optimizer):
        optimizer.apply(tape.gradient(loss, optimizer.variables))


class Generator(tf.Module):
    """Noise to images."""

    def __init__(self, weights):
        super().__init__()
        self.kernel = tf.Variable(weights[0])
        self.norm_1 = BatchNorm(weights[1:5])
        self.kernel_1 = tf.Variable(weights[5])
        self.norm_2 = BatchNorm(weights[6:10])
        self.kernel_2 = tf.Variable(weights[10])
        self.bias_2 = tf.Variable(weights[11])

    def __call__(self, noise):
        x = tf.nn.relu(self.norm_1(noise @ self.kernel))
        channels = self.kernel_1.shape[3]
        side = math.isqrt(x.shape[1] // channels)
        x = tf.reshape(x, (-1, side, side, channels))
        x = _transposed(x, self.kernel_1, 2 * side)
        x = tf.nn.relu(self.norm_2(x))
        x = _transposed(x, self.kernel_2, 4 * side)
        return tf.tanh(tf.nn.bias_add(x, self.bias_2))


class Discriminator(tf.Module):
    """Images to one logit."""

    def __init__(self, weights, dropout=0.0):
        super().__init__()
        variables = [tf.Variable(w) for w in weights]
        self.convolutions = [variables[:2], variables[2:4]]
        self.kernel, self.bias = variables[4:]
        self.dropout = dropout

    def __call__(self, x):
        for kernel, bias in self.convolutions:
            x = tf.nn.bias_add(tf.nn.conv2d(x, kernel, 2, "SAME"), bias)
            x = tf.nn.leaky_relu(x, SLOPE)
            if self.dropout:
                x = tf.nn.dropout(x, self.dropout)
        x = tf.reshape(x, (len(x), -1))
        return tf.nn.bias_add(x @ self.kernel, self.bias)


class BatchNorm(tf.Module):
    """Batch normalization in training, with running statistics."""

    def __init__(self, weights):
        super().__init__()
        self.scale, self.offset = (tf.Variable(w) for w in weights[:2])
        self.mean, self.variance = (
            tf.Variable(w, trainable=False) for w in weights[2:]
        )

    def __call__(self, x):
        if len(x.shape) == 4:
            x, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                x, self.scale, self.offset, epsilon=BN_EPSILON
            )
        else:
            mean, variance = tf.nn.moments(x, [0])
            x = tf.nn.batch_normalization(
                x, mean, variance, self.offset, self.scale, BN_EPSILON
            )
        self.mean.assign_sub((1 - MOMENTUM) * (self.mean - mean))
        self.variance.assign_sub((1 - MOMENTUM) * (self.variance - variance))
        return x


def _transposed(x, kernel, size):
    shape = (len(x), size, size, kernel.shape[2])
    return tf.nn.conv2d_transpose(x, kernel, shape, 2, "SAME")


def _cross_entropy(labels_like, logits):
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels_like(logits), logits)
    )
