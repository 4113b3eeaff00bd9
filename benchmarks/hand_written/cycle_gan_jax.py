"""The CycleGAN step by hand in JAX: pure functions, pytrees, one jit."""

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.hand_written.adam_jax import adam, moments

ADAM = {"rate": 2e-4, "beta_1": 0.5}
CYCLE, IDENTITY = 10.0, 5.0
POOL, SLOPE, EPSILON = 50, 0.2, 1e-5


class CycleGAN:
    """Holds the state; `step((a, b))` advances it.

    Args:
        forth, back, judge_of_b, judge_of_a: Lists of arrays, as Keras'
            `get_weights()` of the networks gives them.
    """

    def __init__(self, forth, back, judge_of_b, judge_of_a):
        gens, discs = (
            [_pairs(one), _pairs(other)]
            for one, other in ((forth, back), (judge_of_b, judge_of_a))
        )
        self.state = (gens, discs), (moments(gens), moments(discs)), None
        self._step = jax.jit(_step, donate_argnums=0)

    def parameter_count(self):
        return sum(leaf.size for leaf in jax.tree.leaves(self.state[0]))

    def step(self, images):
        if self.state[-1] is None:
            pools = [jnp.zeros((POOL, *x.shape[1:])) for x in images]
            chance = jnp.zeros((), int), jax.random.key(0)
            self.state = *self.state[:-1], (pools, *chance)
        self.state, losses = self._step(self.state, *images)
        return losses

    def wait(self):
        jax.block_until_ready(self.state)


def _pairs(weights):
    """Kernels with their biases."""
    weights = list(map(jnp.array, weights))
    return list(zip(weights[::2], weights[1::2], strict=True))


def _step(state, a, b):
    (gens, discs), (gen_moments, disc_moments), (pools, count, key) = state
    (g_loss, fakes), grads = jax.value_and_grad(_gen_loss, has_aux=True)(
        gens, discs, a, b
    )
    gens, gen_moments = adam(grads, gens, gen_moments, **ADAM)
    key, *keys = jax.random.split(key, 3)
    pools, fakes = zip(
        *[
            _exchanged(pool, count, fake, k)
            for pool, fake, k in zip(pools, fakes, keys, strict=True)
        ],
        strict=True,
    )
    d_loss, grads = jax.value_and_grad(_disc_loss)(discs, (b, a), fakes)
    discs, disc_moments = adam(grads, discs, disc_moments, **ADAM)
    pools = list(pools), jnp.minimum(count + 1, POOL), key
    state = (gens, discs), (gen_moments, disc_moments), pools
    return state, (d_loss, g_loss)


def _gen_loss(gens, discs, a, b):
    forth, back = gens
    fake_b, fake_a = _generate(forth, a), _generate(back, b)
    fooling = jnp.mean((_judge(discs[0], fake_b) - 1) ** 2) + jnp.mean(
        (_judge(discs[1], fake_a) - 1) ** 2
    )
    cycle = _distance(_generate(back, fake_b), a) + _distance(
        _generate(forth, fake_a), b
    )
    identity = _distance(_generate(back, a), a) + _distance(
        _generate(forth, b), b
    )
    loss = fooling + CYCLE * cycle + IDENTITY * identity
    return loss, (fake_b, fake_a)


def _disc_loss(discs, reals, fakes):
    loss = 0.0
    for disc, real, fake in zip(discs, reals, fakes, strict=True):
        on_real, on_fake = _judge(disc, real), _judge(disc, fake)
        loss += jnp.mean((on_real - 1) ** 2) + jnp.mean(on_fake**2)
    return 0.5 * loss


def _exchanged(pool, count, fake, key):
    """The pool after, and the image for the discriminator."""
    coin, slot = jax.random.split(key)
    filling = count < POOL
    swap = ~filling & jax.random.bernoulli(coin)
    slot = jnp.where(filling, count, jax.random.randint(slot, (), 0, POOL))
    old = pool[slot][None]
    stored = jnp.where(filling | swap, fake, old)
    pool = lax.dynamic_update_index_in_dim(pool, stored, slot, 0)
    return pool, jnp.where(swap, old, fake)


def _generate(params, x):
    first, down_1, down_2, *blocks, up_1, up_2, last = params
    x = jax.nn.relu(_norm(_conv(_reflected(x, 3), first)))
    for pair in (down_1, down_2):
        x = jax.nn.relu(_norm(_conv(x, pair, 2, (1, 0))))
    for one, other in zip(blocks[::2], blocks[1::2], strict=True):
        y = jax.nn.relu(_norm(_conv(_reflected(x, 1), one)))
        x = x + _norm(_conv(_reflected(y, 1), other))
    for pair in (up_1, up_2):
        x = jax.nn.relu(_norm(_transposed(x, pair)))
    return jnp.tanh(_conv(_reflected(x, 3), last))


def _judge(params, x):
    first, *middle, narrow, last = params
    x = jax.nn.leaky_relu(_conv(x, first, 2, (1, 1)), SLOPE)
    for pair in middle:
        x = jax.nn.leaky_relu(_norm(_conv(x, pair, 2, (1, 1))), SLOPE)
    x = jax.nn.leaky_relu(_norm(_conv(x, narrow, 1, (1, 1))), SLOPE)
    return _conv(x, last, 1, (1, 1))


_NHWC = ("NHWC", "HWIO", "NHWC")


def _conv(x, pair, stride=1, padding=(0, 0)):
    kernel, bias = pair
    return bias + lax.conv_general_dilated(
        x, kernel, (stride, stride), [padding] * 2, dimension_numbers=_NHWC
    )


def _transposed(x, pair):
    kernel, bias = pair
    return bias + lax.conv_transpose(
        x,
        kernel,
        (2, 2),
        [(1, 2)] * 2,
        dimension_numbers=_NHWC,
        transpose_kernel=True,
    )


def _reflected(x, size):
    """By concatenation, as ours pads."""
    for axis in (1, 2):
        last = x.shape[axis] - 1
        parts = (
            lax.rev(lax.slice_in_dim(x, 1, 1 + size, axis=axis), (axis,)),
            x,
            lax.rev(lax.slice_in_dim(x, last - size, last, axis=axis), (axis,)),
        )
        x = jnp.concatenate(parts, axis)
    return x


def _norm(x):
    mean = jnp.mean(x, (1, 2), keepdims=True)
    variance = jnp.var(x, (1, 2), keepdims=True)
    return (x - mean) * lax.rsqrt(variance + EPSILON)


def _distance(x, y):
    return jnp.mean(jnp.abs(x - y))
