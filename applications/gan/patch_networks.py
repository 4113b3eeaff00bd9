"""A discriminator of patches, and how much of an image a network sees."""

import keras

from keras_dl.applications.gan._parts import Parts, check_image_shape, through
from keras_dl.checks import check_integer
from keras_dl.layers import ZeroPadding2D


def patch_discriminator(
    image_shape,
    base=64,
    layers=3,
    condition_shape=None,
    normalization="instance",
    dtype=None,
    name="discriminator",
):
    """A logit for each patch of an image: PatchGAN.

    `layers` convolutions with stride 2 and two with stride 1, all 4 x 4, with
    `base` channels, then twice as many each time, up to 8 times, then one. The
    first and the last are not normalized; a leaky ReLU with a slope of 0.2
    stands behind all but the last. With 3 layers a logit sees 70 x 70 pixels
    (`receptive_field`), and there are 2,764,737 parameters for 3 channels. An
    instance normalization sees the whole map, though, and so do then the
    logits, faintly.

    Args:
        image_shape: `(height, width, channels)`, or `None` for a dynamic
            height or width; sides of more than `2 * 2 ** layers`.
        base: Number of channels of the first convolution.
        layers: Number of convolutions with stride 2.
        condition_shape: Shape of an image that is put beside the first, as in
            pix2pix, of the same height and width; or `None`.
        normalization: `"instance"`, without weights, as in CycleGAN,
            `"batch"`, as in pix2pix, `"layer"` or `None`.
        dtype: Dtype policy; logits are in the dtype of its variables.
        name: Name of the model.

    Returns:
        A `keras.Model`, built: images, or the list of them and of the images
        they are conditioned on, to `(batch, rows, columns, 1)`; 30 x 30 for
        images of 256 x 256.

    Raises:
        ValueError: If an argument is not allowed.

    Reference:
        Isola et al., "Image-to-image translation with conditional adversarial
        networks", 2017; Zhu et al., "Unpaired image-to-image translation using
        cycle-consistent adversarial networks", 2017.
    """
    check_integer("base", base, 1)
    check_integer("layers", layers, 1)
    shape = check_image_shape("image_shape", image_shape, dynamic=True)
    parts = Parts(dtype, normalization, affine=normalization != "instance")
    inputs = x = keras.Input(shape, name="image")
    if condition_shape is not None:
        beside = check_image_shape(
            "condition_shape", condition_shape, dynamic=True
        )
        if beside[:2] != shape[:2]:
            raise ValueError(
                "`condition_shape` must have the height and width of "
                f"`image_shape`. Received: condition_shape={beside}, "
                f"image_shape={shape}."
            )
        condition = keras.Input(beside, name="condition")
        inputs = [inputs, condition]
        x = keras.layers.Concatenate(dtype=parts.dtype)(inputs)
    smallest = 2 * 2**layers + 1
    if any(side is not None and side < smallest for side in shape[:2]):
        raise ValueError(
            f"Height and width in `image_shape` must be at least {smallest} "
            f"for {layers} strided convolutions (`layers` or `patch_layers`). "
            f"Received: image_shape={shape}."
        )
    bias = normalization != "batch"
    for i in range(layers + 1):
        filters = base * min(2**i, 8)
        if i < layers:
            conv = [parts.conv(filters, 4, 2, use_bias=bias or i == 0)]
        else:
            conv = _narrowing(parts, filters, use_bias=bias)
        norm = parts.norm() if i else []
        x = through(x, [*conv, *norm, parts.leaky()])
    x = through(x, _narrowing(parts, 1, dtype=parts.exact))
    return keras.Model(inputs, x, name=name)


def _narrowing(parts, filters, **kwargs):
    """A convolution that makes a map one pixel smaller."""
    return [
        ZeroPadding2D(1, data_format="channels_last", dtype=parts.dtype),
        parts.conv(filters, 4, padding="valid", **kwargs),
    ]


def receptive_field(layers):
    """How many pixels of the input, across, one output value sees.

        r = 1 + sum_i (k_i - 1) s_1 s_2 ... s_{i-1}

    Args:
        layers: Pairs of integers `(kernel, stride)`, from the input on; or a
            model whose convolutions and poolings stand one behind the other,
            and are square.

    Returns:
        An integer.

    Raises:
        ValueError: If the model has layers that make maps larger.

    Example:

    >>> receptive_field([(4, 2), (4, 2), (4, 2), (4, 1), (4, 1)])
    70
    """
    if isinstance(layers, keras.Model):
        layers = list(_kernels_and_strides(layers))
    size, step = 1, 1
    for kernel, stride in layers:
        size += (kernel - 1) * step
        step *= stride
    return size


def _kernels_and_strides(model):
    for layer in model.layers:
        if isinstance(
            layer, (keras.layers.Conv2DTranspose, keras.layers.UpSampling2D)
        ):
            raise ValueError(
                "`layers` must make maps smaller, or leave their size. "
                f"Received: a model with {layer.name!r}."
            )
        if isinstance(layer, keras.layers.Conv2D):
            kernel = (layer.kernel_size[0] - 1) * layer.dilation_rate[0] + 1
            yield kernel, layer.strides[0]
        elif isinstance(
            layer, (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
        ):
            yield layer.pool_size[0], layer.strides[0]
