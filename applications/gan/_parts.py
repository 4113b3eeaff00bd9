"""Layers that the networks of GANs share, and how their weights begin."""

import numbers

import keras

from keras_dl.layers import (
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dense,
    InstanceNormalization,
)

_KINDS = ("batch", "instance", "layer", None)


class Parts:
    """Makes layers of one dtype policy, with weights of N(0, 0.02^2).

    Images are channels_last. Statistics of batches have a momentum of 0.9;
    epsilon is 1e-5.
    """

    def __init__(self, dtype, normalization=None, affine=True):
        if normalization not in _KINDS:
            raise ValueError(
                "`normalization` must be 'batch', 'instance', 'layer' or None. "
                f"Received: normalization={normalization!r}."
            )
        self.dtype = keras.dtype_policies.get(dtype)
        # What goes out is not rounded to half precision.
        self.exact = self.dtype.variable_dtype
        self.normalization = normalization
        self.affine = affine

    def conv(self, filters, kernel_size, strides=1, **kwargs):
        return Conv2D(filters, kernel_size, strides, **self._shared(**kwargs))

    def up(self, filters, kernel_size=4, strides=2, **kwargs):
        return Conv2DTranspose(
            filters, kernel_size, strides, **self._shared(**kwargs)
        )

    def _shared(self, padding="same", dtype=None, **kwargs):
        return {
            "padding": padding,
            "data_format": "channels_last",
            "kernel_initializer": normal(),
            "dtype": dtype or self.dtype,
            **kwargs,
        }

    def dense(self, units, dtype=None, **kwargs):
        return Dense(
            units,
            kernel_initializer=normal(),
            dtype=dtype or self.dtype,
            **kwargs,
        )

    def norm(self):
        """The normalization, or nothing, as a list."""
        if self.normalization == "batch":
            layer = BatchNormalization(
                momentum=0.9,
                epsilon=1e-5,
                gamma_initializer=normal(mean=1.0),
                dtype=self.dtype,
            )
        elif self.normalization == "layer":
            # Over all of a sample, with weights for each channel.
            layer = keras.layers.GroupNormalization(
                1, epsilon=1e-5, dtype=self.dtype
            )
        elif self.normalization == "instance":
            layer = InstanceNormalization(
                center=self.affine, scale=self.affine, dtype=self.dtype
            )
        else:
            return []
        return [layer]

    def relu(self):
        return keras.layers.ReLU(dtype=self.dtype)

    def leaky(self):
        return keras.layers.LeakyReLU(0.2, dtype=self.dtype)

    def embedding(self, classes, units):
        return keras.layers.Embedding(
            classes,
            units,
            embeddings_initializer=normal(),
            dtype=self.exact,
        )


def normal(mean=0.0):
    return keras.initializers.RandomNormal(mean, 0.02)


def through(x, layers):
    """Sends a tensor through layers, one after the other."""
    for layer in layers:
        x = layer(x)
    return x


def check_image_shape(name, shape, multiple=1, minimum=1, dynamic=False):
    """Returns `(height, width, channels)` if these sides are allowed."""
    shape = tuple(shape) if isinstance(shape, (list, tuple)) else shape
    if not isinstance(shape, tuple) or len(shape) != 3:
        raise ValueError(
            f"`{name}` must be (height, width, channels). "
            f"Received: {name}={shape!r}."
        )
    for side in shape[:2]:
        if side is None and dynamic:
            continue
        if not _is_count(side, minimum) or side % multiple:
            of = f"multiples of {multiple}, " if multiple > 1 else ""
            raise ValueError(
                f"Height and width in `{name}` must be {of}integers of at "
                f"least {max(minimum, multiple)}. Received: {name}={shape}."
            )
    if not _is_count(shape[2], 1):
        raise ValueError(
            f"The channels in `{name}` must be an integer of at least 1. "
            f"Received: {name}={shape}."
        )
    return shape


def check_shape(image_shape):
    """Returns the shape of images or points, as a tuple, if it is one."""
    several = isinstance(image_shape, (list, tuple))
    shape = tuple(image_shape) if several else image_shape
    if not several or len(shape) not in (1, 3) or not _is_count(shape[-1], 1):
        raise ValueError(
            "`image_shape` must be (height, width, channels), or (dim,) for "
            f"points. Received: image_shape={shape!r}."
        )
    return shape


def _is_count(value, minimum):
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return whole and value >= minimum
