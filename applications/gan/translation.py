"""Ready-made GANs from image to image: pix2pix, CycleGAN and SRGAN."""

import keras

from keras_dl.applications.gan.patch_networks import patch_discriminator
from keras_dl.applications.gan.ready_made import ReadyMade
from keras_dl.applications.gan.super_resolution_networks import (
    srgan_discriminator,
    srgan_generator,
)
from keras_dl.applications.gan.translation_networks import (
    resnet_generator,
    unet_generator,
)
from keras_dl.checks import check_integer
from keras_dl.training import CycleConsistentGAN, ImageToImageGAN


@keras.saving.register_keras_serializable("keras_dl")
class Pix2Pix(ReadyMade, ImageToImageGAN):
    """Turns images of one kind into another, learned from pairs.

    A U-Net as generator, a discriminator of patches that sees both images, the
    non-saturating game and 100 times the mean absolute error.

    **Data.** `(x, y)`, images of -1 to 1 of the same height and width. A
    `batch_size` of 1 is usual.

    Args:
        image_shape: `(height, width, channels)` of x; sides are multiples of
            `2 ** depth`.
        output_channels: Channels of y; as x by default.
        base: Channels of the first convolutions.
        depth: Convolutions of the U-Net on the way down; by default as many as
            lead to a single point, 8 at most.
        patch_layers: Strided convolutions of the discriminator; 3 of them see
            patches of 70 x 70.
        content_weight: Weight of the mean absolute error.
        seed: Integer, or `None` for chance.
        kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> maps, photographs = np.random.uniform(-1, 1, (2, 2, 32, 32, 3))
    >>> gan = Pix2Pix((32, 32, 3), base=4, depth=2, patch_layers=1)
    >>> history = gan.fit(maps, photographs, batch_size=1, verbose=0)
    >>> gan.generate(maps).shape
    (2, 32, 32, 3)

    Reference:
        Isola et al., "Image-to-image translation with conditional adversarial
        networks", 2017.
    """

    own = (
        "image_shape",
        "output_channels",
        "base",
        "depth",
        "patch_layers",
        "content_weight",
    )

    def __init__(
        self,
        image_shape,
        output_channels=None,
        base=64,
        depth=None,
        patch_layers=3,
        content_weight=100.0,
        seed=None,
        **kwargs,
    ):
        shape, dtype = tuple(image_shape), kwargs.get("dtype")
        channels = shape[-1] if output_channels is None else output_channels
        if depth is None:
            depth = min(8, _halvings(*shape[:2]))
        super().__init__(
            unet_generator(
                shape, channels, base, depth, seed=seed, dtype=dtype
            ),
            patch_discriminator(
                (*shape[:2], channels),
                base,
                patch_layers,
                condition_shape=shape,
                normalization="batch",
                dtype=dtype,
            ),
            content_weight=content_weight,
            seed=seed,
            **kwargs,
        )
        self.image_shape, self.output_channels = shape, channels
        self.base, self.depth, self.patch_layers = base, depth, patch_layers


@keras.saving.register_keras_serializable("keras_dl")
class CycleGAN(ReadyMade, CycleConsistentGAN):
    """Turns images of one set into such of another, learned without pairs.

    Two generators of residual blocks, 11,378,179 parameters each with nine of
    them, and two discriminators of patches, 2,764,737 each; least squares.

    **Data.** `(a, b)`, images of -1 to 1. A `batch_size` of 1 is usual.

    Args:
        image_shape: `(height, width, channels)` of both sets; sides are
            multiples of 4.
        blocks: Residual blocks of a generator; 9 by default from 256 x 256 on,
            6 below.
        base: Channels of the first convolutions.
        patch_layers: Strided convolutions of the discriminators; 3 of them see
            patches of 70 x 70.
        normalization: `"instance"`, as in the paper, or `"batch"`, for images
            so small that their own brightness and contrast differ much.
        cycle_weight, identity_weight, pool_size: As in
            `keras_dl.training.CycleConsistentGAN`.
        seed: Integer, or `None` for chance.
        kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> horses, zebras = np.random.uniform(-1, 1, (2, 2, 32, 32, 3))
    >>> gan = CycleGAN((32, 32, 3), blocks=1, base=4, patch_layers=1)
    >>> history = gan.fit(horses, zebras, batch_size=1, verbose=0)
    >>> gan.translate(horses).shape
    (2, 32, 32, 3)

    Reference:
        Zhu et al., "Unpaired image-to-image translation using cycle-consistent
        adversarial networks", 2017.
    """

    own = (
        "image_shape",
        "blocks",
        "base",
        "patch_layers",
        "normalization",
        "cycle_weight",
        "identity_weight",
        "pool_size",
    )

    def __init__(
        self,
        image_shape,
        blocks=None,
        base=64,
        patch_layers=3,
        normalization="instance",
        cycle_weight=10.0,
        identity_weight=5.0,
        pool_size=50,
        seed=None,
        **kwargs,
    ):
        shape, dtype = tuple(image_shape), kwargs.get("dtype")
        if blocks is None:
            blocks = 9 if min(shape[:2]) >= 256 else 6
        networks = {"normalization": normalization, "dtype": dtype}
        super().__init__(
            *(
                resnet_generator(shape, blocks, base, name=name, **networks)
                for name in ("generator", "inverse_generator")
            ),
            *(
                patch_discriminator(
                    shape, base, patch_layers, name=name, **networks
                )
                for name in ("discriminator", "inverse_discriminator")
            ),
            cycle_weight=cycle_weight,
            identity_weight=identity_weight,
            pool_size=pool_size,
            seed=seed,
            **kwargs,
        )
        self.image_shape, self.blocks, self.base = shape, blocks, base
        self.patch_layers, self.normalization = patch_layers, normalization
        self.pool_size = pool_size


