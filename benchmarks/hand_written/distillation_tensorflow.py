"""A distillation step by hand in TensorFlow."""

import tensorflow as tf

from benchmarks.hand_written.adam_tensorflow import Adam


class Distillation(tf.Module):
    """A student and its teacher; `step((x, y))` trains the student.

    Args:
        student, teacher: Lists of kernels and biases, in turn.
        temperature: That of the soft targets.
    """

    def __init__(self, student, teacher, temperature):
        super().__init__()
        self.student = [tf.Variable(w) for w in student]
        self.teacher = [tf.Variable(w, trainable=False) for w in teacher]
        self.temperature = temperature
        self.adam = Adam(self.student, 1e-3, 0.9)

    def step(self, batch):
        return [self.train(*batch)]

    def wait(self):
        """Reading the loss waits."""

    def weights(self):
        return [w.numpy() for w in self.student]

    @tf.function
    def train(self, x, y):
        t_hidden, t = network(self.teacher, x)
        p = tf.nn.softmax(t / self.temperature)
        with tf.GradientTape() as tape:
            hidden, s = network(self.student, x)
            task = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(y, s)
            )
            far = tf.math.log(p) - tf.nn.log_softmax(s / self.temperature)
            soft = tf.reduce_mean(tf.reduce_sum(p * far, axis=-1))
            features = tf.reduce_mean(tf.square(hidden - t_hidden))
            loss = 0.5 * (task + self.temperature**2 * soft + features)
        self.adam.apply(tape.gradient(loss, self.student))
        return loss


def network(weights, x):
    """The last hidden layer, and the logits."""
    for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = tf.nn.relu(x @ w + b)
    return x, x @ weights[-2] + weights[-1]
