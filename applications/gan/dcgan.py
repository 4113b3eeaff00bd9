"""DCGAN, and the games that are played with its networks."""

import keras

from keras_dl.applications.gan.ready_made import ReadyMade, two_networks
from keras_dl.constraints import ClipWeights
from keras_dl.losses import GradientPenalty
from keras_dl.training import GAN


class _GANOfImages(ReadyMade, GAN):
    """A generator and a discriminator that play a game that is passed in."""

    own = ("image_shape", "num_classes", "latent_dim", "base")

    def __init__(
        self,
        image_shape,
        num_classes,
        latent_dim,
        base,
        critic_normalization="batch",
        **kwargs,
    ):
        shape = tuple(image_shape)
        networks = two_networks(
            shape,
            num_classes,
            latent_dim,
            base,
            kwargs.get("dtype"),
            critic_normalization,
        )
        super().__init__(*networks, **kwargs)
        self.image_shape = shape
        self.num_classes = num_classes
        self.latent_dim = latent_dim
        self.base = base


@keras.saving.register_keras_serializable("keras_dl")
class DCGAN(_GANOfImages):
    """Deep convolutional GAN: makes images like those that it is shown.

    A generator of transposed convolutions and a discriminator of convolutions,
    both with batch normalization, play the non-saturating game. With
    64 x 64 x 3 they have 3,576,704 and 2,765,568 parameters.

    **Data.** Images of -1 to 1, `(batch, height, width, channels)`; with
    `num_classes`, `(images, classes)`, and `generate(conditions=classes)`.

    **Points.** With a shape of one number, such as `(2,)`, the networks are
    perceptrons of two layers, as for experiments in the plane.

    Args:
        image_shape: `(height, width, channels)`, sides multiples of 4, of at
            least 8; or `(dim,)` for points.
        num_classes: Number of classes, or `None`: no classes.
        latent_dim: Length of the noise.
        base: Width of the layer next to the image; points have layers of twice
            that.
        seed: Integer, or `None` for chance.
        kwargs: Arguments of `keras.Model`, such as `dtype`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> images = np.random.uniform(-1, 1, (8, 8, 8, 1))
    >>> gan = DCGAN((8, 8, 1), latent_dim=8, base=4)
    >>> history = gan.fit(images, batch_size=4, epochs=2, verbose=0)
    >>> gan.generate(16, seed=0).shape
    (16, 8, 8, 1)

    Reference:
        Radford, Metz and Chintala, "Unsupervised representation learning with
        deep convolutional generative adversarial networks", 2016.
    """

    def __init__(
        self,
        image_shape,
        num_classes=None,
        latent_dim=100,
        base=64,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            image_shape, num_classes, latent_dim, base, seed=seed, **kwargs
        )


@keras.saving.register_keras_serializable("keras_dl")
class WGAN(_GANOfImages):
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

    own = (*_GANOfImages.own, "clip", "discriminator_steps")

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
class WGANGP(_GANOfImages):
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

    own = (*_GANOfImages.own, "penalty_weight", "discriminator_steps")

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


@keras.saving.register_keras_serializable("keras_dl")
class UnrolledGAN(_GANOfImages):
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

    own = (*_GANOfImages.own, "unrolled_steps")

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
