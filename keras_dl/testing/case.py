"""What the comparison of backends runs."""

import dataclasses
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass
class Case:
    """One thing to run on every backend.

    A case is made by a function without arguments, found by name, that each
    backend's process calls afresh: `def my_case(): return Case(...)`.

    Args:
        subject: What runs: a Keras layer or model, a compiled
            `keras_dl.Trainer` or `keras.Model`, or a function of tensors.
        inputs: An array or a tuple of arrays, or of dicts or tuples of them:
            the arguments of `subject`. For a compiled model they are `x`, `y`
            and `sample_weight` of `train_on_batch`, as far as it needs them.
            Random inputs are drawn once, by the first process, and given to
            all.
        loss: Optional function of the outputs that returns a scalar, for
            gradients and training. The default is the mean square of all
            outputs. Not used by a compiled model, which has its own.
        optimizer: What trains a layer or model: a Keras identifier or
            optimizer.
        steps: Integer, how many training steps to take; 0 for none.
        training: Boolean, the `training` argument of a layer or model.
        predict: Boolean, whether to compare also what `predict_on_batch` of a
            compiled model gives before its steps.

    Example:

    ```python
    def dense_case():
        layer = keras.layers.Dense(3, activation="tanh")
        return Case(layer, inputs=np.ones((2, 4), "float32"), steps=5)
    ```
    """

    subject: Any
    inputs: Any
    loss: Callable | None = None
    optimizer: Any = "sgd"
    steps: int = 3
    training: bool = False
    predict: bool = False

    def __post_init__(self):
        if not callable(self.subject):
            raise TypeError(
                "`subject` must be a layer, a model or a function of tensors. "
                f"Received: {self.subject!r}"
            )
        if type(self.steps) is not int or self.steps < 0:
            raise ValueError(
                "`steps` must be an integer of 0 or more. "
                f"Received: steps={self.steps!r}"
            )
        if not isinstance(self.inputs, tuple):
            self.inputs = (self.inputs,)
