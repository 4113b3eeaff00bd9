"""GANs whose generator gets an image: translation and super-resolution."""

import keras
from keras import ops

from keras_dl.datasets.arrays import as_arrays
from keras_dl.training.gan.gan import GAN
from keras_dl.training.gan.network_inputs import check_tensor
from keras_dl.training.gan.players import check_weights, predict_batched


@keras.saving.register_keras_serializable("keras_dl")
class ImageToImageGAN(GAN):
    """Learns from pairs to turn one image into another.

        L_G = adversarial_weight * L_adv(D(G(x), x))
              + content_weight * content(y, G(x))

    with the discriminator D(y, x), which sees both images, or D(y). With the
    mean absolute error and a discriminator of patches that is pix2pix; with
    images of low resolution as x, a loss of features, such as
    `keras_dl.losses.PerceptualLoss`, and D(y) it is SRGAN.

    **Data.** `(x, y)`, the images that go in and those that shall come out.
    What is random in the generator is up to its layers (dropout).

    **Logs.** As `GAN`'s, and `content_loss`.

    Args:
        generator: Built Keras model, x to images like y.
        discriminator: Built Keras model of `[y, x]`, or of y alone.
        content_loss: A Keras loss or its name.
        content_weight: Its weight.
        adversarial_weight: Weight of the adversarial loss of the generator.
        conditional: Whether the discriminator sees x too.
        kwargs: Other arguments of `GAN`.

    Raises:
        ValueError: If a weight is below 0.

    Example:

    >>> maps, photographs = np.zeros((2, 4, 16, 16, 3), "float32")
    >>> networks = keras_dl.applications.gan
    >>> gan = ImageToImageGAN(
    ...     networks.unet_generator((16, 16, 3), 3, base=4, depth=2),
    ...     networks.patch_discriminator(
    ...         (16, 16, 3), base=4, layers=1, condition_shape=(16, 16, 3)
    ...     ),
    ... )
    >>> history = gan.fit(maps, photographs, batch_size=2, verbose=0)
    >>> gan.generate(maps).shape
    (4, 16, 16, 3)

    Reference:
        Isola et al., "Image-to-image translation with conditional adversarial
        networks", 2017; Ledig et al., "Photo-realistic single image
        super-resolution using a generative adversarial network", 2017.
    """

    expects = ("x", "y")
    parts = (*GAN.parts, "content_loss")

    def __init__(
        self,
        generator,
        discriminator,
        content_loss="mean_absolute_error",
        content_weight=100.0,
        adversarial_weight=1.0,
        conditional=True,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        check_weights(
            content_weight=content_weight,
            adversarial_weight=adversarial_weight,
        )
        self.content_loss = keras.losses.get(content_loss)
        # Tracked, so that its weights are saved with the trainer's.
        self.content_model = getattr(self.content_loss, "model", None)
        self.content_weight = content_weight
        self.adversarial_weight = adversarial_weight
        self.conditional = conditional

    def unpacked(self, data):
        x, y = data
        return y, x

    def check_batch(self, images, conditions):
        check_tensor("x", conditions, self.generator.inputs[0])
        check_tensor("y", images, self.discriminator.inputs[0])

    def check_parts(self, x, y):
        """Any images may be."""

    def check_inputs(self, inputs):
        """Refuses what the generator cannot take: other images."""
        check_tensor("inputs", inputs, self.generator.inputs[0])

    def noise(self, count):
        return None

    def make(self, noise, conditions=None, training=True):
        return super().make(conditions, training=training)

    def score(self, images, conditions=None, training=True):
        seen = conditions if self.conditional else None
        return super().score(images, seen, training)

    def generator_loss(self, images, fake, conditions=None, training=True):
        fooling = self.fooling_loss(images, fake, conditions, training)
        content = ops.cast(self.content_loss(images, fake), "float32")
        content = ops.mean(content)
        loss = self.adversarial_weight * fooling + self.content_weight * content
        return loss, {"content_loss": content}

    def generate(self, inputs, batch_size=32):
        """The images that the generator makes of an array of images."""
        inputs = as_arrays("inputs", inputs)
        self.check_inputs(inputs)
        return predict_batched(self.generator, inputs, batch_size)

    def get_config(self):
        return {
            **super().get_config(),
            "content_weight": self.content_weight,
            "adversarial_weight": self.adversarial_weight,
            "conditional": self.conditional,
        }
