"""Normalization of the vector of channels at each pixel."""

import keras
from keras import ops

from keras_dl.checks import check_positive


@keras.saving.register_keras_serializable("keras_dl")
class PixelNormalization(keras.Layer):
    """Gives the vector of channels at each pixel a mean square of 1.

        y = x / sqrt(mean_c x_c^2 + epsilon)

    It has no weights. In a generator it keeps the sizes of activations in
    bounds; on latent vectors it puts them on a sphere.

    **Shapes.** `(batch, ..., channels)` to the same.

    **Precision.** The squares are computed in float32, or in float64 if that
    comes in; `epsilon` is nothing in float16. Where all channels are 0 the
    output is 0, and its gradient finite.

    Args:
        axis: Axis of the channels.
        epsilon: Added to the mean of the squares.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> keras_dl.layers.PixelNormalization()(np.array([[3.0, 4.0]]))
    [[0.849, 1.131]]

    Reference:
        Karras et al., "Progressive growing of GANs for improved quality,
        stability, and variation", 2018, section 4.2.
    """

    def __init__(self, axis=-1, epsilon=1e-8, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis
        self.epsilon = check_positive("epsilon", epsilon)

    def call(self, inputs):
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        x = ops.cast(inputs, dtype)
        square = ops.mean(ops.square(x), axis=self.axis, keepdims=True)
        return ops.cast(x * ops.rsqrt(square + self.epsilon), inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
        }
