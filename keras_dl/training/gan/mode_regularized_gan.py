"""Mode-regularized GANs: an encoder that shows the generator all modes."""

import keras
from keras import ops

from keras_dl import backend
from keras_dl.training.gan.gan import GAN
from keras_dl.training.gan.players import (
    check_network,
    check_weights,
    frozen_statistics,
    regularization,
)


@keras.saving.register_keras_serializable("keras_dl")
class ModeRegularizedGAN(GAN):
    """A GAN whose generator also has to rebuild real images (MRGAN).

    An encoder E gives noise for real images. With it the generator and the
    encoder minimize

        L_G(D(G(z))) + distance_weight * E ||x - G(E(x))||^2
                     + mode_weight * L_G(D(G(E(x))))

    so that they get a gradient where there are real images and no generated
    ones yet: at the modes that a plain generator misses.

    **Manifold and diffusion (MDGAN).** With a `manifold_discriminator` D1 the
    two tasks part. D1 tells x from G(E(x)): the manifold. D tells G(E(x)) from
    G(z): how the generator spreads over it. Then they minimize

        L_G(D(G(z))) + distance_weight * E ||x - G(E(x))||^2
                     + mode_weight * L_G(D1(G(E(x))))

    **Data, logs.** As `GAN`'s, without conditions; beside them
    `reconstruction`, the squared distance, and `m_loss`, that of D1.

    Args:
        generator, discriminator: As in `GAN`.
        encoder: Built Keras model, images to noise.
        distance_weight: Weight of the squared distance, which is summed over
            pixels and is a mean over images.
        mode_weight: Weight of the term that makes G(E(x)) look real.
        manifold_discriminator: D1, a built Keras model like the discriminator,
            or `None`.
        kwargs: Other arguments of `GAN`.

    Raises:
        ValueError: If the encoder does not give noise, or a weight is below 0.

    Reference:
        Che et al., "Mode regularized generative adversarial networks", 2017.
        The term of `mode_weight` raises the scores of G(E(x)), as the method
        is described; some public code has the opposite sign. The
        updates of the manifold and of the diffusion step are one here.
    """

    expects = ("images",)
    parts = (*GAN.parts, "encoder", "manifold_discriminator")

    def __init__(
        self,
        generator,
        discriminator,
        encoder,
        distance_weight=1e-2,
        mode_weight=1e-2,
        manifold_discriminator=None,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.encoder = check_network("encoder", encoder)
        if encoder.output_shape[1:] != self._latent_shape():
            raise ValueError(
                f"`encoder` must give noise of shape {self._latent_shape()}. "
                f"Received: one with outputs {encoder.output_shape}"
            )
        check_weights(distance_weight=distance_weight, mode_weight=mode_weight)
        self.distance_weight = distance_weight
        self.mode_weight = mode_weight
        self.manifold_discriminator = manifold_discriminator and check_network(
            "manifold_discriminator", manifold_discriminator
        )

    def optimizer_variables(self, name=None):
        variables = super().optimizer_variables(name)
        if name == "generator":
            # What the encoder minimizes is all of the loss that it is in.
            return [*variables, *self.encoder.trainable_variables]
        return variables

    @property
    def players(self):
        third = self.manifold_discriminator is not None
        return (*GAN.players, *(["manifold_discriminator"] if third else []))

    def rebuilt(self, images, training=True):
        """G(E(x)): real images, encoded and generated again."""
        noise = backend.run_network(self.encoder, images, training=training)
        return self.make(noise, training=training)

    def opponents(self):
        mine = [self.discriminator, self.manifold_discriminator]
        return [one for one in mine if one is not None]

    def discriminator_step(self, images, conditions=None):
        if self.manifold_discriminator is None:
            return super().discriminator_step(images)
        with frozen_statistics(self.generator, self.encoder):
            rebuilt = self.rebuilt(images)
        m_loss = self.minimize(
            lambda: self._manifold_loss(images, rebuilt),
            optimizer="manifold_discriminator",
        )
        return {**super().discriminator_step(rebuilt), "m_loss": m_loss}

    def _manifold_loss(self, images, rebuilt, training=True):
        network = self.manifold_discriminator
        scores = [
            backend.run_network(network, x, training=training)
            for x in (images, rebuilt)
        ]
        loss = self.adversarial_loss.discriminator(*scores)
        return loss + regularization(network)

    def generator_loss(self, images, fake, conditions=None, training=True):
        loss, logs = super().generator_loss(images, fake, None, training)
        rebuilt = self.rebuilt(images, training)
        axes = tuple(range(1, len(images.shape)))
        error = ops.cast(images, "float32") - ops.cast(rebuilt, "float32")
        distance = ops.mean(ops.sum(ops.square(error), axis=axes))
        judge = self.manifold_discriminator or self.discriminator
        mode = self.adversarial_loss.generator(
            backend.run_network(judge, rebuilt, training=training)
        )
        loss = loss + self.distance_weight * distance + self.mode_weight * mode
        loss = loss + regularization(self.encoder)
        return loss, {**logs, "reconstruction": distance}

    def get_config(self):
        return {
            **super().get_config(),
            "distance_weight": self.distance_weight,
            "mode_weight": self.mode_weight,
        }
