"""MAD-GAN: several generators against lost modes."""

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
from keras_dl.training import MultiGeneratorGAN


@keras.saving.register_keras_serializable("keras_dl")
class MADGAN(ReadyMade, MultiGeneratorGAN):
    """Multi-agent diverse GAN: several generators share the modes.

    The generators share their first layers, up to the first map of images, or
    the first layer for points, and have the rest for themselves.

    Args:
        image_shape: `(height, width, channels)`, or `(dim,)` for points.
        num_generators: How many generators.
        latent_dim: Length of the noise.
        base: As in `DCGAN`.
        diversity_weight: Weight of the mean cosine between the images of two
            generators; see `keras_dl.training.MultiGeneratorGAN`.
        seed: Integer, or `None` for chance.
        kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> images = np.random.uniform(-1, 1, (8, 8, 8, 1))
    >>> gan = MADGAN((8, 8, 1), num_generators=4, latent_dim=8, base=4)
    >>> history = gan.fit(images, batch_size=4, verbose=0)
    >>> gan.generate(16).shape
    (16, 8, 8, 1)

    Reference:
        Ghosh et al., "Multi-agent diverse generative adversarial networks",
        2018.
    """

    config_arguments = (
        "image_shape",
        "num_generators",
        "latent_dim",
        "base",
        "diversity_weight",
    )

    def __init__(
        self,
        image_shape,
        num_generators=4,
        latent_dim=100,
        base=64,
        diversity_weight=0.0,
        seed=None,
        **kwargs,
    ):
        shape, dtype = check_shape(image_shape), kwargs.get("dtype")
        check_integer("base", base, 1)
        count = check_integer("num_generators", num_generators, 2)
        if len(shape) == 1:
            units = (2 * base, 2 * base)
            generators = [
                mlp_generator(latent_dim, shape[0], units, dtype=dtype)
                for _ in range(count)
            ]
            discriminator = mlp_discriminator(
                shape[0], units, count + 1, dtype=dtype
            )
            shared = keras.layers.Dense
        else:
            generators = [
                dcgan_generator(shape, latent_dim, base, dtype=dtype)
                for _ in range(count)
            ]
            discriminator = with_outputs(
                dcgan_discriminator(shape, base, dtype=dtype),
                count + 1,
                "discriminator",
            )
            shared = keras.layers.Conv2DTranspose
        super().__init__(
            joined(generators, shared),
            discriminator,
            diversity_weight=diversity_weight,
            seed=seed,
            **kwargs,
        )
        self.image_shape, self.latent_dim, self.base = shape, latent_dim, base


def joined(generators, last_shared):
    """One generator of several, which share the layers of the first.

    They share all before the second layer of the kind `last_shared`: that one
    and those behind it are each generator's own.
    """
    first = generators[0]
    kinds = [isinstance(layer, last_shared) for layer in first.layers]
    start = [i for i, kind in enumerate(kinds) if kind][1]
    x = first.layers[start].input
    outputs = []
    for generator in generators:
        y = x
        for layer in generator.layers[start:]:
            y = layer(y)
        outputs.append(y)
    return keras.Model(first.input, outputs, name="generators")
