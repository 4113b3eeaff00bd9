"""What the agreement table is made of: `covers`, and how a case is written.

The table is all the functions in `of_*.py` that `covers` decorates. Each makes
one `keras_dl.testing.Case`, which every backend's process computes: outputs,
gradients and a training step, from the same weights and inputs.
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
from sequences import normal

from keras_dl.testing import Case


@dataclasses.dataclass(frozen=True)
class Entry:
    """One row of the table: which components a case is for, how exact it is."""

    make: Callable
    symbols: tuple
    tolerance: float
    only: str

    @property
    def name(self):
        return self.make.__name__


TABLE = []


def covers(*symbols, tolerance=2e-5, only=""):
    """Puts the case that a function makes into the table.

    Args:
        symbols: The public classes and functions that it is a test of.
        tolerance: The largest difference between two backends, relative to the
            largest entry of each tensor.
        only: What the names of the tensors that count contain; all by default.
    """

    def add(make):
        TABLE.append(Entry(make, symbols, tolerance, only))
        return make

    return add


def filled(layer):
    """Gives the trainable weights of a built layer numbers of their own.

    They are the same on every backend, and biases are not 0 nor scales 1,
    which hides faults.
    """
    for i, weight in enumerate(layer.trainable_variables):
        middle = 1.0 if weight.name in ("gamma", "scale") else 0.0
        spread = 0.7 / np.sqrt(weight.shape[0] if len(weight.shape) > 1 else 4)
        weight.assign(middle + spread * normal(*weight.shape, seed=i))
    return layer


def layer_case(layer, *inputs, **options):
    """A layer: outputs, gradients by inputs and weights; a step if it writes.

    To one that writes nothing a step is its gradients, which are there already.
    """
    # Builds it, and computes nothing.
    layer(*(keras.KerasTensor(x.shape, str(x.dtype)) for x in inputs))
    steps = int(bool(layer.non_trainable_variables))
    sgd = keras.optimizers.SGD(0.5)
    options = {"optimizer": sgd, "steps": steps, **options}
    return Case(filled(layer), inputs=inputs, **options)


def masked_case(layer, inputs, **options):
    """The same, where the inputs carry a mask: rows of 0 are not there."""
    x = keras.Input(inputs.shape[1:])
    model = keras.Model(x, layer(keras.layers.Masking()(x)))
    return layer_case(model, inputs, **options)


def function_case(function, *inputs, **options):
    """A function of tensors: outputs, and gradients by the inputs."""
    return Case(function, inputs=inputs, **options)


def model_case(model, x, *targets, optimizer=None, **compiling):
    """A model: predictions, and two steps of `fit`, losses and metrics.

    By plain descent, so that weights after a step tell their gradients.
    `targets` are `y` and, if they count, sample weights.
    """
    model.compile(optimizer or keras.optimizers.SGD(0.1), **compiling)
    model.predict_on_batch(x)
    filled(model)
    return Case(model, inputs=(x, *targets), steps=2, predict=True)
