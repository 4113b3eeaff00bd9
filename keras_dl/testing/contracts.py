"""What every component of a kind has to keep, whatever it computes.

A component's own test calls its contract, and then says only what is special
about it. Each check raises an `AssertionError` that says what broke.
"""

import pathlib
import tempfile

import keras
import numpy as np
from keras import ops, tree

from keras_dl import autodiff, backend
from keras_dl.testing.report import difference

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")


def check_layer(
    make, inputs, policies=POLICIES, no_gradient=(), tolerance=1e-6
):
    """Checks a layer: what Keras and `fit` expect of every one.

    Its config makes an equal layer; it builds symbolically, with a dynamic
    batch, to the shape that it then has; every trainable variable receives a
    gradient; under each dtype policy outputs and gradients are finite, and it
    trains; and it gives the same numbers after saving and loading.

    Args:
        make: A function that takes keyword arguments of `keras.Layer`, such
            as `dtype`, and returns the layer.
        inputs: One array, the layer's input.
        policies: Names of dtype policies to run under.
        no_gradient: Names of variables that need not get a gradient.
        tolerance: For what must be equal, relative to the largest entry.

    Returns:
        The layer, built, under the first policy.
    """
    layer = make(dtype=policies[0])
    outputs, gradients = _run(layer, inputs, policies[0])
    _check_config(layer)
    _check_symbolic(make(dtype=policies[0]), inputs, outputs)
    for variable, gradient in zip(
        layer.trainable_variables, gradients, strict=True
    ):
        _require(
            variable.name in no_gradient or np.any(_numpy(gradient) != 0),
            f"{variable.path} gets no gradient",
        )
    for policy in policies[1:]:
        _run(make(dtype=policy), inputs, policy)
    for policy in policies:
        _check_training(make(dtype=policy), inputs, policy)
    _check_saving(layer, inputs, tolerance)
    return layer


def check_loss(make, y_true, better, worse):
    """Checks a loss: config, reduction, weights, direction and gradient.

    Args:
        make: A function that takes keyword arguments of `keras.losses.Loss`
            and returns the loss.
        y_true: An array of targets.
        better, worse: Predictions; the first must have the lower loss.

    Returns:
        The loss.
    """
    loss = make()
    _check_config(loss)
    low, high = float(loss(y_true, better)), float(loss(y_true, worse))
    _require(low < high, f"the better prediction has no lower loss: {low}")
    each = _numpy(make(reduction="none")(y_true, worse))
    _require(each.ndim > 0, "reduction='none' gives no loss per sample")
    _require_close(np.mean(each), high, "the mean over samples", 1e-5)
    weights = np.zeros(each.shape[0], "float32")
    weights[0] = 1.0
    alone = float(make(reduction="sum")(y_true, worse, sample_weight=weights))
    _require_close(np.sum(each[0]), alone, "the loss of one sample", 1e-5)
    gradient = autodiff.grad(lambda y: loss(y_true, y))(worse)
    _require(np.any(_numpy(gradient) != 0), "the gradient is zero")
    _require(
        np.all(np.isfinite(_numpy(gradient))), "the gradient is not finite"
    )
    return loss


def check_metric(make, batches, expected, tolerance=1e-6):
    """Checks a metric: config, reset, and that batches add up.

    Args:
        make: A function without arguments that returns the metric.
        batches: A list of pairs `(y_true, y_pred)`.
        expected: The value over all of them, from somewhere else.
        tolerance: How far the metric may be from it.

    Returns:
        The metric.
    """
    metric = make()
    _check_config(metric)
    for _ in range(2):
        for y_true, y_pred in batches:
            metric.update_state(y_true, y_pred)
        _require_close(metric.result(), expected, "the result", tolerance)
        metric.reset_state()
    together = make()
    together.update_state(
        *(np.concatenate(parts) for parts in zip(*batches, strict=True))
    )
    _require_close(together.result(), expected, "one big batch", tolerance)
    return metric


def check_optimizer(make, steps=100):
    """Checks an optimizer: config, descent on a bowl, saving its state.

    Args:
        make: A function without arguments that returns the optimizer.
        steps: How many steps may be taken to halve the loss.

    Returns:
        The optimizer, after its steps.
    """
    optimizer = make()
    _check_config(optimizer)
    model = _one_layer_model()
    model.compile(optimizer=optimizer, loss="mse")
    x = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
    y = x @ np.array([[1.0], [-2.0], [0.5]], "float32")
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, batch_size=16, epochs=steps, verbose=0)
    after = model.evaluate(x, y, verbose=0)
    _require(after < before / 2, f"the loss went from {before} to {after}")
    copy = _reloaded(model)
    for _ in range(2):
        losses = [m.train_on_batch(x, y) for m in (model, copy)]
        _require_close(losses[1], losses[0], "a step after reloading", 1e-5)
    return optimizer


def check_callback(make):
    """Checks a callback: a short `fit` and `evaluate`, twice.

    Args:
        make: A function without arguments that returns the callback.

    Returns:
        The `keras.callbacks.History` of the last `fit`.
    """
    callback = make()
    model = _one_layer_model()
    model.compile(optimizer="sgd", loss="mse")
    x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
    for _ in range(2):
        history = model.fit(
            x,
            y,
            batch_size=4,
            epochs=2,
            validation_data=(x, y),
            verbose=0,
            callbacks=[callback],
        )
        model.evaluate(x, y, verbose=0, callbacks=[callback])
    return history


