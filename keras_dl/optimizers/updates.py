"""What the schedules share: the number of an update, and their checks."""

import math
import numbers

from keras import ops


def number_of_update(step):
    """The update as papers count it, from 1, in float32.

    Keras hands a schedule the number of updates that were made: 0 at the
    first.
    """
    return ops.cast(step, "float32") + 1.0


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
