"""Progressive GAN: networks that grow while they are trained."""

import keras
from keras import layers, ops, tree

from keras_dl.applications.gan._parts import check_image_shape
from keras_dl.applications.gan.staged import StagedGAN
from keras_dl.checks import check_integer, check_positive
from keras_dl.layers import (
    EqualizedConv2D,
    EqualizedDense,
    FadeIn,
    MinibatchStandardDeviation,
    PixelNormalization,
    ZeroPadding2D,
)
from keras_dl.losses import DriftPenalty, GradientPenalty


@keras.saving.register_keras_serializable("keras_dl")
class ProgressiveGAN(StagedGAN):
    """Learns small images first, then ever larger ones.

    The first stage makes images of 4 x 4. Each further one doubles the side:
    both networks get two more convolutions, which are faded in
    (`keras_dl.layers.FadeIn`) over the first images of the stage. All weights
    have equalized rates; the generator normalizes pixels; the critic sees how
    much the images of a batch differ. The game is that of WGAN-GP, with the
    drift penalty. With 1024 x 1024 x 3 the generator has 23,071,507 parameters
    in its last stage, the critic 23,077,137.

    **Data.** Images of -1 to 1 of the last size.

    **Training.** `fit` trains every stage for `epochs`, as one training. Killed
    in any of them it goes on there: from a `.keras` file by `fit` with the same
    `epochs`, or from a new GAN by `keras.callbacks.BackupAndRestore`. The first
    half of the images of a stage fade it in; for a dataset whose length is not
    known, give `fade_images`.

    Args:
        image_shape: `(side, side, channels)`, the side a power of 2, of at
            least 8.
        latent_dim: Length of the noise.
        base: Stage s, from 1 on, has `base / 2**s` channels, and no more than
            `max_filters`.
        max_filters: As above.
        fade_images: Number of images that fade in a stage; by default half of
            those that `fit` shows it.
        stage: Number of the stage to begin with, from 0 on.
        seed: Integer, or `None` for chance.
        kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If an argument is not allowed, or nobody says how many
            images fade in a stage.

    Example:

    >>> images = np.random.uniform(-1, 1, (4, 8, 8, 3))
    >>> gan = ProgressiveGAN((8, 8, 3), latent_dim=8, base=16)
    >>> history = gan.fit(images, batch_size=4, verbose=0)  # 2 stages
    >>> gan.generate(16).shape
    (16, 8, 8, 3)

    Reference:
        Karras et al., "Progressive growing of GANs for improved quality,
        stability, and variation", 2018. The authors show images of an average
        of the generators of the last steps: `use_ema` of Keras' optimizers.
    """

    config_arguments = (
        "image_shape",
        "latent_dim",
        "base",
        "max_filters",
        "fade_images",
    )

    def __init__(
        self,
        image_shape,
        latent_dim=512,
        base=8192,
        max_filters=512,
        fade_images=None,
        stage=0,
        seed=None,
        **kwargs,
    ):
        shape = check_image_shape("image_shape", image_shape, 8, 8)
        if shape[0] != shape[1] or shape[0] & (shape[0] - 1):
            raise ValueError(
                "`image_shape` must be square, with a side that is a power of "
                f"2. Received: image_shape={shape}."
            )
        check_integer("latent_dim", latent_dim, 1)
        check_integer("base", base, 1)
        check_integer("max_filters", max_filters, 1)
        if fade_images is not None:
            check_positive("fade_images", fade_images)
        number = shape[0].bit_length() - 2
        widths = [
            max(1, min(base // 2**s, max_filters)) for s in range(number + 1)
        ]
        dtype = kwargs.get("dtype")
        generators = growing_generators(widths, latent_dim, shape[2], dtype)
        critics = growing_critics(widths, shape[2], dtype)
        super().__init__(
            list(zip(generators, critics, strict=True)),
            stage,
            adversarial_loss="wasserstein",
            penalties=[GradientPenalty(10.0), DriftPenalty(0.001)],
            seed=seed,
            **kwargs,
        )
        self.image_shape, self.latent_dim = shape, latent_dim
        self.base, self.max_filters = base, max_filters
        self.fade_images = fade_images
        self.seen = self.add_weight((), "zeros", trainable=False, name="seen")
        self.fading = self.add_weight(
            (), "ones", trainable=False, name="fading"
        )

    def enter(self, stage):
        super().enter(stage)
        self.seen.assign(0.0)

    def _begin(self, x, epochs):
        count = self.fade_images
        if count is None:
            images = tree.flatten(x)[0]
            if hasattr(images, "shape"):
                number = len(images)
            elif hasattr(x, "num_examples"):  # `keras_dl.datasets.Batches`
                number = x.num_examples
            else:
                raise ValueError(
                    "`fade_images` must say how many images fade in a stage, "
                    "where the data are no array."
                )
            count = max(number * epochs / 2, 1)
        self.fading.assign(float(count))

    def training_step(self, data):
        images = data[0] if isinstance(data, tuple) else data
        count = ops.cast(ops.shape(images)[0], "float32")
        alpha = ops.minimum(self.seen / self.fading, 1.0)
        for layer in self._fades():
            layer.alpha.assign(alpha)
        self.seen.assign(self.seen + count)
        return {**super().training_step(data), "alpha": alpha}

    def _fades(self):
        """The layers that fade in the present stage."""
        networks = self.generator, self.discriminator
        return [
            layer
            for network in networks
            for layer in network.layers
            if isinstance(layer, FadeIn)
        ]

    def default_optimizers(self):
        return {
            name: keras.optimizers.Adam(1e-3, beta_1=0.0, beta_2=0.99)
            for name in self.players
        }


def growing_generators(widths, latent_dim, channels, dtype=None):
    """The generators of all stages, which share their layers.

    Args:
        widths: Channels of the maps; those of stage s, from 0 on, are
            `widths[s + 1]`.
        latent_dim: Length of the noise.
        channels: Channels of the images.
        dtype: Dtype policy.

    Returns:
        List of built `keras.Model`s, for images of 4 x 4, 8 x 8 and so on.
    """
    parts = _Parts(dtype)
    latent = keras.Input((latent_dim,), name="latent")
    x = PixelNormalization(dtype=dtype)(latent)
    x = layers.Reshape((1, 1, latent_dim), dtype=dtype)(x)
    x = parts.pad(3)(x)
    x = parts.conv(x, widths[1], 4, "valid", normalize=True)
    x = parts.conv(x, widths[1], 3, normalize=True)
    image = parts.to_image(channels)(x)
    models = [keras.Model(latent, image, name="generator_4")]
    for s, width in enumerate(widths[2:], 1):
        old = parts.double()(image)
        x = parts.double()(x)
        for _ in range(2):
            x = parts.conv(x, width, 3, normalize=True)
        image = parts.to_image(channels)(x)
        faded = FadeIn(dtype=parts.exact, name=f"fade_in_{s}")([old, image])
        name = f"generator_{4 * 2**s}"
        models.append(keras.Model(latent, faded, name=name))
    return models


def growing_critics(widths, channels, dtype=None):
    """The critics of all stages, which share their layers.

    Args and returns: as `growing_generators`, for images to `(batch, 1)`.
    """
    parts = _Parts(dtype)
    shared = {
        "leaky": parts.leaky,
        "deviation": MinibatchStandardDeviation(
            data_format="channels_last", dtype=dtype
        ),
    }
    from_image = [parts.layer(width, 1) for width in widths[1:]]
    blocks = [
        [parts.layer(width, 3), parts.layer(narrower, 3)]
        for width, narrower in zip(widths[2:], widths[1:-1], strict=True)
    ]
    last = [
        parts.layer(widths[1], 3),
        EqualizedDense(widths[0], dtype=dtype),
        EqualizedDense(1, gain=1.0, dtype=parts.exact),
    ]

    def top(x):
        x = parts.leaky(last[0](shared["deviation"](x)))
        x = layers.Flatten(data_format="channels_last", dtype=dtype)(x)
        return last[2](parts.leaky(last[1](x)))

    def below(x, stages):
        """From the map of a stage, through those below, to the score."""
        for s in reversed(range(stages)):
            for layer in blocks[s]:
                x = parts.leaky(layer(x))
            x = parts.halve()(x)
        return top(x)

    models = []
    for s in range(len(from_image)):
        side = 4 * 2**s
        image = keras.Input((side, side, channels), name="image")
        x = parts.leaky(from_image[s](image))
        if s:
            for layer in blocks[s - 1]:
                x = parts.leaky(layer(x))
            x = parts.halve()(x)
            old = parts.leaky(from_image[s - 1](parts.halve()(image)))
            x = FadeIn(dtype=dtype, name=f"fade_in_{s}")([old, x])
        score = below(x, max(s - 1, 0))
        models.append(keras.Model(image, score, name=f"discriminator_{side}"))
    return models


class _Parts:
    """Layers of one dtype policy, with equalized rates."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.exact = keras.dtype_policies.get(dtype).variable_dtype
        self.leaky = layers.LeakyReLU(0.2, dtype=dtype)

    def layer(self, filters, kernel_size, padding="same"):
        return EqualizedConv2D(
            filters,
            kernel_size,
            padding=padding,
            data_format="channels_last",
            dtype=self.dtype,
        )

    def conv(self, x, filters, kernel_size, padding="same", normalize=False):
        x = self.leaky(self.layer(filters, kernel_size, padding)(x))
        return PixelNormalization(dtype=self.dtype)(x) if normalize else x

    def to_image(self, channels):
        return EqualizedConv2D(
            channels,
            1,
            gain=1.0,
            data_format="channels_last",
            dtype=self.exact,
        )

    def pad(self, width):
        return ZeroPadding2D(
            width, data_format="channels_last", dtype=self.dtype
        )

    def double(self):
        return layers.UpSampling2D(
            2, data_format="channels_last", dtype=self.dtype
        )

    def halve(self):
        return layers.AveragePooling2D(
            2, data_format="channels_last", dtype=self.dtype
        )
