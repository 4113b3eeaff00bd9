"""F1 of one class of integer labels."""

import keras
from keras import ops

from keras_dl.checks import check_choice
from keras_dl.metrics._parts.classes import class_pairs
from keras_dl.metrics._parts.ratio import Ratio


@keras.saving.register_keras_serializable("keras_dl")
class BinaryF1(Ratio):
    """F1 of the positive one of two classes.

        2 TP / (2 TP + FP + FN)

    the harmonic mean of precision and recall, over all examples since the last
    reset. It is the metric of MRPC and QQP in GLUE.

    **Shapes and units.** `y_true` holds 0 and 1, of shape `(batch, ...)` or
    `(batch, ..., 1)`. `y_pred` holds 0 and 1 of the same shape, or logits or
    probabilities with one more axis of two classes, whose larger entry is
    taken. The result lies in [0, 1], and is 0 as long as no positive example
    came or was predicted.

    **Masking.** An example does not count if the mask that Keras attaches to
    `y_pred` says so, or if its `sample_weight` is 0. An index that is no class
    makes the result NaN.

    Args:
        positive: The positive class, 1 or 0.
        name: Name of the metric.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example:

    >>> metric = BinaryF1()
    >>> metric.update_state([1, 1, 0], [[0.1, 0.9], [0.8, 0.2], [0.7, 0.3]])
    >>> metric.result()
    0.6667

    Where it differs: `keras.metrics.F1Score` takes targets of the shape of the
    predictions, one-hot for two classes; for one sigmoid output it is the one
    to use, with `threshold=0.5`.
    """

    _direction = "up"  # Read by callbacks with mode="auto".

    def __init__(self, positive=1, name="binary_f1", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.positive = check_choice("positive", positive, (0, 1))

    def update_state(self, y_true, y_pred, sample_weight=None):
        true, predicted, weights = class_pairs(y_true, y_pred, 2, sample_weight)
        true = ops.cast(ops.equal(true, self.positive), "float32")
        predicted = ops.cast(ops.equal(predicted, self.positive), "float32")
        self.add(
            2.0 * ops.sum(weights * true * predicted),
            ops.sum(weights * (true + predicted)),
        )

    def result(self):
        return self.ratio()

    def get_config(self):
        return {**super().get_config(), "positive": self.positive}
