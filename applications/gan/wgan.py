"""Wasserstein GANs, with clipped weights or a gradient penalty."""

import keras

from keras_dl.applications.gan.gan_of_images import GANOfImages
from keras_dl.constraints import ClipWeights
from keras_dl.losses import GradientPenalty


@keras.saving.register_keras_serializable("keras_dl")
class WGAN(GANOfImages):
    """Wasserstein GAN: a critic of clipped weights, trained more often.

    The critic approaches, up to a factor, the Wasserstein distance of real and
    generated images, which `real_score` less `fake_score` shows, and which
    falls as the images get better.

    **Batches.** Each is cut into `discriminator_steps` parts: `batch_size=320`
    makes parts of 64.

    Args:
        image_shape, num_classes, latent_dim, base, seed, kwargs: As in
            `DCGAN`.
        clip: Largest weight of the critic.
        discriminator_steps: Updates of the critic to each of the generator.

    Raises:
        ValueError: If an argument is not allowed.

    Reference:
        Arjovsky, Chintala and Bottou, "Wasserstein generative adversarial
        networks", 2017. The authors' code trains the critic 100 times at the
        start and now and then, which is left out.
    """

    config_arguments = (
        *GANOfImages.config_arguments,
        "clip",
        "discriminator_steps",
    )

    def __init__(
        self,
        image_shape,
        num_classes=None,
        latent_dim=100,
        base=64,
        clip=0.01,
        discriminator_steps=5,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            image_shape,
            num_classes,
            latent_dim,
            base,
            adversarial_loss="wasserstein",
            discriminator_constraint=ClipWeights(clip),
            discriminator_steps=discriminator_steps,
            seed=seed,
            **kwargs,
        )
        self.clip = clip

    def default_optimizers(self):
        return {n: keras.optimizers.RMSprop(5e-5) for n in self.players}


@keras.saving.register_keras_serializable("keras_dl")
class WGANGP(GANOfImages):
    """Wasserstein GAN with gradient penalty: a critic of slope 1.

    The critic has no batch normalization: the penalty is for each image by
    itself. Its scores approach the Wasserstein distance.

    **Batches.** As in `WGAN`.

    Args:
        image_shape, num_classes, latent_dim, base, seed, kwargs: As in
            `DCGAN`.
        penalty_weight: Weight of the gradient penalty. For points in the plane
            the authors' code has 0.1.
        discriminator_steps: Updates of the critic to each of the generator.

    Raises:
        ValueError: If an argument is not allowed.

    Reference:
        Gulrajani et al., "Improved training of Wasserstein GANs", 2017.
    """

    config_arguments = (
        *GANOfImages.config_arguments,
        "penalty_weight",
        "discriminator_steps",
    )

    def __init__(
        self,
        image_shape,
        num_classes=None,
        latent_dim=100,
        base=64,
        penalty_weight=10.0,
        discriminator_steps=5,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            image_shape,
            num_classes,
            latent_dim,
            base,
            critic_normalization=None,
            adversarial_loss="wasserstein",
            penalties=[GradientPenalty(penalty_weight)],
            discriminator_steps=discriminator_steps,
            seed=seed,
            **kwargs,
        )
        self.penalty_weight = penalty_weight

    def default_optimizers(self):
        return {
            name: keras.optimizers.Adam(1e-4, beta_1=0.0, beta_2=0.9)
            for name in self.players
        }
