"""Adam by hand in TensorFlow."""

import tensorflow as tf

EPSILON = 1e-7


class Adam:
    """Adam by TensorFlow's fused operation."""

    def __init__(self, variables, rate, beta_1, beta_2=0.999):
        self.variables = variables
        self.rate, self.betas = rate, (beta_1, beta_2)
        self.count = tf.Variable(0.0)
        self.moments = [
            (tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v)))
            for v in variables
        ]

    def apply(self, gradients):
        """One step."""
        count = self.count.assign_add(1.0)
        beta_1, beta_2 = self.betas
        for variable, gradient, (m, v) in zip(
            self.variables, gradients, self.moments, strict=True
        ):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=beta_1**count,
                beta2_power=beta_2**count,
                lr=self.rate,
                beta1=beta_1,
                beta2=beta_2,
                epsilon=EPSILON,
                grad=gradient,
            )
