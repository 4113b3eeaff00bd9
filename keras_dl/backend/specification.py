"""What an adapter is: the functions that each backend has, in one place.

`keras_dl.backend` takes each of them from the adapter of the backend, and from
here where that has none of its own: then it is Keras' own operations that are
good enough. What raises `NotImplementedError` here every adapter must write;
arguments are named alike.
"""

import contextlib

import keras
from keras import ops

# Gradients, and writes to variables within what is differentiated.


def value_and_gradients(fn, tensors):
    """Evaluates `fn(tensors) -> (value, aux)` and d value / d tensors.

    Returns:
        `((value, aux), gradients)`; a gradient is `None` where `value` does
        not depend on the tensor.
    """
    raise NotImplementedError


def variable_gradients(fn, variables):
    """Like `value_and_gradients`, of `fn()` by the variables that it reads."""
    raise NotImplementedError


def densify(gradient):
    """A gradient as a dense tensor; that of an embedding may be sparse."""
    return gradient


# Steps of training, as Keras' trainer of the backend expects them.


def own_step():
    """A context in which nobody but us differentiates what is computed."""
    return contextlib.nullcontext()


def run_step(trainer, step, *arguments):
    """Runs the stateful `step(data)` with what Keras gives to `train_step`."""
    raise NotImplementedError


def restore_on_error(trainer, function, check=None):
    """Lets `check(logs)` look at what a train function returns.

    The model is as it was where it fails.
    """
    if check is None:
        return function

    def guarded(data):
        logs = function(data)
        check(logs)
        return logs

    return guarded


def apply_gradients(optimizer, gradients, variables):
    """Applies `gradients` to `variables` by `optimizer`."""
    optimizer.apply(gradients, variables)


def fused_updates(optimizer):
    """A context in which `optimizer.apply` is `apply_gradients`."""
    return contextlib.nullcontext()


def update(optimizer, gradients, variables):
    """The weight decay and update of `apply_gradients` alone.

    Nothing is clipped, averaged or counted.
    """
    decayed = [v for v in variables if optimizer._use_weight_decay(v)]
    if decayed:
        optimizer._apply_weight_decay(decayed)
    optimizer._backend_update_step(
        gradients, variables, optimizer.learning_rate
    )


def run_if(condition, function, variables):
    """Runs `function()`, which writes to `variables`, if a condition holds."""
    raise NotImplementedError


def unscale(value):
    """A loss as a single device would give it, not divided by replicas."""
    return value


def scale_by_replicas(value):
    """This replica's share of a loss that is not divided."""
    return value


# Compiling.


def compiled(function, variables=()):
    """`function(*tensors)`, compiled; see `keras_dl.compiled`.

    It finds the variables that it reads; sooner if some are told.
    """
    raise NotImplementedError


def compiled_loop(body, variables=()):
    """`while now[0]: now = body(*now)`, compiled."""
    raise NotImplementedError


def recorded_step(model, function, name):
    """A step of a model, where Keras does not compile it, without its Python.

    Args:
        model: The compiled model.
        function: What Keras calls with a batch.
        name: What it is called in messages.
    """
    return function


def at_once(function, variables=()):
    """`compiled`, where that takes less time than single operations.

    Elsewhere the function as it is: nothing compiles its operations.
    """
    return function


def forget_compiled():
    """Frees programs that outlive their functions."""


def call(layer, x, **kwargs):
    """`layer(x)`, without what nobody asked for.

    Where steps are compiled, what Keras does around a `call` is gone by then.
    """
    return layer(x, **kwargs)


def run_network(network, inputs, **kwargs):
    """`network(inputs)`, each of its layers as by `call`."""
    return network(inputs, **kwargs)


# Loops over time.


def scan(step, carry, xs):
    """`step(carry, x) -> (carry, y)` over the first axis."""
    raise NotImplementedError


def lstm(x, states, kernel, recurrent_kernel, bias, mask, training):
    """All steps of an LSTM: `(outputs, states)`; see `layers.LSTM`."""
    raise NotImplementedError


def gru(x, states, kernel, recurrent_kernel, bias, mask, training):
    """All steps of a GRU, with the reset behind the product."""
    raise NotImplementedError


def recurrent_kernel_pays(x, weights):
    """Whether `lstm` and `gru` are faster than Keras' loop."""
    return True


def records_gradients():
    """Whether gradients are recorded that `lstm` and `gru` do not have."""
    return False


