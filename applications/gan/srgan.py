"""SRGAN: larger images."""

import keras

from keras_dl.applications.gan._parts import check_image_shape
from keras_dl.applications.gan.ready_made import ReadyMade
from keras_dl.applications.gan.srgan_networks import (
    check_scale,
    srgan_discriminator,
    srgan_generator,
)
from keras_dl.models.checked_data import run_checked
from keras_dl.training import ImageToImageGAN
from keras_dl.training.gan.network_inputs import check_tensor


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
            training; sides are multiples of `scale`.
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

    config_arguments = (
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
        check_scale(scale)
        shape = check_image_shape("image_shape", image_shape, scale, scale)
        dtype = kwargs.get("dtype")
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

    def check_batch(self, images, conditions):
        super().check_batch(images, conditions)
        height, width, channels = self.image_shape
        sides = height // self.scale, width // self.scale
        check_tensor("x", conditions, keras.Input((*sides, channels)))

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

        Raises:
            ValueError: If the images are no tensors that the generator takes,
                or makes of them.
        """
        self.generator.compile(
            optimizer or keras.optimizers.Adam(1e-4), "mean_squared_error"
        )
        return run_checked(
            self._check_pairs, self.generator.fit, x, y, **kwargs
        )

    def _check_pairs(self, x, y=None, sample_weight=None):
        """Refuses what are no small images and large ones, of any size."""
        channels = self.image_shape[-1]
        check_tensor("x", x, keras.Input((None, None, channels)))
        sides = (self.scale * side for side in x.shape[1:3])
        check_tensor("y", y, keras.Input((*sides, channels)))

    def get_config(self):
        return {
            **super().get_config(),
            "content_loss": keras.saving.serialize_keras_object(
                self.content_loss
            ),
        }
