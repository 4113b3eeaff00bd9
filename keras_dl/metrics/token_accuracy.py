"""The share of tokens that are right."""

import keras
from keras import ops

from keras_dl import tokens
from keras_dl.metrics._parts.ratio import Ratio


@keras.saving.register_keras_serializable("keras_dl")
class TokenAccuracy(Ratio):
    """Share of the real tokens whose likeliest class is the target.

        sum_i w_i [argmax y_pred_i = y_true_i] / sum_i w_i

    **Shapes and units.** `y_true` holds class indices of shape `(batch, ...)`,
    `y_pred` logits or probabilities `(batch, ..., classes)`; so may `y_true`,
    whose likeliest class is the target then. The result lies in [0, 1], and is
    0 as long as there was no real token.

    **Masking.** A token does not count if its target is `ignore_class`, if the
    mask that Keras attaches to `y_pred` says so, or if its weight is 0.

    **Targets that are no class**, such as -1, 0.7 or NaN, and that count, make
    the result NaN.

    Args:
        ignore_class: Class index whose positions do not count, such as that
            of padding, several in a tuple, or `None`.
        name: Name of the metric.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example:

    >>> metric = TokenAccuracy(ignore_class=-1)
    >>> metric.update_state([[0, 1, -1]], np.eye(3)[[[0, 2, 2]]])
    >>> metric.result()
    0.5

    Where it differs: `keras.metrics.SparseCategoricalAccuracy` has no class
    that does not count.
    """

    _direction = "up"  # Read by callbacks with mode="auto".
    _target_kind = "classes"  # Read by keras_dl.models.target_fit.

    def __init__(self, ignore_class=None, name="token_accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.ignore_class = tokens.check_ignore_class(ignore_class)

    def update_state(self, y_true, y_pred, sample_weight=None):
        if not hasattr(y_pred, "shape"):
            y_pred = ops.convert_to_tensor(y_pred)
        y_true = tokens.likeliest_classes(y_true, y_pred, self.ignore_class)
        weights = tokens.token_weights(
            y_true, y_pred, sample_weight, self.ignore_class
        )
        if weights is None:
            weights = ops.ones_like(y_true, dtype="float32")
        right = ops.equal(ops.cast(ops.argmax(y_pred, -1), "int32"), y_true)
        right = ops.cast(right, "float32")
        right = tokens.nan_if_no_class(right, y_true, y_pred) * weights
        # What does not count adds nothing, not even NaN.
        right = ops.where(ops.equal(weights, 0.0), 0.0, right)
        self.add(ops.sum(right), ops.sum(weights))

    def result(self):
        return self.ratio()

    def get_config(self):
        return {**super().get_config(), "ignore_class": self.ignore_class}
