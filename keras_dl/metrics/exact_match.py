"""The share of sequences that are right as a whole."""

import keras
from keras import ops

from keras_dl import tokens
from keras_dl.metrics._parts import rows
from keras_dl.metrics._parts.ratio import Ratio


@keras.saving.register_keras_serializable("keras_dl")
class ExactMatch(Ratio):
    """Share of the rows whose real tokens are all right.

        sum_r w_r [for each real position i: y_pred[r, i] = y_true[r, i]]
        / sum_r w_r

    **Shapes and units.** `y_true` holds class indices of shape `(batch, T)`,
    or with more axes: all but the first belong to the row. `y_pred` holds
    either indices of the same shape, such as what a decoder has written, or
    logits or probabilities with one more axis, whose largest entry is taken.
    The result lies in [0, 1], and is 0 as long as there was no real row.

    **Masking.** A token is not real if its target is `ignore_class`, if the
    mask that Keras attaches to `y_pred` says so, or if its own `sample_weight`
    is 0: what is predicted there does not matter. A row without real tokens
    does not count.

    **Targets that are no class**, such as -1, 0.7 or NaN, and that count, make
    the result NaN, and so do such predictions.

    **Weights.** `sample_weight` of shape `(batch,)` or `(batch, 1)` weighs the
    rows; of the shape of `y_true` it only says which tokens are real.

    Args:
        ignore_class: Class index whose positions do not count, such as that
            of padding, several in a tuple, or `None`.
        name: Name of the metric.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example:

    >>> metric = ExactMatch(ignore_class=0)
    >>> metric.update_state([[5, 6, 0], [7, 8, 9]], [[5, 6, 3], [7, 8, 8]])
    >>> metric.result()
    0.5
    """

    _direction = "up"  # Read by callbacks with mode="auto".

    def __init__(self, ignore_class=None, name="exact_match", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.ignore_class = tokens.check_ignore_class(ignore_class)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = tokens.as_indices(y_true)
        if not hasattr(y_pred, "shape"):
            y_pred = ops.convert_to_tensor(y_pred)
        rows.check_shapes(y_true, y_pred)
        weight_of_row, weight_of_token = rows.split_weights(
            sample_weight, y_true
        )
        real = tokens.token_weights(
            y_true, y_pred, weight_of_token, self.ignore_class
        )
        if real is None:
            real = ops.ones_like(y_true)
        real = ops.not_equal(real, 0)
        predicted = rows.predicted_indices(y_pred, len(y_true.shape))
        nothing = ops.logical_not(real)
        right = ops.logical_or(ops.equal(y_true, predicted), nothing)
        known = (y_true >= 0) & (predicted >= 0)
        if len(y_pred.shape) > len(y_true.shape):
            known = known & (y_true < y_pred.shape[-1])
        counted = rows.weights_of_rows(real, weight_of_row)
        inside = tuple(range(1, len(y_true.shape)))
        right = ops.cast(ops.all(right, axis=inside), "float32")
        known = ops.all(ops.logical_or(known, nothing), axis=inside)
        right = ops.where(known, right * counted, float("nan"))
        # A row that does not count adds nothing, not even NaN.
        right = ops.where(ops.equal(counted, 0.0), 0.0, right)
        self.add(ops.sum(right), ops.sum(counted))

    def result(self):
        return self.ratio()

    def get_config(self):
        return {**super().get_config(), "ignore_class": self.ignore_class}
