"""Normalization of each channel of each image by itself."""

import keras

from keras_dl import backend
from keras_dl.checks import check_positive


@keras.saving.register_keras_serializable("keras_dl")
class InstanceNormalization(keras.Layer):
    """Gives each channel of each sample the mean 0 and the variance 1.

        y = gamma (x - mean) / sqrt(variance + epsilon) + beta

    with mean and variance over all axes but those of samples and channels. It
    is `keras.layers.GroupNormalization(groups=-1)`, to three times as fast on
    a CPU, and takes the variance of what remains after the mean: Keras' way on
    PyTorch, the mean of squares less the square of the mean, loses digits
    where the mean is large, and gives NaN where a channel is flat.

    **Shapes.** `(batch, ..., channels)` to the same. A channel of one pixel
    becomes `beta`.

    **Precision.** Computed in float32, or in float64 if that comes in.

    Args:
        axis: Axis of the channels.
        epsilon: Added to the variances.
        center: Whether there is `beta`.
        scale: Whether there is `gamma`.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed, or the number of channels is
            dynamic.

    Example:

    >>> keras_dl.layers.InstanceNormalization()(np.ones((1, 8, 8, 3))).shape
    (1, 8, 8, 3)

    Reference:
        Ulyanov et al., "Instance normalization: the missing ingredient for
        fast stylization", 2016.
    """

    def __init__(
        self, axis=-1, epsilon=1e-5, center=True, scale=True, **kwargs
    ):
        super().__init__(autocast=False, **kwargs)
        self.axis = axis
        self.epsilon = check_positive("epsilon", epsilon)
        self.center = center
        self.scale = scale

    def build(self, input_shape):
        rank = len(input_shape)
        if not -rank < self.axis < rank or self.axis == 0 or rank < 3:
            raise ValueError(
                "`axis` must be an axis of the inputs other than the first, "
                f"beside which there are others. Received: axis={self.axis}, "
                f"input_shape={tuple(input_shape)}."
            )
        channels = input_shape[self.axis]
        if channels is None:
            raise ValueError(
                "The number of channels must be known. Received: "
                f"axis={self.axis}, input_shape={tuple(input_shape)}."
            )
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                (channels,), "ones", autocast=False, name="gamma"
            )
        if self.center:
            self.beta = self.add_weight(
                (channels,), "zeros", autocast=False, name="beta"
            )
        self.built = True

    def call(self, inputs):
        gamma, beta = (
            None if w is None else w.value for w in (self.gamma, self.beta)
        )
        rest = self.axis, gamma, beta, self.epsilon, self.compute_dtype
        return backend.normalize_instances(inputs, *rest)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
        }
