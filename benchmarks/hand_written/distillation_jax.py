"""A distillation step by hand in JAX."""

import functools

import jax
import jax.numpy as jnp

from benchmarks.hand_written.adam_jax import adam, moments


class Distillation:
    """A student and its teacher; `step((x, y))` trains the student.

    Args:
        student, teacher: Lists of kernels and biases, in turn.
        temperature: That of the soft targets.
    """

    def __init__(self, student, teacher, temperature):
        params = [jnp.array(w) for w in student]
        self.state = params, moments(params)
        self.teacher = [jnp.array(w) for w in teacher]
        self.run = jax.jit(
            functools.partial(train, temperature), donate_argnums=0
        )

    def step(self, batch):
        self.state, loss = self.run(self.state, self.teacher, *batch)
        self.loss = loss
        return [loss]

    def wait(self):
        jax.block_until_ready(self.loss)

    def weights(self):
        return self.state[0]


def network(weights, x):
    """The last hidden layer, and the logits."""
    for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = jax.nn.relu(x @ w + b)
    return x, x @ weights[-2] + weights[-1]


def train(temperature, state, teacher, x, y):
    params, optimizer = state
    t_hidden, t = network(teacher, x)
    p = jax.nn.softmax(t / temperature)

    def loss_of(params):
        hidden, s = network(params, x)
        logs = jax.nn.log_softmax(s)
        task = -jnp.mean(jnp.take_along_axis(logs, y[:, None], axis=1))
        far = jnp.log(p) - jax.nn.log_softmax(s / temperature)
        soft = temperature**2 * jnp.mean(jnp.sum(p * far, axis=-1))
        features = jnp.mean((hidden - t_hidden) ** 2)
        return 0.5 * (task + soft + features)

    loss, grads = jax.value_and_grad(loss_of)(params)
    return adam(grads, params, optimizer, 1e-3, 0.9), loss
