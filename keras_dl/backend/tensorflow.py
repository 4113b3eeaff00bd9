"""The TensorFlow adapter: gradients by tapes, state by `tf.Variable`."""

import contextlib
import functools
import threading

import keras
import tensorflow as tf

from keras_dl.backend import loops, scope, tensorflow_replicas
from keras_dl.backend.nesting import (
    depth,
    differentiated,
    is_differentiated,
)
from keras_dl.backend.tensorflow_second_order import exact_operations

name = "tensorflow"
scale_by_replicas = tensorflow_replicas.scale_by_replicas
unscale = tensorflow_replicas.unscale


def scan(step, carry, xs, reverse=False):
    """`step(carry, x) -> (carry, y)` over the first axis, results stacked."""
    steps = xs[0].shape[0] or tf.shape(xs[0])[0]
    arrays = [
        tf.TensorArray(
            x.dtype, steps, clear_after_read=False, element_shape=x.shape[1:]
        ).unstack(x)
        for x in xs
    ]
    first = tuple(array.read(steps - 1 if reverse else 0) for array in arrays)
    stacks = tuple(
        tf.TensorArray(y.dtype, steps, element_shape=y.shape)
        for y in step(carry, first)[1]
    )

    def body(t, carry, stacks):
        at = steps - 1 - t if reverse else t
        carry, ys = step(carry, tuple(array.read(at) for array in arrays))
        written = (s.write(at, y) for s, y in zip(stacks, ys, strict=True))
        return t + 1, carry, tuple(written)

    _, carry, stacks = tf.while_loop(
        lambda t, *_: t < steps,
        body,
        (0, carry, stacks),
        maximum_iterations=steps,
    )
    return carry, tuple(stack.stack() for stack in stacks)


def _jit(fn):
    """Compiles a function of tensors by XLA, for each shape that comes."""
    return tf.function(fn, jit_compile=True)


def _hidden(fn):
    """Hides a compiled function from eager tapes.

    Their gradient is given apart, and XLA cannot hand over what tapes keep.
    """
    return lambda *inputs: fn(*map(tf.stop_gradient, inputs))


def _saves(training):
    """Whether a gradient is to come: nothing else tells a compiled function.

    Keras' steps train, and `keras_dl.grad` says so.
    """
    return not (training is None or training is False) or is_differentiated()


def _many_rows(x):
    """Where, on CPU, projections of all steps are much memory for nothing."""
    return (x.shape[0] or 0) >= 128 and not tf.config.list_logical_devices(
        "GPU"
    )


lstm, gru = loops.make(
    scan, lambda fn: _hidden(_jit(fn)), _jit, in_loop=_many_rows, saves=_saves
)


class _Steps(threading.local):
    """Whether a step of ours runs."""

    inside = False


_steps_of_ours = _Steps()


@contextlib.contextmanager
def own_step():
    """Elsewhere a tape of somebody else may be open, as in Keras' step."""
    before = _steps_of_ours.inside
    _steps_of_ours.inside = True
    try:
        yield
    finally:
        _steps_of_ours.inside = before


@contextlib.contextmanager
def _by_tape():
    others = not _steps_of_ours.inside
    with differentiated(by_others=others) as nested:
        if nested:
            with exact_operations():
                yield
        else:
            yield


def value_and_gradients(fn, tensors):
    """Evaluates `fn(tensors) -> (value, aux)` and d value / d tensors.

    Returns:
        `((value, aux), gradients)`; a gradient is `None` where `value` does
        not depend on the tensor.
    """
    with (
        _by_tape(),
        tf.GradientTape(watch_accessed_variables=False) as tape,
    ):
        # Fresh tensors, so that nothing computed outside counts.
        tensors = [tf.identity(tensor) for tensor in tensors]
        tape.watch(tensors)
        value, aux = fn(tensors)
    return (value, aux), tape.gradient(value, tensors)


def variable_gradients(fn, variables):
    """Like `value_and_gradients`, of `fn()` by the variables that it reads."""
    # Inside `substitute` the values are tensors, else `tf.Variable`s.
    sources = [variable.value for variable in variables]
    with (
        _by_tape(),
        tf.GradientTape(watch_accessed_variables=False) as tape,
    ):
        tape.watch(sources)
        value, aux = fn()
    return (value, aux), tape.gradient(value, sources)


def compiled(function, variables=()):
    """By `tf.function`, which reads variables where they are."""

    scope.precision()  # Makes its variable, which must not be in a graph.

    @functools.cache
    def program(nesting, precision):
        """What is traced depends on how often it is differentiated."""
        return tf.function(lambda *args: function(*args))

    def run(*args):
        # Within a scope variables may read as something else.
        if scope.is_open():
            return function(*args)
        return program(depth(), scope.precision())(*args)

    return run


def compiled_loop(body, variables=()):
    """`while now[0]: now = body(*now)`, compiled as a whole."""
    return compiled(
        lambda *start: tf.while_loop(lambda goes_on, *_: goes_on, body, start),
    )


def write_at(whole, part, index):
    """`whole`, `(batch, time, ...)`, with `part` written from step `index`."""
    start = (0, index) + (0,) * (len(whole.shape) - 2)
    return keras.ops.slice_update(whole, start, part)


def pad(x, sides, channels_last, mode):
    """Images continued on four sides; `mode` is of TensorFlow's `pad`."""
    none = [(0, 0)]
    sides = [*none, *sides, *none] if channels_last else [*none, *none, *sides]
    return tf.pad(x, sides, mode)


def exchange_rows(variable, index, change):
    """Writes `change(rows)` to rows of a variable; returns the old ones.

    Nothing else is written, but with replicas and inside of a scope.
    """
    value = variable.value
    old = tf.gather(value, index)
    if tf.distribute.has_strategy() or scope.is_open():
        rows = keras.ops.expand_dims(index, 1)
        variable.assign(keras.ops.scatter_update(value, rows, change(old)))
    else:
        value.scatter_update(tf.IndexedSlices(change(old), index))
    return old


def densify(gradient):
    """Turns the sparse gradient of an embedding into a dense one."""
    return tf.convert_to_tensor(gradient)


def run_if(condition, function, variables):
    """Runs `function()`, which writes to `variables`, if a condition holds."""
    if tensorflow_replicas.count() > 1:
        raise ValueError(
            "Under `tf.distribute`, several replicas cannot update variables "
            "on a condition, such as that their layer is no longer frozen."
        )
    tf.cond(condition, function, lambda: None)


def run_step(trainer, step, data):
    """Runs the stateful `step(data)` as Keras' TensorFlow trainer expects."""
    with own_step():
        return step(data)
