"""How functions and networks are run: compiled, and without what costs time."""

import functools

from keras_dl import backend


def compiled(function):
    """Compiles a function of tensors that reads Keras variables.

    On JAX and TensorFlow it becomes one program for each set of shapes
    (`jax.jit`, `tf.function`). On PyTorch the operations that it comes to are
    recorded in the second and third call of a set of shapes, and run without
    Python after that; docs/speed.md says what cannot be recorded, and so runs
    as it is.

    It need not be told which variables it reads: weights that change are
    followed, within `keras_dl.substitute` too. What it writes to variables,
    such as the states of seeds and metrics, is written. Variables must have
    been made before: build models first. Losses that layers add inside
    (`add_loss`) are not seen outside: return them. Gradients can be taken
    inside, by `keras_dl.grad`, and through the function, by `keras_dl`, by
    Keras' `fit` and by the backend itself.

    On PyTorch what comes out is part of what it records, as after a call of
    the function itself: a loop whose results become its inputs again keeps all
    of them. Return `ops.stop_gradient(...)` where nobody differentiates.

    Args:
        function: A function of tensors, arrays, and nested structures of them.
            Numbers, strings and the like come in as default arguments or
            closures: what it does must depend on tensors, shapes and
            structures alone. (PyTorch follows attributes and closures that
            change; the others keep what they were.)

    Returns:
        A function of the same arguments.

    Raises:
        TypeError: If `function` cannot be called.

    Example: images moved along the sign of a gradient.

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> def moved(x):
    ...     slope = keras_dl.grad(lambda x: ops.sum(ops.square(model(x))))(x)
    ...     return ops.stop_gradient(x + 0.1 * ops.sign(slope))
    >>> moved = keras_dl.compiled(moved)
    >>> for _ in range(3):
    ...     x = moved(np.ones((2, 3), "float32"))
    >>> x.shape
    (2, 3)
    """
    if not callable(function):
        raise TypeError(
            f"`function` must be callable. Received: function={function!r}"
        )
    run = backend.compiled(function)

    @functools.wraps(function)
    def call(*args):
        return run(*args)

    return call


def run_network(network, inputs, **kwargs):
    """Runs a network without what Keras does around the call of each layer.

    `network(inputs)`, to the last bit, with its masks, losses, hooks and
    policies. On PyTorch a layer of a functional or sequential model costs
    0.3 ms less wherever nobody asks for more than its `call`; on JAX and
    TensorFlow, where steps are compiled, it is Keras' call. For steps of
    training, evaluation loops and whatever else calls small layers often.

    Args:
        network: A Keras layer or model.
        inputs: Its inputs.
        **kwargs: `training`, or other arguments of its call.

    Returns:
        What the network returns.

    Example:

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> keras_dl.run_network(model, ops.ones((2, 3)), training=True).shape
    (2, 1)
    """
    return backend.run_network(network, inputs, **kwargs)
