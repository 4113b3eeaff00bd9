"""StackGAN: images from a description, in two stages."""

import keras
from keras import layers

from keras_dl.applications.gan._parts import Parts, check_image_shape, through
from keras_dl.applications.gan.staged import StagedGAN, repeated
from keras_dl.checks import check_integer
from keras_dl.layers import ConditioningAugmentation, ResidualBlock

_ENLARGED = 4  # How much larger the images of the second stage are.


@keras.saving.register_keras_serializable("keras_dl")
class StackGAN(StagedGAN):
    """Draws a sketch from a description first, and then the image.

    The first stage makes images of a quarter of the side, from noise and a
    condition that is drawn around the description
    (`keras_dl.layers.ConditioningAugmentation`). The second one, with the first
    frozen, makes large images of these and of the description again. Both
    discriminators are shown real images with the descriptions of others, too,
    as fakes.

    **Data.** `(images, descriptions)`: images of -1 to 1 of the last size, and
    vectors such as embeddings of texts, or one-hot classes.

    Args:
        image_shape: `(side, side, channels)`; the side is a multiple of 32.
        description_dim: Length of the descriptions.
        latent_dim: Length of the noise.
        condition_dim: Length of the condition.
        base: Channels of the first convolutions of the discriminators, and a
            multiple of 4; generators have up to 8 times as many.
        blocks: Residual blocks of the second generator.
        stage: Number of the stage to begin with, 0 or 1.
        seed: Integer, or `None` for chance.
        kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> images = np.random.uniform(-1, 1, (4, 32, 32, 3))
    >>> texts = np.random.normal(size=(4, 16))  # Embeddings of captions.
    >>> gan = StackGAN((32, 32, 3), 16, condition_dim=8, base=4, blocks=1)
    >>> history = gan.fit(images, texts, batch_size=4, verbose=0)  # 2 stages
    >>> gan.generate(conditions=texts).shape
    (4, 32, 32, 3)

    Reference:
        Zhang et al., "StackGAN: text to photo-realistic image synthesis with
        stacked generative adversarial networks", 2017. The authors halve the
        rates now and then; ours stay, unless a schedule is given.
    """

    config_arguments = (
        "image_shape",
        "description_dim",
        "latent_dim",
        "condition_dim",
        "base",
        "blocks",
    )

    def __init__(
        self,
        image_shape,
        description_dim,
        latent_dim=100,
        condition_dim=128,
        base=64,
        blocks=4,
        stage=0,
        seed=None,
        **kwargs,
    ):
        shape = check_image_shape("image_shape", image_shape, 32, 32)
        check_integer("description_dim", description_dim, 1)
        check_integer("condition_dim", condition_dim, 1)
        if check_integer("base", base, 4) % 4:
            raise ValueError(
                f"`base` must be a multiple of 4. Received: base={base}."
            )
        dtype = kwargs.get("dtype")
        small = (shape[0] // _ENLARGED, shape[1] // _ENLARGED, shape[2])
        rest = description_dim, condition_dim, base, dtype
        first = sketching_generator(small, latent_dim, *rest)
        second = refining_generator(first, *rest, blocks=blocks)
        super().__init__(
            [
                (first, matching_discriminator(small, *rest)),
                (second, matching_discriminator(shape, *rest)),
            ],
            stage,
            matching_aware=True,
            seed=seed,
            **kwargs,
        )
        self.image_shape, self.description_dim = shape, description_dim
        self.latent_dim, self.condition_dim = latent_dim, condition_dim
        self.base, self.blocks = base, blocks
        first.trainable = stage == 0

    def enter(self, stage):
        super().enter(stage)
        self.generators[0].trainable = stage == 0


def sketching_generator(
    image_shape, latent_dim, description_dim, condition_dim, base, dtype=None
):
    """The generator of the first stage: noise and description to images."""
    parts = Parts(dtype, "batch")
    latent = keras.Input((latent_dim,), name="latent")
    description = keras.Input((description_dim,), name="description")
    condition = ConditioningAugmentation(condition_dim, dtype=dtype)(
        description
    )
    x = layers.Concatenate(dtype=dtype)([condition, latent])
    *sides, channels = image_shape
    doublings = _doublings(sides)
    filters = 8 * base
    start = [side // 2**doublings for side in sides]
    x = parts.dense(start[0] * start[1] * filters, use_bias=False)(x)
    x = layers.Reshape((*start, filters), dtype=dtype)(x)
    x = through(x, [*parts.norm(), parts.relu()])
    for _ in range(doublings):
        filters //= 2
        x = through(x, _doubled(parts, filters))
    image = parts.conv(channels, 3, activation="tanh", dtype=parts.exact)(x)
    return keras.Model([latent, description], image, name="generator_1")


def refining_generator(
    first, description_dim, condition_dim, base, dtype=None, blocks=4
):
    """The generator of the second stage, around that of the first."""
    parts = Parts(dtype, "batch")
    latent = keras.Input(first.inputs[0].shape[1:], name="latent")
    description = keras.Input((description_dim,), name="description")
    sketch = first([latent, description])
    condition = ConditioningAugmentation(condition_dim, dtype=dtype)(
        description
    )
    x = through(sketch, [parts.conv(base, 3), parts.relu()])
    for factor in (2, 4):
        conv = parts.conv(factor * base, 4, 2, use_bias=False)
        x = through(x, [conv, *parts.norm(), parts.relu()])
    vectors = repeated(condition, x.shape[1:3], dtype)
    x = layers.Concatenate(dtype=dtype)([x, vectors])
    conv = parts.conv(4 * base, 3, use_bias=False)
    x = through(x, [conv, *parts.norm(), parts.relu()])
    for _ in range(blocks):
        x = ResidualBlock(
            4 * base, use_bias=False, data_format="channels_last", dtype=dtype
        )(x)
    for filters in (2 * base, base, base // 2, base // 4):
        x = through(x, _doubled(parts, filters))
    channels = first.output_shape[-1]
    image = parts.conv(channels, 3, activation="tanh", dtype=parts.exact)(x)
    return keras.Model([latent, description], image, name="generator_2")


def matching_discriminator(
    image_shape, description_dim, condition_dim, base, dtype=None
):
    """Logits of images that are real and fit their description."""
    parts = Parts(dtype, "batch")
    image = keras.Input(image_shape, name="image")
    description = keras.Input((description_dim,), name="description")
    x, filters = image, base
    for i in range(_doublings(image_shape[:2])):
        conv = parts.conv(filters, 4, 2, use_bias=i == 0)
        norm = parts.norm() if i else []
        x = through(x, [conv, *norm, parts.leaky()])
        filters = min(2 * filters, 8 * base)
    dense = parts.dense(condition_dim)
    vector = through(description, [dense, parts.leaky()])
    vectors = repeated(vector, x.shape[1:3], dtype)
    x = layers.Concatenate(dtype=dtype)([x, vectors])
    conv = parts.conv(8 * base, 1, use_bias=False)
    x = through(x, [conv, *parts.norm(), parts.leaky()])
    x = layers.Flatten(data_format="channels_last", dtype=dtype)(x)
    score = parts.dense(1, dtype=parts.exact)(x)
    return keras.Model([image, description], score, name="discriminator")


def _doubled(parts, filters):
    """A map twice as high and wide."""
    double = layers.UpSampling2D(
        2, data_format="channels_last", dtype=parts.dtype
    )
    conv = parts.conv(filters, 3, use_bias=False)
    return [double, conv, *parts.norm(), parts.relu()]


def _doublings(sides):
    """How often a map of at least 4 x 4 is doubled to have these sides."""
    count = 0
    while all(side % 2 == 0 and side >= 8 for side in sides):
        sides, count = [side // 2 for side in sides], count + 1
    return count
