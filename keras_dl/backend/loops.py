"""LSTM and GRU over whole sequences, for frameworks that compile loops.

What does not depend on the state is done for all steps in one product, before
the loop: the projection of the inputs; and after it: the gradients of the
weights. So the loop itself multiplies by the recurrent kernel alone, once
forward and once backward: by its transpose, which is taken in the loop, where
XLA makes it part of the product, not a copy. Time is the first axis in here.

The logistic function is taken by tanh, sigmoid(x) = (1 + tanh(x / 2)) / 2,
which XLA computes several times faster on CPU.
"""

from keras import ops


def make(
    scan,
    compile_forward,
    compile_backward,
    in_loop=lambda x: False,
    saves=lambda training: True,
):
    """The adapter functions `lstm` and `gru`, by a framework's own loop.

    Args:
        scan: `scan(step, carry, xs, reverse)`, see the adapters.
        compile_forward: Compiles a function of tensors.
        compile_backward: Likewise, the function that gives its gradient.
        in_loop: Whether to project such inputs in the loop after all.
        saves: Whether to save, in a call with this `training`, what a gradient
            will need. Where it is not saved, a gradient computes it again.
    """
    loops = {}
    for cell in (_lstm, _gru):
        pair = cell(scan)
        for inside, functions in ((False, pair), (True, _in_loop(*pair))):
            loops[cell, inside] = _differentiable(
                *functions, compile_forward, compile_backward
            )

    # Copies are tensors, not variables.

    def run(cell, x, kernel, bias, tensors, mask, training):
        inside = in_loop(x)
        if inside:
            if bias is None:
                bias = ops.zeros(kernel.shape[-1:], x.dtype)
            x = ops.swapaxes(x, 0, 1)
            projected = x, ops.copy(kernel), ops.copy(bias)
        else:
            projected = (_project(x, kernel, bias),)
        loop = loops[cell, inside][saves(training)]
        outputs, *states = loop(*projected, *tensors, *_time_first(mask, x))
        return ops.swapaxes(outputs, 0, 1), states

    def lstm(x, states, kernel, recurrent_kernel, bias, mask, training):
        """`(outputs, [h, c])`; see `keras_dl.layers.LSTM`."""
        tensors = *states, ops.copy(recurrent_kernel)
        return run(_lstm, x, kernel, bias, tensors, mask, training)

    def gru(x, states, kernel, recurrent_kernel, bias, mask, training):
        """`(outputs, [h])`; see `keras_dl.layers.GRU`."""
        tensors = *states, ops.copy(recurrent_kernel), ops.copy(bias[1])
        return run(_gru, x, kernel, bias[0], tensors, mask, training)

    return lstm, gru


def _project(x, kernel, bias):
    """`x @ kernel + bias` for all steps at once, time first."""
    batch, steps = ops.shape(x)[:2]
    flat = ops.reshape(ops.swapaxes(x, 0, 1), (-1, x.shape[-1]))
    flat = ops.matmul(flat, kernel)
    if bias is not None:
        flat = flat + bias
    return ops.reshape(flat, (steps, batch, kernel.shape[-1]))


def _time_first(mask, x):
    """The mask, if any, as numbers of the shape (steps, batch, 1)."""
    if mask is None:
        return ()
    mask = ops.cast(ops.swapaxes(mask, 0, 1), x.dtype)
    return (ops.expand_dims(mask, -1),)


def _differentiable(forward, backward, compile_forward, compile_backward):
    """A function whose gradient is our own, by whether to save for it.

    `forward(*inputs) -> (results, saved)`; `backward(saved, cotangents,
    *inputs)` gives the gradients of all inputs.
    """
    # Without what is saved: the compiler leaves it out.
    results_of = compile_forward(lambda *inputs: forward(*inputs)[0])
    compiled, backward = compile_forward(forward), compile_backward(backward)

    def made(save):
        @ops.custom_gradient
        def function(*inputs):
            if save:
                results, saved = compiled(*inputs)
            else:
                results = results_of(*inputs)

            def gradient(*cotangents):
                if len(cotangents) == 1:  # JAX hands them over in one tuple.
                    (cotangents,) = cotangents
                found = saved if save else compiled(*inputs)[1]
                return backward(found, tuple(cotangents), *inputs)

            return results, gradient

        return function

    return {save: made(save) for save in (False, True)}


def _sigmoid(x):
    return 0.5 * ops.tanh(0.5 * x) + 0.5


def _split(x, parts):
    return ops.split(x, parts, axis=-1)


def _before(first, sequence):
    """What each step found: the sequence, moved on by one step."""
    return ops.concatenate([first[None], sequence[:-1]], axis=0)


def _product(a, b):
    """The sum over all steps and rows of the outer products of a and b."""
    a = ops.reshape(a, (-1, a.shape[-1]))
    b = ops.reshape(b, (-1, b.shape[-1]))
    return ops.matmul(ops.transpose(a), b)


def _only_real(values, mask):
    """The values of real steps, and zeros for masked ones."""
    for m in mask:
        values = m * values
    return values


def _kept(new, old, mask):
    """The new values, and the old ones where a step is masked."""
    return old + mask[0] * (new - old) if mask else new


def _rest(values, real, mask):
    """What of the values is not real."""
    return values - real if mask else 0.0


