"""The TensorFlow adapter: gradients by tapes, state by `tf.Variable`."""

import tensorflow as tf

from keras_dl.backend import tensorflow_replicas

name = "tensorflow"
share = tensorflow_replicas.share
whole = tensorflow_replicas.whole


def value_and_gradients(fn, tensors):
    """Evaluates `fn(tensors) -> (value, aux)` and d value / d tensors.

    Returns:
        `((value, aux), gradients)`; a gradient is `None` where `value` does
        not depend on the tensor.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        # Fresh tensors, so that nothing computed outside counts.
        tensors = [tf.identity(tensor) for tensor in tensors]
        tape.watch(tensors)
        value, aux = fn(tensors)
    return (value, aux), tape.gradient(value, tensors)


def variable_gradients(fn, variables):
    """Like `value_and_gradients`, of `fn()` by the variables that it reads."""
    # Inside `substitute` the values are tensors, else `tf.Variable`s.
    sources = [variable.value for variable in variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(sources)
        value, aux = fn()
    return (value, aux), tape.gradient(value, sources)


def densify(gradient):
    """Turns the sparse gradient of an embedding into a dense one."""
    return tf.convert_to_tensor(gradient)


def apply_gradients(optimizer, gradients, variables):
    """Applies `gradients` to `variables` by `optimizer`."""
    optimizer.apply(gradients, variables)


def run_step(trainer, step, data):
    """Runs the stateful `step(data)` as Keras' TensorFlow trainer expects."""
    return step(data)


def guard(trainer, function, check=None):
    """Lets `check(logs)` look at what `function` returns."""
    if check is None:
        return function

    def guarded(data):
        logs = function(data)
        check(logs)
        return logs

    return guarded
