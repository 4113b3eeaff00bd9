"""CycleGAN: from image to image, without pairs."""

import keras

from keras_dl.applications.gan._parts import check_image_shape
from keras_dl.applications.gan.patch_networks import patch_discriminator
from keras_dl.applications.gan.ready_made import ReadyMade
from keras_dl.applications.gan.translation_networks import resnet_generator
from keras_dl.training import CycleConsistentGAN


@keras.saving.register_keras_serializable("keras_dl")
class CycleGAN(ReadyMade, CycleConsistentGAN):
    """Turns images of one set into such of another, learned without pairs.

    Two generators of residual blocks, 11,378,179 parameters each with nine of
    them, and two discriminators of patches, 2,764,737 each; least squares.

    **Data.** `(a, b)`, images of -1 to 1. A `batch_size` of 1 is usual. For
    sets of different sizes there is `keras_dl.datasets.UnpairedBatches`.

    Args:
        image_shape: `(height, width, channels)` of both sets; sides are
            multiples of 4, of at least 8.
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

    >>> horses = np.random.uniform(-1, 1, (2, 32, 32, 3))
    >>> zebras = np.random.uniform(-1, 1, (3, 32, 32, 3))
    >>> pairs = keras_dl.datasets.UnpairedBatches(horses, zebras, batch_size=1)
    >>> gan = CycleGAN((32, 32, 3), blocks=1, base=4, patch_layers=1)
    >>> history = gan.fit(pairs, verbose=0)
    >>> gan.translate(horses).shape
    (2, 32, 32, 3)

    Reference:
        Zhu et al., "Unpaired image-to-image translation using cycle-consistent
        adversarial networks", 2017.
    """

    config_arguments = (
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
        shape = check_image_shape("image_shape", image_shape, 4, 8)
        dtype = kwargs.get("dtype")
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
