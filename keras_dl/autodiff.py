"""Gradients, written once for TensorFlow, JAX and PyTorch.

Four functions, the same on every backend, eager and compiled, to any order:

- `grad` and `value_and_grad` turn a function of tensors into its gradient;
- `variable_gradients` differentiates by Keras variables;
- `substitute` lets variables read as other tensors for a while.

Inside a differentiated function layers run as usual: batch-norm statistics,
seed generators and metrics advance and keep their new state. What was
computed outside of the function is a constant in it.

In the loss of a plain `keras.Model` (`compute_loss`, `add_loss`) they may be
part of what Keras differentiates, as inside one of these functions. Nobody says
so: outside of `keras_dl`'s own steps they count as being inside one. On PyTorch
that costs what a second derivative does, and the gradient belongs to what is
recorded. A loop of one's own is spared both by a function under
`keras_dl.compiled` that can be recorded and returns `ops.stop_gradient(...)`.
"""

import warnings

import keras
from keras import ops, tree

from keras_dl import backend

__all__ = ["grad", "substitute", "value_and_grad", "variable_gradients"]


def value_and_grad(fn, argnums=0, has_aux=False):
    """Makes a function that returns the value and the gradient of `fn`.

    For `value = fn(x, ...)` the new function returns
    `(value, d value / d x)`. It can be differentiated again; in a step of
    a `Trainer` a first-order call does not pay for higher orders.

    Args:
        fn: A function of tensors, or of nested structures of them, that
            returns a floating-point scalar.
        argnums: Integer or tuple of integers: the positional arguments to
            differentiate by. Every tensor in them must be floating-point.
        has_aux: Whether `fn` returns a pair `(value, aux)`, where `aux` is any
            structure that is to be returned beside the value. No gradient
            flows out of the call through `aux`, except into an outer
            gradient.

    Returns:
        A function of the same arguments that returns `(value, gradient)`, or
        `((value, aux), gradient)` if `has_aux`. The gradient has the structure
        of the argument (a tuple of them if `argnums` is a tuple) and is zero
        where `fn` does not depend on it.

    Raises:
        ValueError: If `fn` does not return a scalar, or `argnums` names an
            argument that was not given.
        TypeError: If `argnums` is not an integer or a tuple of integers, or
            the value or an argument to differentiate by is not
            floating-point.

    Example:

    >>> from keras import ops
    >>> from keras_dl import value_and_grad
    >>> value_and_grad(lambda x: ops.sum(x**2))(ops.ones(3))
    (3.0, [2.0, 2.0, 2.0])
    """
    many = isinstance(argnums, tuple)
    positions = argnums if many else (argnums,)
    if not positions or not all(type(p) is int for p in positions):
        raise TypeError(
            "`argnums` must be an integer or a non-empty tuple of integers. "
            f"Received: argnums={argnums!r}"
        )

    def value_and_gradient(*args, **kwargs):
        _check_positions(positions, len(args))
        chosen = tuple(args[p] for p in positions)
        tensors = [_as_float_tensor(leaf) for leaf in tree.flatten(chosen)]

        def of_tensors(tensors):
            full = list(args)
            packed = tree.pack_sequence_as(chosen, tensors)
            for position, argument in zip(positions, packed, strict=True):
                full[position] = argument
            return _split(fn, fn(*full, **kwargs), has_aux)

        (value, aux), gradients = backend.value_and_gradients(
            of_tensors, tensors
        )
        gradients = tree.pack_sequence_as(
            chosen,
            [
                ops.zeros_like(tensor) if gradient is None else gradient
                for gradient, tensor in zip(gradients, tensors, strict=True)
            ],
        )
        return (
            (value, aux) if has_aux else value,
            gradients if many else gradients[0],
        )

    return value_and_gradient


