"""The generator and the discriminator of DCGAN, for images and classes."""

import keras

from keras_dl.applications.gan._parts import Parts, check_image_shape, through
from keras_dl.checks import check_integer

_SMALLEST = 4  # Side of the smallest map, where the size of the images allows.


def dcgan_generator(
    image_shape,
    latent_dim=100,
    base=64,
    num_classes=None,
    normalization="batch",
    dtype=None,
    name="generator",
):
    """Images from noise, through transposed convolutions.

        h_0 = relu(norm(reshape(W z)))
        h_i = relu(norm(conv_transpose(h_{i-1})))   twice as high and wide
        image = tanh(conv_transpose(h_{n-1}))

    Kernels are 4 x 4 with stride 2. From 64 x 64 the widths are 8, 4, 2 and 1
    times `base`, on maps of 4, 8, 16 and 32; other sizes have as many steps as
    lead down to 4, or to an odd number (28: 7, 14, 28), at least two. With
    64 x 64 x 3 that makes 3,576,704 parameters.

    **Classes.** With `num_classes` a class has an embedding as long as the
    noise, which is put behind it.

    Args:
        image_shape: `(height, width, channels)`; sides are multiples of 4, of
            at least 8.
        latent_dim: Length of the noise.
        base: Width of the last hidden map; no map is wider than 8 times that.
        num_classes: Number of classes, or `None`: no classes.
        normalization: `"batch"`, `"instance"`, `"layer"` or `None`. The
            convolutions have biases if it is `None`.
        dtype: Dtype policy; the image is in the dtype of its variables.
        name: Name of the model.

    Returns:
        A `keras.Model`, built: `(batch, latent_dim)`, or the list of it and
        classes `(batch,)`, to images of -1 to 1.

    Raises:
        ValueError: If an argument is not allowed.

    Reference:
        Radford, Metz and Chintala, "Unsupervised representation learning with
        deep convolutional generative adversarial networks", 2016, in the
        widths of the authors' code, with its initial weights of N(0, 0.02^2).
        The first transposed convolution, of an image of 1 x 1, is a dense
        layer here, of as many weights.
    """
    height, width, channels = check_image_shape(
        "image_shape", image_shape, 4, 8
    )
    parts = Parts(dtype, normalization)
    bias = {"use_bias": normalization is None}
    widths = _widths(height, width, base)
    scale = 2 ** len(widths)
    start = (height // scale, width // scale, widths[-1])

    inputs, x = _noise_and_class(latent_dim, num_classes, parts)
    x = parts.dense(start[0] * start[1] * start[2], **bias)(x)
    x = keras.layers.Reshape(start, dtype=parts.dtype)(x)
    x = through(x, [*parts.norm(), parts.relu()])
    for filters in reversed(widths[:-1]):
        up = [parts.up(filters, **bias), *parts.norm(), parts.relu()]
        x = through(x, up)
    last = parts.up(channels, activation="tanh", dtype=parts.exact, **bias)
    return keras.Model(inputs, last(x), name=name)


def dcgan_discriminator(
    image_shape,
    base=64,
    num_classes=None,
    normalization="batch",
    dtype=None,
    name="discriminator",
):
    """A logit for images, through convolutions: `dcgan_generator` reversed.

        h_1 = leaky_relu(conv(image))
        h_i = leaky_relu(norm(conv(h_{i-1})))       half as high and wide
        logit = w . flatten(h_n)

    Kernels are 4 x 4 with stride 2, the slope of the leaky ReLU is 0.2. With
    64 x 64 x 3 that makes 2,765,568 parameters. There is no sigmoid.

    **Critics.** The gradient penalty of WGAN-GP is one of each image, so it
    does not go with batch normalization: use `"layer"` or `None` with it.

    **Classes.** With `num_classes` the logit has one more term,
    `v_class . mean(h_n)` (a projection), the mean over height and width.

    Args:
        image_shape: `(height, width, channels)`; sides are multiples of 4, of
            at least 8.
        base: Width of the first map; no map is wider than 8 times that.
        num_classes: Number of classes, or `None`: no classes.
        normalization: `"batch"`, `"instance"`, `"layer"` (over all of an
            image, with weights for each channel) or `None`. The convolutions
            have biases if it is `None`.
        dtype: Dtype policy; the logit is in the dtype of its variables.
        name: Name of the model.

    Returns:
        A `keras.Model`, built: images, or the list of them and classes
        `(batch,)`, to `(batch, 1)`.

    Raises:
        ValueError: If an argument is not allowed.

    Reference:
        As `dcgan_generator`; Miyato and Koyama, "cGANs with projection
        discriminator", 2018, who sum where we take the mean.
    """
    shape = check_image_shape("image_shape", image_shape, 4, 8)
    parts = Parts(dtype, normalization)
    bias = {"use_bias": normalization is None}
    image = keras.Input(shape, name="image")
    x = image
    for i, filters in enumerate(_widths(*shape[:2], base)):
        norm = parts.norm() if i else []
        x = through(
            x, [parts.conv(filters, 4, 2, **bias), *norm, parts.leaky()]
        )
    flat = keras.layers.Flatten(data_format="channels_last", dtype=parts.dtype)
    logit = parts.dense(1, dtype=parts.exact, **bias)(flat(x))
    if num_classes is None:
        return keras.Model(image, logit, name=name)
    label = _class_input(num_classes)
    mean = keras.layers.GlobalAveragePooling2D(
        data_format="channels_last", dtype=parts.exact
    )(x)
    vector = parts.embedding(num_classes, x.shape[-1])(label)
    match = keras.layers.Dot(axes=1, dtype=parts.exact)([mean, vector])
    logit = keras.layers.Add(dtype=parts.exact)([logit, match])
    return keras.Model([image, label], logit, name=name)


def _widths(height, width, base):
    """Widths of the maps, from the one of half the size of the images on."""
    check_integer("base", base, 1)
    widths = []
    while height % 2 == width % 2 == 0 and (
        len(widths) < 2 or min(height, width) >= 2 * _SMALLEST
    ):
        height, width = height // 2, width // 2
        widths.append(base * min(2 ** len(widths), 8))
    return widths


def _class_input(num_classes):
    check_integer("num_classes", num_classes, 2)
    return keras.Input((), dtype="int32", name="label")


def _noise_and_class(latent_dim, num_classes, parts):
    """Inputs of a generator, and what they are together."""
    check_integer("latent_dim", latent_dim, 1)
    latent = keras.Input((latent_dim,), name="latent")
    if num_classes is None:
        return latent, latent
    label = _class_input(num_classes)
    vector = parts.embedding(num_classes, latent_dim)(label)
    both = keras.layers.Concatenate(dtype=parts.dtype)([latent, vector])
    return [latent, label], both