# Products and look-ups.


def linear(x, kernel, bias=None):
    """`x kernel + bias`."""
    x = ops.matmul(x, kernel)
    return x if bias is None else x + bias


def fused_attention(dtype):
    """`attend(q, k, v, mask)`, heads on axis 2, or `None`: by its parts."""
    return None


def gather_last(x, index):
    """`x[..., index]`, one value for each index."""
    picked = ops.take_along_axis(x, ops.expand_dims(index, -1), axis=-1)
    return ops.squeeze(picked, -1)


def segment_sum(values, segments, number):
    """The sum of the values of each of a number of segments."""
    return ops.segment_sum(values, segments, num_segments=number)


def write_at(whole, part, index):
    """`whole`, `(batch, time, ...)`, with `part` written from step `index`."""
    raise NotImplementedError


def exchange_rows(variable, index, change):
    """Writes `change(rows)` in the place of some rows of a variable.

    Args:
        variable: The variable.
        index: Which rows, all different.
        change: Function of these rows.

    Returns:
        The rows that were there before.
    """
    raise NotImplementedError


# Images.


def convolve(x, kernel, bias, strides, padding, dilation, channels_last):
    """What `keras.layers.Conv2D` computes."""
    data_format = _data_format(channels_last)
    x = ops.conv(x, kernel, strides, padding, data_format, dilation)
    return _with_bias(x, bias, channels_last)


def convolve_back(x, kernel, bias, strides, padding, channels_last):
    """What `keras.layers.Conv2DTranspose` computes, without dilation."""
    x = ops.conv_transpose(
        x, kernel, strides, padding, data_format=_data_format(channels_last)
    )
    return _with_bias(x, bias, channels_last)


def normalize_instances(x, axis, gamma, beta, epsilon, dtype):
    """Each channel of each image to mean 0 and variance 1, then to these.

    In float32 or what is more exact, and then in `dtype`.
    """
    x = ops.cast(x, keras.backend.result_type(dtype, "float32"))
    channels = axis % len(x.shape)
    axes = [i for i in range(1, len(x.shape)) if i != channels]
    x = x - ops.mean(x, axes, keepdims=True)
    variance = ops.mean(ops.square(x), axes, keepdims=True)
    factor = ops.rsqrt(variance + epsilon)
    along = [1] * len(x.shape)
    along[channels] = x.shape[channels]
    if gamma is not None:
        factor = factor * ops.reshape(gamma, along)
    x = x * factor
    if beta is not None:
        x = x + ops.reshape(beta, along)
    return ops.cast(x, dtype)


def normalize_batch(x, axis, gamma, beta, epsilon, dtype):
    """Each channel to mean 0 and variance 1 over the batch, then to these.

    In float32 or what is more exact, and then in `dtype`.

    Returns:
        The result, and each channel's mean and variance.
    """
    x = ops.cast(x, keras.backend.result_type(dtype, "float32"))
    channels = axis % len(x.shape)
    axes = [i for i in range(len(x.shape)) if i != channels]
    mean, variance = ops.moments(x, axes)
    y = ops.batch_normalization(
        x, mean, variance, axis, offset=beta, scale=gamma, epsilon=epsilon
    )
    return ops.cast(y, dtype), mean, variance


def pad(x, sides, channels_last, mode):
    """Images continued on four sides: `mode` is "constant" or "reflect"."""
    none = [(0, 0)]
    sides = [*none, *sides, *none] if channels_last else [*none, *none, *sides]
    if mode == "constant":
        return ops.pad(x, sides)
    # `ops.pad` takes twice as long on JAX.
    for axis, (before, after) in enumerate(sides):
        parts = [x]
        if before:
            parts.insert(0, _mirror_image(x, axis, slice(1, before + 1)))
        if after:
            parts.append(_mirror_image(x, axis, slice(-after - 1, -1)))
        x = ops.concatenate(parts, axis) if len(parts) > 1 else x
    return x


def _mirror_image(x, axis, part):
    return ops.flip(x[(slice(None),) * axis + (part,)], axis)


def _data_format(channels_last):
    return "channels_last" if channels_last else "channels_first"


def _with_bias(x, bias, channels_last):
    if bias is None:
        return x
    shape = (1, 1, 1, -1) if channels_last else (1, -1, 1, 1)
    return x + ops.reshape(bias, shape)
