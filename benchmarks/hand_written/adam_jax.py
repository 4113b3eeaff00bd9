"""Adam by hand in JAX, on pytrees."""

import jax
import jax.numpy as jnp

EPSILON = 1e-7


def moments(params):
    """What Adam starts from: both moments, and the number of steps."""
    zeros = [jax.tree.map(jnp.zeros_like, params) for _ in range(2)]
    return *zeros, jnp.zeros((), int)


def adam(grads, params, state, rate, beta_1, beta_2=0.999):
    """One step; returns parameters and state."""
    m, v, count = state
    count = count + 1
    m = jax.tree.map(lambda m, g: beta_1 * m + (1 - beta_1) * g, m, grads)
    v = jax.tree.map(lambda v, g: beta_2 * v + (1 - beta_2) * g * g, v, grads)
    rate = rate * jnp.sqrt(1 - beta_2**count) / (1 - beta_1**count)
    params = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON), params, m, v
    )
    return params, (m, v, count)
