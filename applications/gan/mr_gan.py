"""MRGAN: an encoder against lost modes."""

import keras

from keras_dl.applications.gan._parts import check_shape
from keras_dl.applications.gan.dcgan_networks import (
    dcgan_discriminator,
    dcgan_generator,
)
from keras_dl.applications.gan.point_networks import (
    mlp_discriminator,
    mlp_generator,
)
from keras_dl.applications.gan.ready_made import ReadyMade, with_outputs
from keras_dl.checks import check_integer
from keras_dl.training import ModeRegularizedGAN


@keras.saving.register_keras_serializable("keras_dl")
class MRGAN(ReadyMade, ModeRegularizedGAN):
    """Mode-regularized GAN: an encoder leads the generator to all modes.

    The encoder is built as the discriminator is.

    Args:
        image_shape: `(height, width, channels)`, or `(dim,)` for points.
        latent_dim: Length of the noise.
        base: As in `DCGAN`.
        distance_weight, mode_weight: As in
            `keras_dl.training.ModeRegularizedGAN`.
        manifold: Whether a second discriminator judges what the encoder and the
            generator rebuild (MDGAN).
        seed: Integer, or `None` for chance.
        kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> images = np.random.uniform(-1, 1, (8, 8, 8, 1))
    >>> gan = MRGAN((8, 8, 1), latent_dim=8, base=4)
    >>> history = gan.fit(images, batch_size=4, verbose=0)
    >>> gan.generate(16).shape
    (16, 8, 8, 1)

    Reference:
        Che et al., "Mode regularized generative adversarial networks", 2017.
    """

    config_arguments = (
        "image_shape",
        "latent_dim",
        "base",
        "distance_weight",
        "mode_weight",
        "manifold",
    )

    def __init__(
        self,
        image_shape,
        latent_dim=100,
        base=64,
        distance_weight=1e-2,
        mode_weight=1e-2,
        manifold=False,
        seed=None,
        **kwargs,
    ):
        shape, dtype = check_shape(image_shape), kwargs.get("dtype")
        check_integer("base", base, 1)
        units = (2 * base, 2 * base)

        def judge(outputs, name):
            if len(shape) == 1:
                return mlp_discriminator(
                    shape[0], units, outputs, dtype=dtype, name=name
                )
            network = dcgan_discriminator(shape, base, dtype=dtype)
            return with_outputs(network, outputs, name)

        if len(shape) == 1:
            generator = mlp_generator(latent_dim, shape[0], units, dtype=dtype)
        else:
            generator = dcgan_generator(shape, latent_dim, base, dtype=dtype)
        super().__init__(
            generator,
            judge(1, "discriminator"),
            judge(latent_dim, "encoder"),
            distance_weight,
            mode_weight,
            judge(1, "manifold_discriminator") if manifold else None,
            seed=seed,
            **kwargs,
        )
        self.image_shape, self.latent_dim, self.base = shape, latent_dim, base
        self.manifold = manifold
