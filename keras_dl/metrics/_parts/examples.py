"""Batches of images, and weights of whole examples."""

from keras import ops


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


def as_images(y_true, y_pred):
    """Two batches of images in float32, if they have the same shape."""
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
    return y_true, y_pred


def sums_of_images(values, weights):
    """Weighted sum of a value for each image, and sum of the weights."""
    # Not a product alone: infinity and NaN do not vanish if multiplied by 0.
    counted = ops.not_equal(weights, 0.0)
    values = ops.where(counted, values * weights, ops.zeros_like(weights))
    return ops.sum(values), ops.sum(weights)
