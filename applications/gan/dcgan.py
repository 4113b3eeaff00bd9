"""DCGAN: images by convolutions."""

import keras

from keras_dl.applications.gan.gan_of_images import GANOfImages


@keras.saving.register_keras_serializable("keras_dl")
class DCGAN(GANOfImages):
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