def grad(fn, argnums=0, has_aux=False):
    """Makes a function that returns the gradient of `fn`.

    Args, errors and structure are those of `value_and_grad`.

    Returns:
        A function that returns the gradient, or `(gradient, aux)` if
        `has_aux`.

    Example:

    >>> from keras_dl import grad
    >>> float(grad(grad(lambda x: x**3))(2.0))
    12.0
    """
    with_value = value_and_grad(fn, argnums, has_aux)

    def gradient(*args, **kwargs):
        value, gradients = with_value(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


def variable_gradients(fn, variables, has_aux=False, unconnected="zero"):
    """Evaluates `fn()` and its gradient by Keras variables.

    State that `fn` writes to other variables (batch-norm statistics, seeds,
    metrics) survives. Inside another gradient the result can be
    differentiated again, by the values that the variables then read as.

    Args:
        fn: A function without arguments that returns a floating-point scalar,
            or `(scalar, aux)` if `has_aux`.
        variables: A list of `keras.Variable`s.
        has_aux: Whether `fn` returns a pair.
        unconnected: What stands for the gradient of a variable that the value
            does not depend on: `"zero"`, a tensor of zeros, or `"none"`,
            `None`. Such variables are named in a warning.

    Returns:
        `(value, gradients)`, or `((value, aux), gradients)` if `has_aux`:
        a list with one gradient for each variable, in the same order.

    Raises:
        ValueError: If `fn` does not return a scalar, if the value depends on
            none of the variables, or if `variables` is empty.
        TypeError: If `variables` holds something else than floating-point
            Keras variables.

    Example:

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> x, y = ops.ones((4, 3)), ops.ones((4, 1))
    >>> loss, gradients = keras_dl.variable_gradients(
    ...     lambda: ops.mean((model(x) - y) ** 2), model.trainable_variables
    ... )
    >>> [gradient.shape for gradient in gradients]
    [(3, 1), (1,)]
    """
    if unconnected not in ("zero", "none"):
        raise ValueError(
            "`unconnected` must be 'zero' or 'none'. "
            f"Received: unconnected={unconnected!r}"
        )
    result, gradients = _variable_gradients(fn, variables, has_aux)
    gradients = [
        gradient if gradient is None else backend.densify(gradient)
        for gradient in gradients
    ]
    if unconnected == "zero":
        gradients = [
            ops.zeros(v.shape, v.dtype) if gradient is None else gradient
            for gradient, v in zip(gradients, variables, strict=True)
        ]
    return result if has_aux else result[0], gradients


def _variable_gradients(fn, variables, has_aux=False, scale=None, partly=False):
    """As `variable_gradients`, without densifying; `None` for unconnected.

    `scale` maps the value to the one that is differentiated; the value that
    is returned is the one before. With `partly` no warning names the
    unconnected variables.
    """
    variables = _as_variables(variables)

    def scaled():
        value, aux = _split(fn, fn(), has_aux)
        value = backend.unscale(value)
        return (value if scale is None else scale(value)), (value, aux)

    (_, result), gradients = backend.variable_gradients(scaled, variables)
    missing = [
        variable.path
        for variable, gradient in zip(variables, gradients, strict=True)
        if gradient is None
    ]
    if len(missing) == len(variables):
        raise ValueError(
            f"The value of {_name(fn)} depends on none of the variables to "
            f"differentiate by: {missing}. Compute it from them inside the "
            "function: what is computed outside counts as a constant."
        )
    if missing and not partly:
        warnings.warn(
            f"The value of {_name(fn)} does not depend on the variables "
            f"{missing}: they get no gradient.",
            stacklevel=3,
        )
    return result, gradients


def substitute(variables, values):
    """A context in which each variable reads as the tensor given for it.

    Gradients flow into the tensors. Contexts nest; the innermost one wins.
    Writes to the variables named here end with the context; writes to other
    variables (batch-norm statistics, seeds, metrics) survive it.

    Args:
        variables: A list of `keras.Variable`s.
        values: As many tensors, of the variables' shapes.

    Raises:
        ValueError: If the numbers or the shapes do not match.

    Example: one step of gradient descent, and the loss after it.

    >>> weights = [keras.Variable(3.0)]
    >>> loss_fn = lambda: ops.square(weights[0])
    >>> loss, gradients = keras_dl.variable_gradients(loss_fn, weights)
    >>> fast = [w - 0.1 * g for w, g in zip(weights, gradients)]
    >>> with keras_dl.substitute(weights, fast):
    ...     loss_after = loss_fn()
    >>> loss, loss_after, loss_fn()
    (9.0, 5.76, 9.0)
    """
    variables, values = _as_variables(variables), list(values)
    if len(variables) != len(values):
        raise ValueError(
            "`values` must hold one tensor for each variable. Received: "
            f"{len(values)} values for {len(variables)} variables"
        )
    for variable, value in zip(variables, values, strict=True):
        shape = tuple(ops.shape(value))
        if shape != tuple(variable.shape):
            raise ValueError(
                f"The value for variable {variable.path!r} must have shape "
                f"{tuple(variable.shape)}. Received: shape {shape}"
            )
    return backend.substituted(zip(variables, values, strict=True))


def _check_positions(positions, count):
    for position in positions:
        if not -count <= position < count:
            raise ValueError(
                f"`argnums` names argument {position}, but the function was "
                f"called with {count} positional arguments."
            )


def _as_float_tensor(leaf):
    tensor = ops.convert_to_tensor(leaf)
    if not _is_float(tensor.dtype):
        raise TypeError(
            "Gradients are taken by floating-point tensors only. Received an "
            f"argument of dtype {keras.backend.standardize_dtype(tensor.dtype)}"
        )
    return tensor


def _as_variables(variables):
    variables = list(variables)
    if not variables:
        raise ValueError("`variables` is empty. Is the model built?")
    for variable in variables:
        if not isinstance(variable, keras.Variable):
            raise TypeError(
                "`variables` must hold `keras.Variable`s only. "
                f"Received: {variable!r}"
            )
    return variables


def _split(fn, result, has_aux):
    if not has_aux:
        value, aux = result, None
    elif isinstance(result, tuple) and len(result) == 2:
        value, aux = result
    else:
        raise ValueError(
            f"With `has_aux=True`, {_name(fn)} must return a pair "
            f"`(value, aux)`. Received: {type(result).__name__}"
        )
    return _as_scalar(fn, value), aux


def _as_scalar(fn, value):
    if value is None:
        raise ValueError(f"{_name(fn)} returned None instead of a scalar.")
    value = ops.convert_to_tensor(value)
    if tuple(value.shape) != ():
        raise ValueError(
            f"{_name(fn)} must return a scalar. Received a tensor of shape "
            f"{tuple(value.shape)}: reduce it, for example by `ops.mean`."
        )
    if not _is_float(value.dtype):
        raise TypeError(
            f"{_name(fn)} must return a floating-point scalar. Received dtype "
            f"{keras.backend.standardize_dtype(value.dtype)}"
        )
    return value


def _is_float(dtype):
    return keras.backend.is_float_dtype(dtype)


def _name(fn):
    return f"`{getattr(fn, '__qualname__', type(fn).__name__)}`"
