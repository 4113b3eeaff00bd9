"""The networks of SRGAN, for larger images."""

import keras

from keras_dl.applications.gan._parts import Parts, check_image_shape, through
from keras_dl.checks import check_integer
from keras_dl.layers import PixelShuffle, ResidualBlock


def srgan_generator(
    scale=4,
    blocks=16,
    base=64,
    channels=3,
    residual=False,
    dtype=None,
    name="generator",
):
    """SRResNet: images of any size, `scale` times as high and wide.

        h = prelu(conv9(image))
        h = h + norm(conv(blocks(h)))
        h = prelu(pixel_shuffle(conv(h)))       log2(scale) times
        output = conv9(h)

    Args:
        scale: A power of 2.
        blocks: Number of residual blocks.
        base: Number of channels.
        channels: Channels of the images.
        residual: Whether the last convolution, of zeros at first, draws only
            what the enlarged image lacks, `2 bilinear(image) - 1`. The paper
            has no such shortcut; with it training takes much less time.
        dtype: Dtype policy; the image is in the dtype of its variables.
        name: Name of the model.

    Returns:
        A `keras.Model`, built: images `(batch, height, width, channels)` of
        dynamic size to larger ones. There is no activation at the end: the
        paper has small images of 0 to 1, and large ones of -1 to 1.

    Raises:
        ValueError: If an argument is not allowed.

    Reference:
        Ledig et al., "Photo-realistic single image super-resolution using a
        generative adversarial network", 2017. Initial weights are Keras' own.
    """
    check_scale(scale)
    check_integer("blocks", blocks, 0)
    check_integer("base", base, 1)
    check_integer("channels", channels, 1)
    parts = Parts(dtype, "batch")
    inputs = keras.Input((None, None, channels), name="image")
    x = through(inputs, [_conv(parts, base, 9), _prelu(parts)])
    first = x
    for _ in range(blocks):
        block = ResidualBlock(
            base,
            activation="prelu",
            use_bias=False,
            data_format="channels_last",
            dtype=parts.dtype,
        )
        x = block(x)
    x = through(x, [_conv(parts, base, 3, use_bias=False), *parts.norm()])
    x = keras.layers.Add(dtype=parts.dtype)([first, x])
    for _ in range(scale.bit_length() - 1):
        shuffle = PixelShuffle(
            2, data_format="channels_last", dtype=parts.dtype
        )
        x = through(x, [_conv(parts, 4 * base, 3), shuffle, _prelu(parts)])
    if not residual:
        x = _conv(parts, channels, 9, dtype=parts.exact)(x)
        return keras.Model(inputs, x, name=name)
    last = {"dtype": parts.exact, "kernel_initializer": "zeros"}
    lacking = _conv(parts, channels, 9, **last)(x)
    enlarged = _enlarged(parts, inputs, scale)
    x = keras.layers.Add(dtype=parts.exact)([enlarged, lacking])
    return keras.Model(inputs, x, name=name)


def check_scale(scale):
    """Returns `scale` if it is a power of 2."""
    if check_integer("scale", scale, 2) & (scale - 1):
        raise ValueError(
            f"`scale` must be a power of 2. Received: scale={scale}."
        )
    return scale


def _enlarged(parts, image, scale):
    """Between neighbours; from 0 to 1 before, from -1 to 1 after."""
    enlarge = keras.layers.UpSampling2D(
        scale,
        data_format="channels_last",
        interpolation="bilinear",
        dtype=parts.exact,
    )
    rescale = keras.layers.Rescaling(2.0, -1.0, dtype=parts.exact)
    return through(image, [enlarge, rescale])


def srgan_discriminator(image_shape, base=64, dtype=None, name="discriminator"):
    """A logit for large images: eight convolutions and two dense layers.

    The convolutions are 3 x 3, with stride 1 and 2 in turn and 1, 2, 4 and 8
    times `base` channels; all but the first are batch-normalized. The dense
    layer has 16 times `base` units. The slope of the leaky ReLUs is 0.2. There
    is no sigmoid.

    Args:
        image_shape: `(height, width, channels)`.
        base: Number of channels of the first convolution.
        dtype: Dtype policy; the logit is in the dtype of its variables.
        name: Name of the model.

    Returns:
        A `keras.Model`, built: images to `(batch, 1)`.

    Raises:
        ValueError: If an argument is not allowed.

    Reference:
        As `srgan_generator`.
    """
    check_integer("base", base, 1)
    parts = Parts(dtype, "batch")
    inputs = keras.Input(
        check_image_shape("image_shape", image_shape), name="image"
    )
    x = through(inputs, [_conv(parts, base, 3), parts.leaky()])
    for factor, stride in (
        (1, 2),
        (2, 1),
        (2, 2),
        (4, 1),
        (4, 2),
        (8, 1),
        (8, 2),
    ):
        conv = _conv(parts, factor * base, 3, strides=stride, use_bias=False)
        x = through(x, [conv, *parts.norm(), parts.leaky()])
    x = keras.layers.Flatten(data_format="channels_last", dtype=parts.dtype)(x)
    x = through(x, [_dense(parts, 16 * base), parts.leaky()])
    return keras.Model(inputs, _dense(parts, 1, parts.exact)(x), name=name)


def _conv(parts, *args, kernel_initializer="glorot_uniform", **kwargs):
    kwargs["kernel_initializer"] = kernel_initializer
    return parts.conv(*args, **kwargs)


def _dense(parts, units, dtype=None):
    return keras.layers.Dense(units, dtype=dtype or parts.dtype)


def _prelu(parts):
    return keras.layers.PReLU(
        alpha_initializer=keras.initializers.Constant(0.25),
        shared_axes=(1, 2),
        dtype=parts.dtype,
    )