def _lstm(scan):
    """i, f, o = sigmoid(.), g = tanh(.); c = f c' + i g; h = o tanh(c)."""

    def forward(x, h, c, kernel, *mask, project=lambda x: x):
        half, one = ops.full_like(c[:1], 0.5), ops.ones_like(c[:1])
        scale = ops.concatenate([half, half, one, half], -1)
        shift = ops.concatenate([half, half, 0 * one, half], -1)

        def step(carry, now):
            h, c = carry
            x, *m = now
            # All four by one tanh.
            gates = project(x) + ops.matmul(h, kernel)
            gates = ops.tanh(gates * scale)
            gates = gates * scale + shift
            i, f, g, o = _split(gates, 4)
            new_c = f * c + i * g
            h = _kept(o * ops.tanh(new_c), h, m)
            c = _kept(new_c, c, m)
            return (h, c), (h, c, gates)

        (last_h, last_c), (hs, cs, gates) = scan(step, (h, c), (x, *mask))
        return (hs, last_h, last_c), (hs, cs, gates)

    def backward(saved, cotangents, x, h, c, kernel, *mask):
        hs, cs, gates = saved
        d_hs, d_h, d_c = cotangents

        def step(carry, now):
            d_h, d_c = carry
            d_out, gates, old_c, c, *m = now
            i, f, g, o = _split(gates, 4)
            tanh_c = ops.tanh(c)
            d_h = d_h + d_out
            real_h, real_c = _only_real(d_h, m), _only_real(d_c, m)
            rest_h, rest_c = _rest(d_h, real_h, m), _rest(d_c, real_c, m)
            real_c = real_c + real_h * o * (1 - tanh_c * tanh_c)
            slopes = [
                real_c * g * i * (1 - i),
                real_c * old_c * f * (1 - f),
                real_c * i * (1 - g * g),
                real_h * tanh_c * o * (1 - o),
            ]
            d_x = ops.concatenate(slopes, -1)
            d_h = ops.matmul(d_x, ops.transpose(kernel)) + rest_h
            return (d_h, real_c * f + rest_c), (d_x,)

        found = (d_hs, gates, _before(c, cs), cs, *mask)
        (d_h, d_c), (d_x,) = scan(step, (d_h, d_c), found, reverse=True)
        d_kernel = _product(_before(h, hs), d_x)
        return d_x, d_h, d_c, d_kernel, *map(ops.zeros_like, mask)

    return forward, backward


def _gru(scan):
    """z, r = sigmoid(.), n = tanh(x_n + r u_n); h = z h' + (1 - z) n."""

    def forward(x, h, kernel, bias, *mask, project=None):
        # Cut before the loop: in it, XLA's code for the cuts is slow.
        xs = [x] if project else _split(x, 3)
        count = len(xs)

        def step(h, now):
            xs, m = now[:count], now[count:]
            x_z, x_r, x_n = _split(project(*xs), 3) if project else xs
            u_z, u_r, u_n = _split(ops.matmul(h, kernel) + bias, 3)
            z, r = _sigmoid(x_z + u_z), _sigmoid(x_r + u_r)
            n = ops.tanh(x_n + r * u_n)
            h = _kept(n + z * (h - n), h, m)
            return h, (h, ops.concatenate([z, r, n, u_n], -1))

        last, (hs, gates) = scan(step, h, (*xs, *mask))
        return (hs, last), (hs, gates)

    def backward(saved, cotangents, x, h, kernel, bias, *mask):
        hs, gates = saved
        d_hs, d_h = cotangents
        z, r, n, u_n = _split(gates, 4)
        before = _before(h, hs)
        slope_z = (before - n) * z * (1 - z)
        slope_n = (1 - z) * (1 - n * n)
        slope_r = slope_n * u_n * r * (1 - r)
        slopes = ops.concatenate([slope_z, slope_r, slope_n * r], -1)

        def step(d_h, now):
            d_out, slopes, z, *m = now
            d_h = d_h + d_out
            real = _only_real(d_h, m)
            rest = _rest(d_h, real, m)
            d_u = ops.concatenate([real, real, real], -1) * slopes
            d_h = ops.matmul(d_u, ops.transpose(kernel)) + real * z + rest
            return d_h, (real,)

        d_h, (real,) = scan(step, d_h, (d_hs, slopes, z, *mask), reverse=True)
        d_x = [real * slope_z, real * slope_r, real * slope_n]
        d_u = ops.concatenate([*d_x[:2], d_x[2] * r], -1)
        d_x = ops.concatenate(d_x, -1)
        d_kernel, d_bias = _product(before, d_u), ops.sum(d_u, axis=(0, 1))
        return d_x, d_h, d_kernel, d_bias, *map(ops.zeros_like, mask)

    return forward, backward


def _in_loop(forward_of_projections, backward_of_projections):
    """The same of inputs, each projected in its step."""

    def forward(x, kernel, bias, *tensors):
        def project(x):
            return ops.matmul(x, kernel) + bias

        return forward_of_projections(x, *tensors, project=project)

    def backward(saved, cotangents, x, kernel, bias, *tensors):
        d_projected, *rest = backward_of_projections(
            saved, cotangents, x, *tensors
        )
        d_x = ops.matmul(d_projected, ops.transpose(kernel))
        d_kernel = _product(x, d_projected)
        return d_x, d_kernel, ops.sum(d_projected, axis=(0, 1)), *rest

    return forward, backward