def check_trainer(make, data, tolerance=1e-6):
    """Checks a compiled trainer: `fit`, its logs, and going on after saving.

    Args:
        make: A function without arguments that returns a compiled, built
            trainer of a registered class.
        data: A tuple of arrays: `x`, or `x` and `y`.
        tolerance: For the step after reloading.

    Returns:
        The trainer, trained.
    """
    trainer = make()
    history = trainer.fit(*data, batch_size=4, epochs=2, verbose=0).history
    _require(history, "the step logs nothing")
    for name, values in history.items():
        _require(len(values) == 2, f"{name} is not logged each epoch")
        _require(np.all(np.isfinite(values)), f"{name} is {values}")
    copy = _reloaded(trainer)
    for _ in range(2):
        logs = [
            t.train_on_batch(*[part[:4] for part in data], return_dict=True)
            for t in (trainer, copy)
        ]
        for name, value in logs[0].items():
            _require_close(
                logs[1][name], value, f"{name} after reloading", tolerance
            )
    return trainer


def _check_config(thing):
    config = thing.get_config()
    copy = type(thing).from_config(config)
    _require(
        _plain(copy.get_config()) == _plain(config),
        f"from_config of {type(thing).__name__} changes the config to "
        f"{copy.get_config()} from {config}",
    )
    registered = keras.saving.get_registered_name(type(thing))
    known = keras.saving.get_registered_object(registered)
    builtin = type(thing).__module__.startswith("keras.")
    _require(
        builtin or known is type(thing),
        f"{type(thing).__name__} is not registered: decorate it with "
        "`keras.saving.register_keras_serializable`",
    )


def _plain(config):
    return keras.saving.serialize_keras_object(config)


def _check_symbolic(layer, inputs, outputs):
    inputs = np.asarray(inputs)
    symbolic = layer(keras.Input(inputs.shape[1:], dtype=str(inputs.dtype)))
    for known, real in zip(
        tree.flatten(symbolic), tree.flatten(outputs), strict=True
    ):
        _require(
            all(
                expected in (None, actual)
                for expected, actual in zip(
                    known.shape, real.shape, strict=True
                )
            ),
            f"the symbolic shape is {known.shape}, the real one {real.shape}",
        )


def _run(layer, inputs, policy):
    """The outputs, and gradients of their squares by the variables; finite."""
    _model_of(layer, inputs)  # Builds it.

    def run(inputs):
        def loss():
            outputs = layer(inputs)
            return _mean_of_squares(outputs), tree.flatten(outputs)

        if not layer.trainable_variables:
            return loss()[1], []
        (_, outputs), gradients = autodiff.variable_gradients(
            loss, layer.trainable_variables, has_aux=True
        )
        return outputs, gradients

    run = backend.at_once(run, layer.variables)
    outputs, gradients = run(ops.convert_to_tensor(inputs))
    for what, tensors in ("output", outputs), ("gradient", gradients):
        for tensor in tensors:
            _require(
                np.all(np.isfinite(_numpy(ops.cast(tensor, "float32")))),
                f"the {what} under {policy} is not finite",
            )
    return outputs, gradients


def _check_training(layer, inputs, policy):
    model = _model_of(layer, inputs)
    model.compile(optimizer=keras.optimizers.SGD(1e-3), loss=_training_loss)
    if model.trainable_variables:
        targets = np.zeros((len(inputs), 1), "float32")
        loss = model.train_on_batch(inputs, targets)
        _require(np.isfinite(loss), f"the loss under {policy} is {loss}")


def _model_of(layer, inputs):
    inputs = np.asarray(inputs)
    return keras.Sequential(
        [keras.Input(inputs.shape[1:], dtype=str(inputs.dtype)), layer]
    )


def _mean_of_squares(outputs):
    return sum(
        ops.mean(ops.square(ops.cast(output, "float32")))
        for output in tree.flatten(outputs)
        if keras.backend.is_float_dtype(output.dtype)
    )


@keras.saving.register_keras_serializable("keras_dl")
def _training_loss(y_true, y_pred):
    return _mean_of_squares(y_pred) + 0.0 * ops.sum(ops.cast(y_true, "float32"))


def _check_saving(layer, inputs, tolerance):
    model = _model_of(layer, inputs)
    inputs = np.asarray(inputs)
    expected = model.predict(inputs, verbose=0)
    actual = _reloaded(model).predict(inputs, verbose=0)
    for a, e in zip(tree.flatten(actual), tree.flatten(expected), strict=True):
        _require_close(a, e, "the output after reloading", tolerance)


def _one_layer_model():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])


def _reloaded(model):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.keras"
        model.save(path)
        return keras.models.load_model(path)


def _numpy(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def _require_close(actual, expected, what, tolerance):
    gap = difference(_numpy(actual), _numpy(expected))
    _require(
        gap <= tolerance,
        f"{what} is off by {gap:.1e} (allowed: {tolerance:.1e})",
    )


def _require(condition, message):
    if not condition:
        raise AssertionError(message)
