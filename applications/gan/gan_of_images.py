"""What the GANs with DCGAN's networks share."""

from keras_dl.applications.gan._parts import check_shape
from keras_dl.applications.gan.ready_made import ReadyMade, two_networks
from keras_dl.training import GAN


class GANOfImages(ReadyMade, GAN):
    """A generator and a discriminator that play a game that is passed in."""

    config_arguments = ("image_shape", "num_classes", "latent_dim", "base")

    def __init__(
        self,
        image_shape,
        num_classes,
        latent_dim,
        base,
        critic_normalization="batch",
        **kwargs,
    ):
        shape = check_shape(image_shape)
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
