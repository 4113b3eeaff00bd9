"""Convolutions by one operation each on PyTorch."""

import keras
from keras import ops

from keras_dl import backend


@keras.saving.register_keras_serializable("keras_dl")
class Conv2D(keras.layers.Conv2D):
    """Keras' convolution, as one operation.

        y_ijf = activation(sum_abc W_abcf x_{is+a, js+b, c} + b_f)

    On PyTorch Keras adds the bias to the finished result, which reads and
    writes all of it once more. On the other backends it is Keras' operations.
    Arguments, variables, weight files and low-rank updates (`enable_lora`) are
    Keras' own.

    **Shapes.** `(batch, height, width, channels)` to `(batch, rows, columns,
    filters)`, or with `data_format="channels_first"` accordingly; height and
    width may be dynamic.

    Args:
        filters: Number of channels of the output.
        kernel_size: Integer or pair of integers.
        **kwargs: Arguments of `keras.layers.Conv2D`.

    Raises:
        ValueError: As `keras.layers.Conv2D`.

    Example:

    >>> layer = keras_dl.layers.Conv2D(8, 3, padding="same")
    >>> layer(np.ones((1, 6, 6, 3))).shape
    (1, 6, 6, 8)
    """

    def call(self, inputs):
        x = backend.convolve(
            inputs,
            self._used_kernel(),
            self.bias.value if self.use_bias else None,
            self.strides,
            self.padding,
            self.dilation_rate,
            self.data_format == "channels_last",
        )
        return x if self.activation is None else self.activation(x)

    def _used_kernel(self):
        return ops.convert_to_tensor(self.kernel)


@keras.saving.register_keras_serializable("keras_dl")
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """Keras' transposed convolution, as one operation.

    It is the gradient of `Conv2D` by its input. On PyTorch Keras computes more
    than is asked for, cuts that off, and adds the bias then. Where both sides
    lose as much, this layer lets PyTorch do it all at once; elsewhere, and on
    the other backends, it is Keras' operations. Arguments, variables and weight
    files are Keras' own.

    **Shapes.** As `Conv2D`.

    Args:
        filters: Number of channels of the output.
        kernel_size: Integer or pair of integers.
        **kwargs: Arguments of `keras.layers.Conv2DTranspose`.

    Raises:
        ValueError: As `keras.layers.Conv2DTranspose`.

    Example:

    >>> layer = keras_dl.layers.Conv2DTranspose(8, 4, 2, padding="same")
    >>> layer(np.ones((1, 6, 6, 3))).shape
    (1, 12, 12, 8)
    """

    def call(self, inputs):
        if self.output_padding is not None or set(self.dilation_rate) != {1}:
            return super().call(inputs)
        x = backend.convolve_back(
            inputs,
            ops.convert_to_tensor(self.kernel),
            self.bias.value if self.use_bias else None,
            self.strides,
            self.padding,
            self.data_format == "channels_last",
        )
        return x if self.activation is None else self.activation(x)
