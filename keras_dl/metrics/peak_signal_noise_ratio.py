"""Peak signal-to-noise ratio of images, over an epoch."""

import math

import keras
from keras import ops

from keras_dl.checks import check_positive
from keras_dl.metrics._parts.examples import (
    as_images,
    example_weights,
    sums_of_images,
)
from keras_dl.metrics._parts.ratio import Ratio


@keras.saving.register_keras_serializable("keras_dl")
class PeakSignalNoiseRatio(Ratio):
    """Peak signal-to-noise ratio (PSNR) of images, in decibels.

        sum_i w_i 10 log10(max_value^2 / MSE_i) / sum_i w_i

    with MSE_i the mean squared error over the pixels and channels of image i:
    the mean of the ratios of the images, as papers report it.

    **Shapes and units.** `y_true` and `y_pred` have the same shape `(batch,
    height, width, channels)`, in any order of the last three, and values of
    the range of which `max_value` is the length. An image that is exact has
    an infinite ratio, and so has then the mean. The result is 0 as long as
    there was no image.

    **Masking.** An image does not count if its `sample_weight` is 0, whatever
    is in it.

    **Precision.** Computed in float32, whatever the dtypes of the images.

    Args:
        max_value: Difference of the largest and the smallest value that an
            image may have: 1 for [0, 1], 2 for [-1, 1], 255 for bytes. `None`:
            1, for floats whose `y_true` lies in [0, 1]; others are refused, and
            within compiled steps make the result NaN.
        name: Name of the metric.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example:

    >>> metric = PeakSignalNoiseRatio()
    >>> metric.update_state(np.zeros((1, 8, 8, 3)), np.full((1, 8, 8, 3), 0.1))
    >>> metric.result()
    20.0

    Reference:
        Hore and Ziou, "Image Quality Metrics: PSNR vs. SSIM", ICPR 2010.

    Where it differs: `keras.ops.psnr` is the ratio of the mean squared error
    of a whole batch, and scikit-image computes that of one image at a time,
    outside of a compiled step.
    """

    _direction = "up"  # Read by callbacks with mode="auto".

    def __init__(
        self, max_value=None, name="peak_signal_noise_ratio", dtype=None
    ):
        super().__init__(name=name, dtype=dtype)
        self.max_value = None
        if max_value is not None:
            self.max_value = check_positive("max_value", max_value)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = as_images(y_true, y_pred, self.max_value)
        weights = example_weights(sample_weight, y_true)
        error = ops.mean(ops.square(y_true - y_pred), axis=(1, 2, 3))
        # Not a division: the error may be 0, and the ratio infinite.
        peak = 20.0 * math.log10(self.max_value or 1.0)
        decibels = peak - 10.0 * ops.log10(error)
        self.add(*sums_of_images(decibels, weights))

    def result(self):
        return self.ratio()

    def get_config(self):
        return {**super().get_config(), "max_value": self.max_value}