@keras.saving.register_keras_serializable("keras_dl")
class SRGAN(ReadyMade, ImageToImageGAN):
    """Makes images `scale` times as high and wide, with detail.

    A residual generator with sub-pixel convolutions; a discriminator of large
    images; a loss of content and 0.001 of an adversarial one. First call
    `pretrain`, which minimizes the mean square of pixels alone (SRResNet).

    **Data.** `(x, y)`, small images of 0 to 1 and large ones of -1 to 1. For
    training they have the size of `image_shape`; `generate` takes any.

    Args:
        image_shape: `(height, width, channels)` of the large images in
            training.
        scale: 2, 4 or another power of 2.
        blocks: Residual blocks of the generator.
        base: Channels of its convolutions.
        residual: Whether the generator draws only what the image, enlarged
            between neighbours, lacks. Not in the paper; it trains in much
            less time.
        content_loss: A Keras loss or its name, such as
            `keras_dl.losses.PerceptualLoss` of a VGG network.
        adversarial_weight: Weight of the adversarial loss.
        seed: Integer, or `None` for chance.
        kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> large = np.random.uniform(-1, 1, (2, 32, 32, 3))
    >>> small = large[:, ::4, ::4]
    >>> gan = SRGAN((32, 32, 3), blocks=1, base=4)
    >>> history = gan.pretrain(small, large, batch_size=2, verbose=0)
    >>> history = gan.fit(small, large, batch_size=2, verbose=0)
    >>> gan.generate(small).shape
    (2, 32, 32, 3)

    Reference:
        Ledig et al., "Photo-realistic single image super-resolution using a
        generative adversarial network", 2017.
    """

    own = (
        "image_shape",
        "scale",
        "blocks",
        "base",
        "residual",
        "adversarial_weight",
    )

    def __init__(
        self,
        image_shape,
        scale=4,
        blocks=16,
        base=64,
        residual=False,
        content_loss="mean_squared_error",
        adversarial_weight=1e-3,
        seed=None,
        **kwargs,
    ):
        shape, dtype = tuple(image_shape), kwargs.get("dtype")
        check_integer("scale", scale, 2)
        super().__init__(
            srgan_generator(
                scale, blocks, base, shape[-1], residual, dtype=dtype
            ),
            srgan_discriminator(shape, base, dtype=dtype),
            content_loss=content_loss,
            content_weight=1.0,
            adversarial_weight=adversarial_weight,
            conditional=False,
            seed=seed,
            **kwargs,
        )
        self.image_shape, self.scale = shape, scale
        self.blocks, self.base, self.residual = blocks, base, residual

    def default_optimizers(self):
        return {name: keras.optimizers.Adam(1e-4) for name in self.players}

    def pretrain(self, x, y=None, optimizer=None, **kwargs):
        """Trains the generator alone, on the mean square of pixels.

        Args:
            x, y: Small and large images, or a dataset of both, as for `fit`.
            optimizer: Keras optimizer; Adam with a rate of 1e-4 by default.
            kwargs: Arguments of `keras.Model.fit`.

        Returns:
            A `keras.callbacks.History`.
        """
        self.generator.compile(
            optimizer or keras.optimizers.Adam(1e-4), "mean_squared_error"
        )
        return self.generator.fit(x, y, **kwargs)

    def get_config(self):
        return {
            **super().get_config(),
            "content_loss": keras.saving.serialize_keras_object(
                self.content_loss
            ),
        }


def _halvings(*sides):
    """How often both sides can be halved."""
    count = 0
    while all(side % 2 == 0 and side > 1 for side in sides):
        sides, count = [side // 2 for side in sides], count + 1
    return count
