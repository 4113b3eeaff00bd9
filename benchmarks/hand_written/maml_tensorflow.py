"""The MAML step by hand in TensorFlow: nested tapes in one tf.function."""

import tensorflow as tf

INNER_RATE, RATE, BETA_1, BETA_2, EPSILON = 0.01, 1e-3, 0.9, 0.999, 1e-7


class MAML:
    """Holds the state; `step(batch)` advances it.

    Args:
        weights: The three layers' kernels and biases, in order.
        jit_compile: Whether XLA compiles the step.
    """

    def __init__(self, weights, jit_compile=False):
        self.variables = [tf.Variable(w) for w in weights]
        self.moments = [
            (tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v)))
            for v in self.variables
        ]
        self.count = tf.Variable(0.0)
        self.step = tf.function(self._step, jit_compile=jit_compile)

    def wait(self):
        self.variables[0].numpy()

    def _step(self, batch):
        tasks = zip(*[tf.unstack(part) for part in batch], strict=True)
        with tf.GradientTape() as tape:
            # Reading once keeps the inner tapes on tensors.
            params = [v.read_value() for v in self.variables]
            losses = [_loss_after(params, *task) for task in tasks]
            loss = tf.add_n(losses) / len(losses)
        self._descend(tape.gradient(loss, self.variables))
        return (loss,)

    def _descend(self, gradients):
        count = self.count.assign_add(1.0)
        for variable, gradient, (m, v) in zip(
            self.variables, gradients, self.moments, strict=True
        ):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=BETA_1**count,
                beta2_power=BETA_2**count,
                lr=RATE,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=gradient,
            )


def _loss_after(params, x, y, x_query, y_query):
    with tf.GradientTape() as tape:
        tape.watch(params)
        loss = _squared_error(params, x, y)
    gradients = tape.gradient(loss, params)
    fast = [p - INNER_RATE * g for p, g in zip(params, gradients, strict=True)]
    return _squared_error(fast, x_query, y_query)


def _squared_error(params, x, y):
    w1, b1, w2, b2, w3, b3 = params
    x = tf.nn.relu(x @ w1 + b1)
    x = tf.nn.relu(x @ w2 + b2)
    return tf.reduce_mean((x @ w3 + b3 - y) ** 2)
