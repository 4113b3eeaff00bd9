"""The area under the curve of labels, wherever they stand."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_dl")
class LabelAUC(keras.metrics.AUC):
    """`keras.metrics.AUC`, which also takes labels of each step of a sequence.

    **Shapes.** With `multi_label`, `(batch, ..., num_labels)`: Keras takes two
    axes only. All but the last are examples.
    """

    def update_state(self, y_true, y_pred, sample_weight=None):
        if self.multi_label and len(y_pred.shape) > 2:
            y_true = ops.convert_to_tensor(y_true)
            if sample_weight is not None:
                sample_weight = _of_steps(sample_weight, y_true)
            number = y_pred.shape[-1]
            y_true = ops.reshape(y_true, (-1, number))
            y_pred = ops.reshape(y_pred, (-1, number))
        return super().update_state(y_true, y_pred, sample_weight)


def _of_steps(weights, y_true):
    """The weight of each step, of those of examples or of steps."""
    weights = ops.cast(ops.convert_to_tensor(weights), "float32")
    ones = ops.ones_like(y_true[..., 0], dtype="float32")
    while len(weights.shape) < len(ones.shape):
        weights = ops.expand_dims(weights, -1)
    return ops.reshape(weights * ones, (-1,))
