"""Runs one case in this process and measures it; see `compare`."""

import time

import keras
import numpy as np
from keras import ops, tree

from keras_dl import autodiff
from keras_dl.training import Trainer


def measure(case, inputs, weights=None):
    """Runs `case` and returns its tensors by name, and its time per step.

    Args:
        case: A `Case`.
        inputs: The tuple of arrays to run it on.
        weights: Optional list of arrays: what to set the weights to first.

    Returns:
        `(tensors, weights, seconds)`: arrays by name, the weights that the
        case started with, and the median time of a training step or `None`.
    """
    subject = case.subject
    if isinstance(subject, keras.Model) and subject.compiled:
        return _measure_compiled(case, inputs, weights)
    if isinstance(subject, keras.Layer):
        return _measure_layer(case, inputs, weights)
    return _of_function(case, subject, inputs), [], None


def _measure_compiled(case, inputs, weights):
    model = case.subject
    if not model.weights:
        raise ValueError(
            "A compiled model must be built before it is compared: give its "
            "networks their input shapes."
        )
    weights = _set_weights(model, weights)
    tensors = {}
    seconds = []
    for step in range(case.steps):
        start = time.perf_counter()
        logs = model.train_on_batch(*inputs, return_dict=True)
        seconds.append(time.perf_counter() - start)
        for name, value in logs.items():
            tensors[f"{name} of step {step + 1}"] = np.asarray(value)
    tensors.update(_weights_after(model, case.steps))
    return tensors, weights, _median(seconds)


def _measure_layer(case, inputs, weights):
    layer = case.subject
    layer(*map(ops.convert_to_tensor, inputs))
    weights = _set_weights(layer, weights)

    def call(*tensors):
        return layer(*tensors, **_training_argument(layer, case.training))

    tensors = _of_function(case, call, inputs)
    if layer.trainable_variables:
        _, gradients = autodiff.variable_gradients(
            lambda: _loss(case, call(*map(ops.convert_to_tensor, inputs))),
            layer.trainable_variables,
        )
        for variable, gradient in zip(
            layer.trainable_variables, gradients, strict=True
        ):
            tensors[f"gradient by {variable.path}"] = _array(gradient)
    # The runs above may have moved statistics.
    _set_weights(layer, weights)
    if case.steps and layer.trainable_variables:
        trained, seconds = _train(case, layer, inputs)
        tensors.update(trained)
    else:
        seconds = None
    return tensors, weights, seconds


def _training_argument(layer, training):
    return {"training": training} if layer._call_has_training_arg else {}


class _CaseTrainer(Trainer):
    """Trains a layer on one batch by the loss of its case."""

    def __init__(self, case):
        super().__init__(case.subject)
        self._case = case

    def training_step(self, data):
        inputs = data["inputs"]

        def loss():
            outputs = self.network(
                *inputs, **_training_argument(self.network, True)
            )
            return _loss(self._case, outputs)

        return {"loss": self.minimize(loss)}


def _train(case, layer, inputs):
    trainer = _CaseTrainer(case)
    trainer.compile(optimizer=case.optimizer)
    tensors, seconds = {}, []
    for step in range(case.steps):
        start = time.perf_counter()
        logs = trainer.train_on_batch(
            {"inputs": list(inputs)}, return_dict=True
        )
        seconds.append(time.perf_counter() - start)
        tensors[f"loss of step {step + 1}"] = np.asarray(logs["loss"])
    tensors.update(_weights_after(layer, case.steps))
    return tensors, _median(seconds)


def _of_function(case, fn, inputs):
    """Outputs, and gradients by the floating-point inputs."""
    tensors = [ops.convert_to_tensor(array) for array in inputs]
    outputs = tree.flatten(fn(*tensors))
    results = {
        _numbered("output", i, len(outputs)): _array(output)
        for i, output in enumerate(outputs)
    }
    floating = tuple(
        i
        for i, array in enumerate(inputs)
        if np.issubdtype(array.dtype, np.floating)
    )
    differentiable = any(
        keras.backend.is_float_dtype(output.dtype) for output in outputs
    )
    if floating and differentiable:
        gradients = autodiff.grad(
            lambda *arguments: _loss(case, fn(*arguments)), argnums=floating
        )(*tensors)
        for i, gradient in zip(floating, gradients, strict=True):
            name = _numbered("input", i, len(inputs))
            results[f"gradient by {name}"] = _array(gradient)
    return results


def _loss(case, outputs):
    if case.loss is not None:
        return case.loss(outputs)
    return sum(
        ops.mean(ops.square(ops.cast(output, "float32")))
        for output in tree.flatten(outputs)
        if keras.backend.is_float_dtype(output.dtype)
    )


def _set_weights(layer, weights):
    if weights is not None:
        shapes = [tuple(w.shape) for w in weights]
        here = [tuple(v.shape) for v in layer.weights]
        if shapes != here:
            raise ValueError(
                "The case builds other weights on this backend. "
                f"Shapes there: {shapes}. Here: {here}"
            )
        for variable, value in zip(layer.weights, weights, strict=True):
            variable.assign(value)
    return [_array(variable) for variable in layer.weights]


def _weights_after(layer, steps):
    return {
        f"{variable.path} after {steps} steps": _array(variable)
        for variable in layer.weights
    }


def _array(tensor):
    array = np.asarray(ops.convert_to_numpy(tensor))
    return array.astype("float32") if array.dtype.kind == "V" else array


def _numbered(name, index, count):
    return name if count == 1 else f"{name} {index}"


def _median(seconds):
    """The median without the first steps, which compile."""
    settled = seconds[2:] or seconds
    return float(np.median(settled)) if settled else None
