"""What the ready-made GANs share: they are saved by their own arguments."""

import keras

from keras_dl.applications.gan.dcgan_networks import (
    dcgan_discriminator,
    dcgan_generator,
)
from keras_dl.applications.gan.point_networks import (
    mlp_discriminator,
    mlp_generator,
)
from keras_dl.checks import check_integer
from keras_dl.models import ConfiguredModel


class ReadyMade:
    """A trainer whose networks follow from its arguments.

    Class attributes:
        config_arguments: Names of the arguments, which are attributes too.
    """

    config_arguments = ()

    def get_config(self):
        config = ConfiguredModel.get_config(self)
        config.update(
            {name: getattr(self, name) for name in self.config_arguments}
        )
        config["seed"] = self.seed
        return config


def two_networks(
    shape, num_classes, latent_dim, base, dtype, critic_normalization="batch"
):
    """A generator and a discriminator, for images or for points."""
    check_integer("base", base, 1)
    if len(shape) == 1:
        if num_classes is not None:
            raise ValueError(
                "`num_classes` is for images. "
                f"Received: num_classes={num_classes} with shape {shape}"
            )
        units = (2 * base, 2 * base)
        return (
            mlp_generator(latent_dim, shape[0], units, dtype=dtype),
            mlp_discriminator(shape[0], units, dtype=dtype),
        )
    rest = {"base": base, "num_classes": num_classes, "dtype": dtype}
    return (
        dcgan_generator(shape, latent_dim, **rest),
        dcgan_discriminator(shape, normalization=critic_normalization, **rest),
    )


def with_outputs(network, outputs, name):
    """A network with another number of outputs in its last layer."""
    last = network.layers[-1]
    config = {**last.get_config(), "units": outputs}
    layer = type(last).from_config(config)
    return keras.Model(network.input, layer(last.input), name=name)
