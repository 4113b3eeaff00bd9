"""Rows of class indices: their predictions, shapes and weights."""

from keras import ops

from keras_dl import tokens


def predicted_indices(y_pred, rank):
    """Class indices of a rank, from themselves or from logits."""
    if len(y_pred.shape) > rank:
        return ops.cast(ops.argmax(y_pred, axis=-1), "int32")
    return tokens.as_indices(y_pred)


def split_weights(sample_weight, y_true):
    """Weights as those of the rows, and those of the tokens or `None`."""
    if sample_weight is None:
        return 1.0, None
    weights = ops.cast(ops.convert_to_tensor(sample_weight), "float32")
    if len(weights.shape) == 2 and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, -1)
    if len(weights.shape) < 2:
        tokens.check_weights_fit(weights, y_true)
        return weights, None
    return 1.0, weights


def weights_of_rows(real, weights):
    """The weight of each row, 0 if nothing in it is real.

    Args:
        real: Booleans of shape `(batch, T, ...)`.
        weights: A number, or a tensor of shape `(batch,)`.
    """
    counted = ops.any(real, axis=tuple(range(1, len(real.shape))))
    # Not a product: the weight of what does not count may be NaN.
    nothing = ops.zeros(ops.shape(counted), "float32")
    return ops.where(counted, weights, nothing)


def check_shapes(y_true, y_pred):
    """Raises ValueError if predictions do not fit rows of class indices."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    fits = len(true) >= 2 and len(pred) in (len(true), len(true) + 1)
    known = zip(true, pred, strict=False)
    if not fits or any(None not in (a, b) and a != b for a, b in known):
        raise ValueError(
            "`y_true` must hold class indices of shape `(batch, T)`, and "
            "`y_pred` indices of that shape or logits of shape "
            f"`(batch, T, classes)`. Received: y_true.shape={true}, "
            f"y_pred.shape={pred}."
        )
