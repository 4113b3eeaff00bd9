"""Up-sampling by moving channels into space."""

import keras
from keras import ops

from keras_dl.checks import check_integer
from keras_dl.layers.image.axes import (
    channel_axis,
    check_data_format,
    check_images,
    space_axes,
)


@keras.saving.register_keras_serializable("keras_dl")
class PixelShuffle(keras.Layer):
    """Makes images larger by spreading channels over neighbouring pixels.

        y[r h + i, r w + j, c] = x[h, w, c r^2 + i r + j]   0 <= i, j < r

    Behind a convolution with `C r^2` filters it is sub-pixel convolution: a
    convolution of the large image, at the price of one of the small image.
    The order of channels is that of `torch.nn.PixelShuffle`;
    `keras.ops.depth_to_space` has another, `(i r + j) C + c`.

    **Shapes.** `(batch, height, width, C r^2)` to
    `(batch, r height, r width, C)`; height and width may be dynamic.

    Args:
        factor: `r`, how many times as high and wide the output is.
        data_format: `"channels_last"` or `"channels_first"`; Keras' own
            setting by default.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed, or the number of channels
            is no multiple of `factor ** 2`.

    Example:

    >>> keras_dl.layers.PixelShuffle(2)(np.ones((1, 8, 8, 12))).shape
    (1, 16, 16, 3)

    Reference:
        Shi et al., "Real-time single image and video super-resolution using an
        efficient sub-pixel convolutional neural network", 2016.
    """

    def __init__(self, factor, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.factor = check_integer("factor", factor, 1)
        self.data_format = check_data_format(data_format)

    def build(self, input_shape):
        check_images(input_shape)
        channels = input_shape[channel_axis(self.data_format)]
        if channels is None or channels % self.factor**2:
            raise ValueError(
                "The number of channels must be a multiple of factor ** 2 = "
                f"{self.factor**2}. Received: input_shape={input_shape}, "
                f"data_format={self.data_format!r}."
            )
        self.built = True

    def call(self, inputs):
        r, shape = self.factor, ops.shape(inputs)
        if self.data_format == "channels_last":
            batch, height, width, channels = shape
            parts = (batch, height, width, channels // r**2, r, r)
        else:
            batch, channels, height, width = shape
            parts = (batch, channels // r**2, r, r, height, width)
        x = ops.transpose(ops.reshape(inputs, parts), (0, 1, 4, 2, 5, 3))
        return ops.reshape(x, self.compute_output_shape(shape))

    def compute_output_shape(self, input_shape):
        shape = list(input_shape)
        for axis in space_axes(self.data_format):
            if shape[axis] is not None:
                shape[axis] = shape[axis] * self.factor
        shape[channel_axis(self.data_format)] //= self.factor**2
        return tuple(shape)

    def get_config(self):
        return {
            **super().get_config(),
            "factor": self.factor,
            "data_format": self.data_format,
        }
