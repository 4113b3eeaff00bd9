"""The unrolled GAN, whose generator looks ahead."""

import keras

from keras_dl.applications.gan.gan_of_images import GANOfImages


@keras.saving.register_keras_serializable("keras_dl")
class UnrolledGAN(GANOfImages):
    """A GAN whose generator looks some steps of its opponent ahead.

    It sees that the discriminator will follow it to a mode, and so does not
    put all its images there.

    Args:
        image_shape, num_classes, latent_dim, base, seed, kwargs: As in
            `DCGAN`.
        unrolled_steps: Updates of the discriminator to look ahead. Each costs
            about as much as a step of training.

    Raises:
        ValueError: If an argument is not allowed.

    Reference:
        Metz et al., "Unrolled generative adversarial networks", 2017.
    """

    config_arguments = (*GANOfImages.config_arguments, "unrolled_steps")

    def __init__(
        self,
        image_shape,
        num_classes=None,
        latent_dim=100,
        base=64,
        unrolled_steps=5,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            image_shape,
            num_classes,
            latent_dim,
            base,
            unrolled_steps=unrolled_steps,
            seed=seed,
            **kwargs,
        )
