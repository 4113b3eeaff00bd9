"""Structural similarity of images, over an epoch."""

import keras
import numpy as np
from keras import ops

from keras_dl.checks import check_integer, check_positive
from keras_dl.metrics._parts.examples import (
    as_images,
    example_weights,
    sums_of_images,
)
from keras_dl.metrics._parts.ratio import Ratio


@keras.saving.register_keras_serializable("keras_dl")
class StructuralSimilarity(Ratio):
    """Mean structural similarity (SSIM) of images.

        sum_i w_i SSIM_i / sum_i w_i

    with SSIM_i that of image i, as `keras_dl.metrics.ssim` defines it.

    **Shapes and units.** `y_true` and `y_pred` have the same shape `(batch,
    height, width, channels)`. The result lies in [-1, 1], and is 1 for equal
    images. It is 0 as long as there was no image.

    **Masking.** An image does not count if its `sample_weight` is 0, whatever
    is in it.

    **Precision.** Computed in float32, whatever the dtypes of the images.

    Args:
        max_value: Difference of the largest and the smallest value that an
            image may have: 1 for [0, 1], 2 for [-1, 1], 255 for bytes. `None`:
            1, for floats whose `y_true` lies in [0, 1]; others are refused, and
            within compiled steps make the result NaN.
        size: Side of the window, an odd number of pixels.
        sigma: Standard deviation of the window, in pixels.
        k1, k2: Constants that keep the quotients from 0 / 0.
        name: Name of the metric.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example:

    >>> metric = StructuralSimilarity(max_value=255)
    >>> model = keras.Sequential([keras.layers.Conv2D(1, 1)])
    >>> model.compile(loss="mse", metrics=[metric])
    >>> images = np.random.uniform(0, 255, (2, 16, 16, 1))
    >>> sorted(model.evaluate(images, images, verbose=0, return_dict=True))
    ['loss', 'structural_similarity']

    Reference:
        Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From
        Error Visibility to Structural Similarity", 2004.
    """

    _direction = "up"  # Read by callbacks with mode="auto".

    def __init__(
        self,
        max_value=None,
        size=11,
        sigma=1.5,
        k1=0.01,
        k2=0.03,
        name="structural_similarity",
        dtype=None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.settings = _checked(max_value, size, sigma, k1, k2)

    def update_state(self, y_true, y_pred, sample_weight=None):
        # Before they become tensors, whose values nobody knows.
        y_true, y_pred = as_images(y_true, y_pred, self.settings["max_value"])
        weights = example_weights(sample_weight, y_true)
        settings = {
            **self.settings,
            "max_value": self.settings["max_value"] or 1,
        }
        similarity = ssim(y_true, y_pred, **settings)
        self.add(*sums_of_images(similarity, weights))

    def result(self):
        return self.ratio()

    def get_config(self):
        return {**super().get_config(), **self.settings}


def ssim(y_true, y_pred, max_value=None, size=11, sigma=1.5, k1=0.01, k2=0.03):
    """Structural similarity of each pair of images.

        SSIM = mean of (2 m_x m_y + c1) (2 s_xy + c2)
                       / ((m_x^2 + m_y^2 + c1) (s_x^2 + s_y^2 + c2))

    with c1 = (k1 max_value)^2, c2 = (k2 max_value)^2, and the means m,
    variances s^2 and covariance s_xy under a Gaussian window that moves over
    the images: the mean over channels and all positions at which the window
    lies inside. The defaults are those of the paper.

    It is differentiable: `1 - ssim(y_true, y_pred)` is a loss, with a value
    for each image as Keras expects it.

    Computed in float32, and without convolutions, which may be less precise
    than that on a GPU: a variance is a small difference of large moments.

    Args:
        y_true, y_pred: Images of the same shape `(batch, height, width,
            channels)`, with sides of at least `size`.
        max_value: Difference of the largest and the smallest value that an
            image may have: 1 for [0, 1], 2 for [-1, 1], 255 for bytes. `None`:
            1, for floats whose `y_true` lies in [0, 1]; others are refused, and
            within compiled steps make the result NaN.
        size: Side of the window, an odd number of pixels.
        sigma: Standard deviation of the window, in pixels.
        k1, k2: Constants that keep the quotients from 0 / 0.

    Returns:
        A float32 tensor of shape `(batch,)`, in [-1, 1].

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example:

    >>> images = np.random.uniform(size=(4, 16, 16, 3))
    >>> ssim(images, images)
    [1., 1., 1., 1.]

    As a loss:

    >>> model = keras.Sequential([keras.layers.Conv2D(3, 1)])
    >>> model.compile(loss=lambda y_true, y_pred: 1 - ssim(y_true, y_pred))
    >>> history = model.fit(images, images, verbose=0)

    Reference:
        Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From
        Error Visibility to Structural Similarity", 2004.

    Where it differs: the paper compares the luminance of images alone, and
    code of its authors first makes large images smaller. scikit-image has the
    same numbers with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False`, but works on arrays, one image at a time: it
    is no part of a compiled step, and has no gradient.
    """
    settings = _checked(max_value, size, sigma, k1, k2)
    y_true, y_pred = as_images(y_true, y_pred, max_value)
    max_value = max_value or 1.0
    _check_sides(y_true, size)
    # Scaled, and around 0 where they were in [0, max_value]: squares of large
    # numbers would round the variances off.
    x, y = y_true / max_value - 0.5, y_pred / max_value - 0.5
    moments = ops.concatenate([x, y, x * x, y * y, x * y], axis=-1)
    for axis in (1, 2):
        moments = _blurred(moments, _window(settings), axis)
    x, y, xx, yy, xy = ops.split(moments, 5, axis=-1)
    variances = xx - x * x + yy - y * y
    covariance = xy - x * y
    x, y, c1, c2 = x + 0.5, y + 0.5, k1**2, k2**2
    contrast = (2.0 * covariance + c2) / (variances + c2)
    luminance = (2.0 * x * y + c1) / (x * x + y * y + c1)
    return ops.mean(luminance * contrast, axis=(1, 2, 3))


def _window(settings):
    offsets = np.arange(settings["size"]) - settings["size"] // 2
    weights = np.exp(-0.5 * (offsets / settings["sigma"]) ** 2)
    return [float(weight) for weight in weights / weights.sum()]


def _blurred(images, window, axis):
    """Sums along an axis under a window, where it lies inside."""
    number = ops.shape(images)[axis] - len(window) + 1
    before = (slice(None),) * axis
    return sum(
        weight * images[(*before, slice(i, i + number))]
        for i, weight in enumerate(window)
    )


def _checked(max_value, size, sigma, k1, k2):
    """The settings of the similarity as a dictionary, if they are allowed."""
    if check_integer("size", size, minimum=1) % 2 == 0:
        raise ValueError(f"`size` must be odd. Received: size={size}.")
    return {
        "max_value": (
            None
            if max_value is None
            else check_positive("max_value", max_value)
        ),
        "size": size,
        "sigma": check_positive("sigma", sigma),
        "k1": check_positive("k1", k1),
        "k2": check_positive("k2", k2),
    }


def _check_sides(images, size):
    sides = tuple(images.shape[1:3])
    if any(side is not None and side < size for side in sides):
        raise ValueError(
            f"The window does not fit: images must have sides of at least "
            f"`size`={size}. Received: images of {sides[0]} x {sides[1]}."
        )
