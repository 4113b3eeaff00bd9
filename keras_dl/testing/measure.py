"""Runs one case in this process and measures it; see `compare`."""

import functools
import inspect
import time

import keras
import numpy as np
from keras import ops, tree

from keras_dl import autodiff, backend
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
    return _computed(case, subject, inputs), [], None


def _measure_compiled(case, inputs, weights):
    model = case.subject
    if not model.weights:
        raise ValueError(
            "A compiled model must be built before it is compared: give its "
            "networks their input shapes."
        )
    weights = _set_weights(model, weights)
    tensors = _predictions(model, inputs[0]) if case.predict else {}
    seconds = []
    for step in range(case.steps):
        start = time.perf_counter()
        logs = model.train_on_batch(*inputs, return_dict=True)
        seconds.append(time.perf_counter() - start)
        for name, value in logs.items():
            tensors[f"{name} of step {step + 1}"] = np.asarray(value)
    tensors.update(_weights_after(model, case.steps))
    return tensors, weights, _median(seconds)


def _predictions(model, x):
    outputs = tree.flatten(model.predict_on_batch(x))
    return {
        _numbered("prediction", i, len(outputs)): _array(output)
        for i, output in enumerate(outputs)
    }


def _measure_layer(case, inputs, weights):
    layer = case.subject
    if not layer.built:
        layer(*_tensors(inputs))
    weights = _set_weights(layer, weights)

    def call(*tensors):
        return layer(*tensors, **_training_argument(layer, case.training))

    before = [ops.copy(variable.value) for variable in layer.variables]
    run = functools.partial(backend.at_once, variables=layer.variables)
    tensors = _computed(case, call, inputs, layer.trainable_variables, run)
    # The run above may have moved statistics and seeds.
    for variable, value in zip(layer.variables, before, strict=True):
        variable.assign(value)
    if case.steps and layer.trainable_variables:
        trained, seconds = _train(case, layer, inputs)
        tensors.update(trained)
    else:
        seconds = None
    return tensors, weights, seconds


def _training_argument(layer, training):
    told = "training" in inspect.signature(layer.call).parameters
    return {"training": training} if told else {}


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


def _computed(case, fn, inputs, variables=(), run=lambda function: function):
    """Outputs, and gradients by the floating-point inputs and by variables."""
    floating = tuple(
        i
        for i, array in enumerate(inputs)
        if isinstance(array, np.ndarray)
        and np.issubdtype(array.dtype, np.floating)
    )

    def loss(*tensors):
        return _loss(case, fn(*tensors))

    def everything(*tensors):
        outputs, by_inputs, by_variables = tree.flatten(fn(*tensors)), (), ()
        if any(keras.backend.is_float_dtype(x.dtype) for x in outputs):
            if floating:
                by_inputs = autodiff.grad(loss, argnums=floating)(*tensors)
            if variables:
                _, by_variables = autodiff.variable_gradients(
                    lambda: loss(*tensors), variables
                )
        return outputs, by_inputs, by_variables

    outputs, by_inputs, by_variables = run(everything)(*_tensors(inputs))
    names = [_numbered("output", i, len(outputs)) for i in range(len(outputs))]
    if len(by_inputs):
        names += [
            f"gradient by {_numbered('input', i, len(inputs))}"
            for i in floating
        ]
    if len(by_variables):
        names += [f"gradient by {variable.path}" for variable in variables]
    tensors = [*outputs, *by_inputs, *by_variables]
    return dict(zip(names, map(_array, tensors), strict=True))


def _tensors(inputs):
    return tree.map_structure(ops.convert_to_tensor, inputs)


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
