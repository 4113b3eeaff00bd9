"""What the schedules share: the number of an update, and their checks."""

import math
import numbers

import keras
from keras import ops

from keras_dl.checks import check_integer


class UpdateSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that counts updates as papers do, from 1.

    Keras hands a schedule the number of batches before this one. With
    gradients that are added up over several of them, those are no updates.

    A subclass writes `rate(update)`, in float32.

    Args:
        gradient_accumulation_steps: That of the optimizer: how many batches
            make an update.
    """

    def __init__(self, gradient_accumulation_steps=None):
        self.gradient_accumulation_steps = gradient_accumulation_steps
        if gradient_accumulation_steps is not None:
            check_integer(
                "gradient_accumulation_steps",
                gradient_accumulation_steps,
                minimum=1,
            )

    def __call__(self, step):
        if self.gradient_accumulation_steps is not None:
            step = ops.floor_divide(step, self.gradient_accumulation_steps)
        return self.rate(ops.cast(step, "float32") + 1.0)

    def rate(self, update):
        """The rate of an update, of which the first is 1."""
        raise NotImplementedError

    def get_config(self):
        return {"gradient_accumulation_steps": self.gradient_accumulation_steps}


def check_learning_rate(name, value, positive=True):
    """Returns `value` as a float if it can be a learning rate."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    finite = number and math.isfinite(value)
    if not finite or value < 0 or (value == 0 and positive):
        least = "above 0" if positive else "of at least 0"
        raise ValueError(
            f"`{name}` must be a finite number {least}. "
            f"Received: {name}={value!r}."
        )
    return float(value)
