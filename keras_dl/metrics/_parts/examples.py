"""Batches of images, and weights of whole examples."""

import keras
import numpy as np
from keras import ops

_ROUNDING = 1e-3


def example_weights(sample_weight, examples):
    """The weight of each example, of shape `(batch,)`, in float32.

    Args:
        sample_weight: Weights of shape `(batch,)`, or with more axes of length
            1, as losses of images need them; a number; or `None`.
        examples: A tensor of shape `(batch, ...)`.
    """
    ones = ops.ones((ops.shape(examples)[0],), "float32")
    if sample_weight is None:
        return ones
    weights = ops.cast(ops.convert_to_tensor(sample_weight), "float32")
    given, batch = tuple(weights.shape), examples.shape[0]
    fits = not given or None in (given[0], batch) or given[0] == batch
    if not fits or any(length != 1 for length in given[1:]):
        raise ValueError(
            "`sample_weight` must have a weight for each example. Received: "
            f"sample_weight.shape={given} for a batch of {batch}."
        )
    if len(given) > 1:
        weights = ops.reshape(weights, (-1,))
    return weights * ones


def as_images(y_true, y_pred, max_value=None):
    """Two batches of images in float32, if they have the same shape.

    Args:
        y_true: The images as they should be.
        y_pred: The images as they are.
        max_value: The range of their values. `None`: it must be [0, 1], which
            integers are not, nor arrays with others; in tensors, whose values
            are not known yet, images with others become NaN.
    """
    if max_value is None:
        _check_unit_range("y_true", y_true, inside=True)
        # Estimates may lie outside, as those of a linear layer do.
        _check_unit_range("y_pred", y_pred, inside=False)
    y_true = ops.cast(ops.convert_to_tensor(y_true), "float32")
    y_pred = ops.cast(ops.convert_to_tensor(y_pred), "float32")
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    known = zip(true, pred, strict=False)
    if not len(true) == len(pred) == 4 or any(
        None not in (a, b) and a != b for a, b in known
    ):
        raise ValueError(
            "`y_true` and `y_pred` must be images of the same shape `(batch, "
            f"height, width, channels)`. Received: y_true.shape={true}, "
            f"y_pred.shape={pred}."
        )
    if max_value is None:
        low, high = (
            reduce(y_true, axis=(1, 2, 3), keepdims=True)
            for reduce in (ops.min, ops.max)
        )
        known = ops.logical_and(low >= -_ROUNDING, high <= 1 + _ROUNDING)
        y_true = ops.where(known, y_true, float("nan"))
    return y_true, y_pred


def _check_unit_range(name, images, inside):
    """Refuses images that are not floats, or arrays not of [0, 1]."""
    dtype = keras.backend.standardize_dtype(getattr(images, "dtype", "float32"))
    given = f"{name}.dtype={dtype}"
    bad = "float" not in dtype
    if not bad and inside and isinstance(images, np.ndarray) and images.size:
        bad = images.min() < -_ROUNDING or images.max() > 1 + _ROUNDING
        given = f"{name} from {images.min()} to {images.max()}"
    if bad:
        raise ValueError(
            "`max_value` must be given for images that are not floats of [0, "
            "1]: 255 for bytes, 2 for values of [-1, 1]. Received: "
            f"max_value=None, {given}."
        )


def sums_of_images(values, weights):
    """Weighted sum of a value for each image, and sum of the weights."""
    # Not a product alone: infinity and NaN do not vanish if multiplied by 0.
    counted = ops.not_equal(weights, 0.0)
    values = ops.where(counted, values * weights, ops.zeros_like(weights))
    return ops.sum(values), ops.sum(weights)
