"""Generators of images from images: CycleGAN's, and pix2pix's U-Net."""

import keras

from keras_dl.applications.gan._parts import (
    Parts,
    check_image_shape,
    normal,
    through,
)
from keras_dl.checks import check_integer, check_rate
from keras_dl.layers import (
    ReflectionPadding2D,
    ResidualBlock,
    ZeroPadding2D,
)


def resnet_generator(
    image_shape,
    blocks=9,
    base=64,
    output_channels=None,
    normalization="instance",
    dtype=None,
    name="generator",
):
    """CycleGAN's generator: down, residual blocks, and up again.

    A 7 x 7 convolution with `base` channels; two 3 x 3 ones with stride 2 and
    twice as many channels each; `blocks` residual blocks; two transposed
    convolutions back up; a 7 x 7 one, and tanh. Each but the last is followed
    by an instance normalization without weights, and a ReLU; the 7 x 7 ones
    and the blocks pad by reflection. With 3 channels and 9 blocks (6 for
    images of 128 x 128) that makes 11,378,179 parameters.

    Args:
        image_shape: `(height, width, channels)`, or `None` for a dynamic
            height or width; multiples of 4, of at least 8.
        blocks: Number of residual blocks.
        base: Number of channels of the first convolution.
        output_channels: Channels of the output; as the input by default.
        normalization: `"instance"`, without weights, as in the paper, or
            `"batch"`. The first one takes from an image how bright and how
            contrasty it is, which small patches cannot do without.
        dtype: Dtype policy; the image is in the dtype of its variables.
        name: Name of the model.

    Returns:
        A `keras.Model`, built: images to images of -1 to 1 of the same size.

    Raises:
        ValueError: If an argument is not allowed.

    Reference:
        Zhu et al., "Unpaired image-to-image translation using cycle-consistent
        adversarial networks", 2017; Johnson et al., "Perceptual losses for
        real-time style transfer and super-resolution", 2016.
    """
    check_integer("blocks", blocks, 0)
    check_integer("base", base, 1)
    shape = check_image_shape("image_shape", image_shape, 4, 8, dynamic=True)
    if output_channels is None:
        output_channels = shape[2]
    check_integer("output_channels", output_channels, 1)
    if normalization not in ("instance", "batch"):
        raise ValueError(
            "`normalization` must be 'instance' or 'batch'. "
            f"Received: normalization={normalization!r}."
        )
    parts = Parts(dtype, normalization, affine=normalization == "batch")

    def normalized(*layers):
        return [*layers, *parts.norm(), parts.relu()]

    inputs = keras.Input(shape, name="image")
    x = through(inputs, normalized(*_reflected(parts, base)))
    for factor in (2, 4):
        x = through(x, normalized(*_half(parts, factor * base)))
    for _ in range(blocks):
        block = ResidualBlock(
            4 * base,
            normalization=normalization,
            padding="reflect",
            kernel_initializer=normal(),
            data_format="channels_last",
            dtype=parts.dtype,
        )
        x = block(x)
    for factor in (2, 1):
        x = through(x, normalized(*_twice(parts, factor * base)))
    last = _reflected(
        parts, output_channels, activation="tanh", dtype=parts.exact
    )
    return keras.Model(inputs, through(x, last), name=name)


def _reflected(parts, filters, **kwargs):
    """A 7 x 7 convolution that keeps the size, padded by reflection."""
    return [
        ReflectionPadding2D(3, data_format="channels_last", dtype=parts.dtype),
        parts.conv(filters, 7, padding="valid", **kwargs),
    ]


def _half(parts, filters):
    """A 3 x 3 convolution with stride 2, whose first window is centred on 0."""
    return [
        ZeroPadding2D(
            ((1, 0), (1, 0)), data_format="channels_last", dtype=parts.dtype
        ),
        parts.conv(filters, 3, 2, padding="valid"),
    ]


def _twice(parts, filters):
    """The transposed convolution of `_half`.

    With `padding="same"` backends differ in which edge they cut off.
    """
    return [
        parts.up(filters, 3, padding="valid"),
        keras.layers.Cropping2D(
            ((1, 0), (1, 0)), data_format="channels_last", dtype=parts.dtype
        ),
    ]


def unet_generator(
    image_shape,
    output_channels,
    base=64,
    depth=8,
    normalization="batch",
    dropout=0.5,
    seed=None,
    dtype=None,
    name="generator",
):
    """pix2pix's generator: down to a point and up again, with ways across.

    `depth` convolutions, 4 x 4 with stride 2 and `base` channels, then twice
    as many each time, up to 8 times; as many transposed convolutions back.
    Each of these but the last is put beside the map of the same size on the
    way down. The first and the innermost convolution, and the last, are not
    normalized. ReLUs are leaky on the way down, with a slope of 0.2.

    **Dropout** behind the first three layers on the way up is the generator's
    noise. The paper has it, and statistics of the batch, when it makes its
    pictures, too: call the model with `training=True` for that.

    Args:
        image_shape: `(height, width, channels)`; sides are multiples of
            `2 ** depth`.
        output_channels: Channels of the output.
        base: Number of channels of the first convolution.
        depth: Number of convolutions; 8 for images of 256 x 256.
        normalization: `"batch"`, `"instance"`, `"layer"` or `None`.
        dropout: Share to drop, in [0, 1).
        seed: Integer for dropout that can be repeated, or `None`.
        dtype: Dtype policy; the image is in the dtype of its variables.
        name: Name of the model.

    Returns:
        A `keras.Model`, built: images to images of -1 to 1 of the same size.

    Raises:
        ValueError: If an argument is not allowed.

    Reference:
        Isola et al., "Image-to-image translation with conditional adversarial
        networks", 2017; Ronneberger et al., "U-Net: convolutional networks for
        biomedical image segmentation", 2015.
    """
    check_integer("depth", depth, 2)
    check_integer("base", base, 1)
    check_integer("output_channels", output_channels, 1)
    check_rate("dropout", dropout)
    shape = check_image_shape("image_shape", image_shape, 2**depth)
    parts = Parts(dtype, normalization)
    bias = {"use_bias": normalization is None}
    widths = [base * min(2**i, 8) for i in range(depth)]
    inputs = keras.Input(shape, name="image")
    x, across = parts.conv(base, 4, 2)(inputs), []
    for filters in widths[1:-1]:
        across.append(x)
        down = [parts.leaky(), parts.conv(filters, 4, 2, **bias)]
        x = through(x, [*down, *parts.norm()])
    across.append(x)
    innermost = parts.conv(widths[-1], 4, 2)
    x = through(x, [parts.leaky(), innermost])
    for i, filters in enumerate(reversed(widths[:-1])):
        up = [parts.relu(), parts.up(filters, **bias), *parts.norm()]
        if dropout and i < 3:
            own = None if seed is None else seed + i
            up.append(
                keras.layers.Dropout(dropout, seed=own, dtype=parts.dtype)
            )
        x = through(x, up)
        x = keras.layers.Concatenate(dtype=parts.dtype)([x, across.pop()])
    last = parts.up(output_channels, activation="tanh", dtype=parts.exact)
    return keras.Model(inputs, last(parts.relu()(x)), name=name)
