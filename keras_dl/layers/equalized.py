"""Layers whose weights all learn at the same rate."""

import math

import keras
from keras import ops

from keras_dl import backend
from keras_dl.checks import check_positive
from keras_dl.layers.dense import Dense
from keras_dl.layers.image.convolution import Conv2D


class _Equalized:
    """What both layers share: the scale of their kernel."""

    def _set_gain(self, gain):
        self.gain = check_positive("gain", gain)

    def _scaled(self, kernel):
        fan_in = math.prod(kernel.shape[:-1])
        return kernel * (self.gain / math.sqrt(fan_in))

    def get_config(self):
        return {**super().get_config(), "gain": self.gain}


def _standard_normal():
    return keras.initializers.RandomNormal(stddev=1.0)


@keras.saving.register_keras_serializable("keras_dl")
class EqualizedDense(_Equalized, Dense):
    """Dense layer with an equalized learning rate.

        y = activation(x (gain / sqrt(fan_in) W) + b),  W ~ N(0, 1)

    The weights are stored with variance 1, and scaled as He et al. would have
    initialized them each time they are used. To Adam and its kind, whose steps
    do not depend on the size of gradients, the weights of all layers then have
    the same range, and learn equally fast.

    **Shapes.** `(..., inputs)` to `(..., units)`.

    Args:
        units: Size of the output.
        gain: Factor of the scale: `sqrt(2)` before a ReLU, 1 where no
            activation follows.
        **kwargs: Arguments of `keras.layers.Dense`.

    Raises:
        ValueError: If `gain` is not positive.

    Example:

    >>> keras_dl.layers.EqualizedDense(4, gain=1.0)(np.ones((2, 3))).shape
    (2, 4)

    Reference:
        Karras et al., "Progressive growing of GANs for improved quality,
        stability, and variation", 2018, section 4.1.
    """

    def __init__(self, units, gain=2**0.5, **kwargs):
        kwargs.setdefault("kernel_initializer", _standard_normal())
        super().__init__(units, **kwargs)
        self._set_gain(gain)

    def call(self, inputs, training=None):
        kernel = self._scaled(ops.convert_to_tensor(self.kernel))
        bias = None if self.bias is None else ops.convert_to_tensor(self.bias)
        x = backend.linear(inputs, kernel, bias)
        return x if self.activation is None else self.activation(x)


@keras.saving.register_keras_serializable("keras_dl")
class EqualizedConv2D(_Equalized, Conv2D):
    """Convolution with an equalized learning rate.

        y = activation(x * (gain / sqrt(fan_in) W) + b),  W ~ N(0, 1)

    with `fan_in` the number of inputs of one output value: height and width of
    the kernel times its input channels. See `EqualizedDense`.

    **Shapes.** As `keras.layers.Conv2D`.

    Args:
        filters: Number of output channels.
        kernel_size: Integer or pair of integers.
        gain: Factor of the scale: `sqrt(2)` before a ReLU, 1 where no
            activation follows.
        **kwargs: Arguments of `keras.layers.Conv2D`.

    Raises:
        ValueError: If `gain` is not positive.

    Example:

    >>> layer = keras_dl.layers.EqualizedConv2D(4, 3, padding="same")
    >>> layer(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 4)

    Reference:
        Karras et al., "Progressive growing of GANs for improved quality,
        stability, and variation", 2018, section 4.1.
    """

    def __init__(self, filters, kernel_size, gain=2**0.5, **kwargs):
        kwargs.setdefault("kernel_initializer", _standard_normal())
        super().__init__(filters, kernel_size, **kwargs)
        self._set_gain(gain)

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, self._scaled(kernel))

    def _used_kernel(self):
        return self._scaled(super()._used_kernel())
