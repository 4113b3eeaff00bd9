"""Padding of images: zeros, or their own mirror image."""

import keras

from keras_dl import backend
from keras_dl.checks import check_integer
from keras_dl.layers.image.axes import (
    check_data_format,
    check_images,
    space_axes,
)


@keras.saving.register_keras_serializable("keras_dl")
class ZeroPadding2D(keras.layers.ZeroPadding2D):
    """Keras' padding with zeros, as one operation.

    On PyTorch Keras makes an object for every call, which takes longer than to
    pad. Arguments are Keras' own.

    **Shapes.** `(batch, height, width, channels)` to
    `(batch, top + height + bottom, left + width + right, channels)`, or with
    `data_format="channels_first"` accordingly; height and width may be
    dynamic.

    Args:
        padding: How many pixels to add: an integer for all four sides; a pair
            for `(height, width)`, on both sides each; or a pair of pairs
            `((top, bottom), (left, right))`.
        **kwargs: Arguments of `keras.layers.ZeroPadding2D`.

    Raises:
        ValueError: As `keras.layers.ZeroPadding2D`.

    Example:

    >>> keras_dl.layers.ZeroPadding2D((0, 2))(np.ones((1, 4, 4, 3))).shape
    (1, 4, 8, 3)
    """

    def call(self, inputs):
        last = self.data_format == "channels_last"
        return backend.pad(inputs, self.padding, last, "constant")


@keras.saving.register_keras_serializable("keras_dl")
class ReflectionPadding2D(keras.Layer):
    """Continues images over their edges by what lies on the other side.

        d c b [a b c d] c b a

    The pixels of the edge itself are not repeated. Other than padding with
    zeros it makes no frame that a convolution could see.

    **Shapes.** `(batch, height, width, channels)` to
    `(batch, top + height + bottom, left + width + right, channels)`; height
    and width may be dynamic.

    Args:
        padding: How many pixels to add: an integer for all four sides; a pair
            for `(height, width)`, on both sides each; or a pair of pairs
            `((top, bottom), (left, right))`.
        data_format: `"channels_last"` or `"channels_first"`; Keras' own
            setting by default.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed, or an image is not larger
            than its padding.

    Example:

    >>> x = np.arange(4.0).reshape(1, 1, 4, 1)
    >>> keras_dl.layers.ReflectionPadding2D((0, 2))(x)[0, 0, :, 0]
    [2., 1., 0., 1., 2., 3., 2., 1.]
    """

    def __init__(self, padding=1, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.padding = _four_sides(padding)
        self.data_format = check_data_format(data_format)

    def build(self, input_shape):
        check_images(input_shape)
        self._check_size(input_shape)
        self.built = True

    def _check_size(self, shape):
        sizes = [shape[axis] for axis in space_axes(self.data_format)]
        for size, sides in zip(sizes, self.padding, strict=True):
            if size is not None and max(sides) >= size:
                raise ValueError(
                    "Images must be larger than their padding. Received: "
                    f"images of shape {tuple(shape)}, padding={self.padding}."
                )

    def call(self, inputs):
        # Built with a dynamic size, the layer first sees the real one here.
        self._check_size(inputs.shape)
        last = self.data_format == "channels_last"
        return backend.pad(inputs, self.padding, last, "reflect")

    def compute_output_shape(self, input_shape):
        shape = list(input_shape)
        for axis, sides in zip(
            space_axes(self.data_format), self.padding, strict=True
        ):
            if shape[axis] is not None:
                shape[axis] += sum(sides)
        return tuple(shape)

    def get_config(self):
        return {
            **super().get_config(),
            "padding": self.padding,
            "data_format": self.data_format,
        }


def _four_sides(padding):
    """The argument as `((top, bottom), (left, right))`."""
    pair = padding if isinstance(padding, (list, tuple)) else (padding, padding)
    sides = [
        tuple(side) if isinstance(side, (list, tuple)) else (side, side)
        for side in pair
    ]
    if [len(side) for side in sides] != [2, 2]:
        raise ValueError(
            "`padding` must be an integer, a pair of integers, or "
            "((top, bottom), (left, right)). "
            f"Received: padding={padding!r}."
        )
    return tuple(
        tuple(check_integer("padding", size, 0) for size in side)
        for side in sides
    )
