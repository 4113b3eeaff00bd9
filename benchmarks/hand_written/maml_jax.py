"""The MAML step by hand in JAX: a pure function, one jit."""

import jax
import jax.numpy as jnp

INNER_RATE, RATE, BETA_1, BETA_2, EPSILON = 0.01, 1e-3, 0.9, 0.999, 1e-7


class MAML:
    """Holds the state; `step(batch)` advances it.

    Args:
        weights: The three layers' kernels and biases, in order.
    """

    def __init__(self, weights):
        params = [jnp.array(w) for w in weights]
        moments = [jax.tree.map(jnp.zeros_like, params) for _ in range(2)]
        self.state = (params, *moments, jnp.zeros((), int))
        self._step = jax.jit(_step, donate_argnums=0)

    def step(self, batch):
        self.state, loss = self._step(self.state, batch)
        return (loss,)

    def wait(self):
        jax.block_until_ready(self.state)


def _step(state, batch):
    params, m, v, count = state
    loss, grads = jax.value_and_grad(_mean_loss)(params, batch)
    count = count + 1
    m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, grads)
    v = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, v, grads)
    rate = RATE * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
    params = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON), params, m, v
    )
    return (params, m, v, count), loss


def _mean_loss(params, batch):
    losses = [_loss_after(params, *task) for task in zip(*batch, strict=True)]
    return sum(losses) / len(losses)


def _loss_after(params, x, y, x_query, y_query):
    grads = jax.grad(_squared_error)(params, x, y)
    fast = jax.tree.map(lambda p, g: p - INNER_RATE * g, params, grads)
    return _squared_error(fast, x_query, y_query)


def _squared_error(params, x, y):
    w1, b1, w2, b2, w3, b3 = params
    x = jax.nn.relu(x @ w1 + b1)
    x = jax.nn.relu(x @ w2 + b2)
    return jnp.mean((x @ w3 + b3 - y) ** 2)
