"""MAD-GAN: several generators, and a discriminator that tells them apart."""

import itertools

import keras
import numpy as np
from keras import ops

from keras_dl.checks import check_fraction
from keras_dl.losses import GeneratorClassificationLoss
from keras_dl.training.gan.gan import GAN


@keras.saving.register_keras_serializable("keras_dl")
class MultiGeneratorGAN(GAN):
    """Several generators that the discriminator drives to different modes.

    The discriminator says of an image whether it is real, and if not, which
    generator made it (`keras_dl.losses.GeneratorClassificationLoss`); the
    generators want theirs to be taken for real. All get the same noise.
    Optionally they also pay for images that point in the same direction:

        L_G + diversity_weight * mean over i < j of cos(f(G_i(z)), f(G_j(z)))

    **Data.** `images`.

    **Logs.** As `GAN`'s; the scores are the logits of "real".

    Args:
        generator: Built Keras model, noise to a list of image batches, one for
            each generator. Layers that the generators share are one layer.
        discriminator: Built Keras model, images to one logit more than there
            are generators.
        diversity_weight: Of the mean cosine, 0 to leave it out, below 1.
        features: f, a function or Keras model of images whose outputs are
            compared; the images themselves if not given.
        kwargs: Other arguments of `GAN`, but for the loss. Of penalties only
            those of real images fit, such as `keras_dl.losses.R1Penalty`.

    Raises:
        ValueError: If the numbers of outputs do not fit.

    Example:

    >>> x = z = keras.Input((8,))
    >>> x = keras.layers.Dense(16, activation="relu")(x)
    >>> points = [keras.layers.Dense(2)(x) for _ in range(4)]
    >>> judge = keras_dl.applications.gan.mlp_discriminator(2, num_outputs=5)
    >>> gan = MultiGeneratorGAN(keras.Model(z, points), judge)
    >>> real, _ = keras_dl.datasets.ring_of_gaussians(64)
    >>> history = gan.fit(real, batch_size=32, verbose=0)
    >>> gan.generate(12).shape
    (12, 2)

    Reference:
        Ghosh et al., "Multi-agent diverse generative adversarial networks",
        2018. The cosine, which the paper puts between the scores that a
        discriminator without such logits gives to two generators, is a term of
        its own here.
    """

    expects = ("images",)
    parts = (
        "generator",
        "discriminator",
        "features",
        "penalties",
        "discriminator_constraint",
    )

    def __init__(
        self,
        generator,
        discriminator,
        diversity_weight=0.0,
        features=None,
        **kwargs,
    ):
        makes = getattr(generator, "outputs", ())
        if len(makes) < 2 or discriminator.output_shape[-1] != len(makes) + 1:
            raise ValueError(
                "`generator` must have an output for each of at least 2 "
                "generators, and `discriminator` one logit more. Received: "
                f"{len(makes)} outputs and logits of shape "
                f"{discriminator.output_shape}"
            )
        super().__init__(
            generator,
            discriminator,
            adversarial_loss=GeneratorClassificationLoss(len(makes)),
            **kwargs,
        )
        self.num_generators = len(makes)
        self.diversity_weight = check_fraction(
            "diversity_weight", diversity_weight, "the weight of the cosine"
        )
        self.features = features

    def make(self, noise, conditions=None, training=True):
        return ops.concatenate(super().make(noise, training=training))

    def score_logs(self, real_scores, fake_scores):
        return super().score_logs(real_scores[:, 0], fake_scores[:, 0])

    def generator_loss(self, images, fake, conditions=None, training=True):
        loss, logs = super().generator_loss(images, fake, None, training)
        if self.diversity_weight:
            likeness = self._likeness(fake)
            loss = loss + self.diversity_weight * likeness
            logs = {**logs, "likeness": likeness}
        return loss, logs

    def _likeness(self, fake):
        """Mean cosine of what two generators make of the same noise."""
        found = fake if self.features is None else self.features(fake)
        found = ops.cast(found, "float32")
        width = int(np.prod(found.shape[1:]))
        rows = ops.reshape(found, (self.num_generators, -1, width))
        rows = ops.normalize(rows, axis=-1, epsilon=1e-6)
        pairs = itertools.combinations(range(self.num_generators), 2)
        return ops.mean(
            ops.stack([ops.sum(rows[i] * rows[j], axis=-1) for i, j in pairs])
        )

    def generate(self, count=None, noise=None, seed=None, batch_size=32):
        """New images, of all generators in turn; see `GAN.generate`."""
        by_each = super().generate(
            count, noise=noise, seed=seed, batch_size=batch_size
        )
        rows = np.arange(len(by_each[0]))
        return np.stack(by_each)[rows % self.num_generators, rows]

    def get_config(self):
        return {
            **super().get_config(),
            "diversity_weight": self.diversity_weight,
        }
