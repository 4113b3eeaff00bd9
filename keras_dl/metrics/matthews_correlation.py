"""Matthews' correlation of predicted and true classes."""

import keras
from keras import ops

from keras_dl import backend
from keras_dl.checks import check_integer
from keras_dl.metrics._parts.classes import class_pairs
from keras_dl.metrics._parts.sums import Sums


@keras.saving.register_keras_serializable("keras_dl")
class MatthewsCorrelation(Sums):
    """Correlation of predicted and true classes, by their confusion matrix.

    For two classes

        (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN))

    and for any number of them, with t_k true, p_k predicted and c_k right
    examples of class k, and s examples in all,

        sum_k (s c_k - t_k p_k) / sqrt((s^2 - sum_k p_k^2)(s^2 - sum_k t_k^2))

    It is the metric of CoLA in GLUE: a classifier that always says the same
    gets 0, however rare the other classes are.

    **Shapes and units.** `y_true` holds class indices of shape `(batch, ...)`
    or `(batch, ..., 1)`. `y_pred` holds indices of the same shape, or logits
    or probabilities with one more axis, whose largest entry is taken. The
    result is at most 1, for a perfect classifier, and 0 for chance; also as
    long as all targets, or all predictions, are of one class. With two classes
    it is at least -1.

    **Masking.** An example does not count if the mask that Keras attaches to
    `y_pred` says so, or if its `sample_weight` is 0. An index that is no class
    makes the result NaN.

    **Precision.** Kept as a confusion matrix in float32, `num_classes` squared,
    whose sums keep what rounding would lose.

    Args:
        num_classes: Number of the classes, from 2 on.
        name: Name of the metric.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example:

    >>> metric = MatthewsCorrelation()
    >>> metric.update_state([1, 1, 1, 0], [1, 0, 1, 1])
    >>> metric.result()
    -0.3333

    Reference:
        Matthews, "Comparison of the predicted and observed secondary structure
        of T4 phage lysozyme", 1975. Gorodkin, "Comparing two K-category
        assignments by a K-category correlation coefficient", 2004.
    """

    _direction = "up"  # Read by callbacks with mode="auto".

    def __init__(self, num_classes=2, name="matthews_correlation", dtype=None):
        num_classes = check_integer("num_classes", num_classes, minimum=2)
        super().__init__((num_classes, num_classes), name=name, dtype=dtype)
        self.num_classes = num_classes

    def update_state(self, y_true, y_pred, sample_weight=None):
        classes = self.num_classes
        true, predicted, weights = class_pairs(
            y_true, y_pred, classes, sample_weight
        )
        cells = true * classes + predicted
        counts = backend.segment_sum(weights, cells, classes**2)
        self.add_to_sums(ops.reshape(counts, (classes, classes)))

    def result(self):
        counts = ops.convert_to_tensor(self.sums)
        right = ops.diagonal(counts)
        missed = _others(counts, axis=1)  # Of this class, called another.
        wrong = _others(counts, axis=0)  # Called this class, of another.
        true, predicted = right + missed, right + wrong
        not_true, not_predicted = _rest(true), _rest(predicted)
        # Never s^2 - p^2, of which nothing is left if one class is frequent.
        agreement = right * (not_predicted - missed) - wrong * missed
        spreads = ops.sqrt(ops.sum(true * not_true)) * ops.sqrt(
            ops.sum(predicted * not_predicted)
        )
        return ops.divide_no_nan(ops.sum(agreement), spreads)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}


def _others(matrix, axis):
    """Sums of a square matrix along an axis, without its diagonal."""
    off = 1.0 - ops.eye(matrix.shape[-1], dtype="float32")
    return ops.sum(matrix * off, axis=axis)


def _rest(values):
    """For each value the sum of the others."""
    return _others(values[None], axis=1)
