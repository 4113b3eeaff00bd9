"""pix2pix: from image to image, by pairs."""

import keras

from keras_dl.applications.gan._parts import check_image_shape
from keras_dl.applications.gan.patch_networks import patch_discriminator
from keras_dl.applications.gan.ready_made import ReadyMade
from keras_dl.applications.gan.translation_networks import unet_generator
from keras_dl.training import ImageToImageGAN


@keras.saving.register_keras_serializable("keras_dl")
class Pix2Pix(ReadyMade, ImageToImageGAN):
    """Turns images of one kind into another, learned from pairs.

    A U-Net as generator, a discriminator of patches that sees both images, the
    non-saturating game and 100 times the mean absolute error.

    **Data.** `(x, y)`, images of -1 to 1 of the same height and width. A
    `batch_size` of 1 is usual.

    Args:
        image_shape: `(height, width, channels)` of x; sides are multiples of
            `2 ** depth`, and so of 4.
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

    config_arguments = (
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
        shape = check_image_shape("image_shape", image_shape, 4, 4)
        dtype = kwargs.get("dtype")
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


def _halvings(*sides):
    """How often both sides can be halved."""
    count = 0
    while all(side % 2 == 0 and side > 1 for side in sides):
        sides, count = [side // 2 for side in sides], count + 1
    return count
