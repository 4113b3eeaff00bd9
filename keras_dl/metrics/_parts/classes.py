"""Class indices and their weights, however targets and predictions came."""

from keras import ops

from keras_dl import tokens


def class_pairs(y_true, y_pred, num_classes, sample_weight=None):
    """Targets, predicted classes and weights, each of shape `(N,)`.

    Args:
        y_true: Class indices of shape `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: Indices of that shape, or logits or probabilities with one
            more axis, the classes.
        num_classes: Number of the classes.
        sample_weight: Weights of rows or of positions, or `None`.

    Returns:
        Two `int32` tensors of classes, and a `float32` tensor of weights: NaN
        where an index is no class but counts.
    """
    if not hasattr(y_pred, "shape"):
        y_pred = ops.convert_to_tensor(y_pred)
    y_true = tokens.as_indices(y_true)
    scores = _holds_scores(y_true.shape, y_pred.shape)
    _check_shapes(y_true.shape, y_pred.shape, scores, num_classes)
    if scores:
        y_true = tokens.class_indices(y_true, y_pred)
    weights = tokens.token_weights(y_true, y_pred, sample_weight)
    if weights is None:
        weights = ops.ones_like(y_true, dtype="float32")
    if scores:
        predicted = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
    else:
        # An index such as 0.7 is a probability where none was expected.
        predicted = tokens.as_indices(y_pred)
    true, true_known = _nearest(y_true, num_classes)
    predicted, known = _nearest(predicted, num_classes)
    known = known & true_known
    wrong = ops.logical_not(known) & ops.not_equal(weights, 0.0)
    weights = ops.where(wrong, float("nan"), weights)
    return tuple(ops.reshape(x, (-1,)) for x in (true, predicted, weights))


def _holds_scores(true, pred):
    """Whether the predictions have an axis of classes."""
    column = len(true) == len(pred) >= 2 and true[-1] == 1 and pred[-1] != 1
    return len(pred) == len(true) + 1 or column


def _nearest(indices, num_classes):
    nearest = ops.clip(indices, 0, num_classes - 1)
    return nearest, ops.equal(nearest, indices)


def _check_shapes(true, pred, scores, num_classes):
    true, pred = tuple(true), tuple(pred)
    shared = pred[:-1] if scores else pred
    known = zip(true, shared, strict=False)
    fits = len(pred) in (len(true), len(true) + 1) and all(
        None in (a, b) or a == b for a, b in known
    )
    if not fits or (scores and pred[-1] not in (None, num_classes)):
        raise ValueError(
            "`y_pred` must hold class indices of the shape of `y_true`, or "
            f"logits with {num_classes} classes as one more axis. Received: "
            f"y_true.shape={true}, y_pred.shape={pred}."
        )
