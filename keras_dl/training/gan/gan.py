"""`GAN`: a generator and a discriminator that train against each other."""

import contextlib

import keras
import numpy as np
from keras import ops, tree

from keras_dl import backend
from keras_dl.checks import check_integer
from keras_dl.datasets.arrays import as_arrays
from keras_dl.losses import adversarial
from keras_dl.training.gan.network_inputs import (
    as_conditions,
    check_condition_classes,
    check_conditions,
    check_tensor,
)
from keras_dl.training.gan.players import (
    PlayersTrainer,
    check_network,
    frozen_statistics,
    predict_batched,
    regularization,
)
from keras_dl.training.gan.unrolling import unrolled


@keras.saving.register_keras_serializable("keras_dl")
class GAN(PlayersTrainer):
    """Trains a generator and a discriminator in turn.

    Each step of training is

        `discriminator_steps` times:  D minimizes L_D(D(x), D(G(z))) + penalties
        once:                         G minimizes L_G(D(G(z)))

    with fresh noise z ~ N(0, 1) each time. What the losses are is passed in,
    and makes the variants: `"non_saturating"` is the GAN of most papers,
    `"wasserstein"` with five steps of the discriminator and a
    `keras_dl.losses.GradientPenalty` is WGAN-GP, with
    `keras_dl.constraints.ClipWeights` WGAN. Both networks run in training
    mode; while one trains, all of the other, its batch statistics included,
    stays as it is.

    **Data.** `images`, or `(images, conditions)`; images may be any tensors
    that the discriminator takes. With conditions, such as class numbers, the
    networks get lists: `generator([noise, conditions])` and
    `discriminator([images, conditions])`.

    **Batches.** Each update of the discriminator sees other images: a batch is
    cut into `discriminator_steps` parts, and all updates work with the size of
    a part. So give `fit` a `batch_size` that is as many times larger.

    **Unrolling.** With `unrolled_steps` of k the generator looks ahead: its
    loss is that after k more updates of the discriminator, and its gradient
    goes through them. The discriminator itself takes none of these updates.

    **Logs.** `d_loss` and `g_loss`, means of the scores of real and generated
    images as `real_score` and `fake_score`. `evaluate` gives the same, of both
    networks in inference mode.

    **Precision.** Losses are computed in float32; under `mixed_float16` each
    player's loss is scaled by its own optimizer.

    Args:
        generator: Built Keras model, noise to images. Its first input says of
            what shape the noise is.
        discriminator: Built Keras model, images to scores, without a last
            activation. The scores may have any shape.
        adversarial_loss: A `keras_dl.losses.AdversarialLoss` or its name.
        penalties: Terms of the discriminator's loss, as in
            `keras_dl.losses.penalties`.
        discriminator_steps: Updates of the discriminator to each of the
            generator.
        discriminator_constraint: `keras.constraints.Constraint` of all of the
            discriminator's trainable weights, or `None`.
        matching_aware: Whether real images with the condition of another
            image of the batch are shown to the discriminator as fakes too,
            where there are conditions.
        unrolled_steps: Updates of the discriminator that the generator looks
            ahead.
        seed: Integer, or `None` for chance.
        kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If a network is not built, or an argument is not allowed.
        TypeError: If a network is not a Keras model.

    Example:

    >>> networks = keras_dl.applications.gan
    >>> generator = networks.mlp_generator(latent_dim=8, output_dim=2)
    >>> discriminator = networks.mlp_discriminator(input_dim=2)
    >>> gan = GAN(generator, discriminator)
    >>> gan.compile(  # `fit` would by itself, like this.
    ...     optimizer={
    ...         "generator": keras.optimizers.Adam(2e-4, beta_1=0.5),
    ...         "discriminator": keras.optimizers.Adam(2e-4, beta_1=0.5),
    ...     }
    ... )
    >>> points, _ = keras_dl.datasets.ring_of_gaussians(128)
    >>> history = gan.fit(points, batch_size=64, epochs=2, verbose=0)
    >>> gan.generate(16, seed=0).shape
    (16, 2)

    Reference:
        Goodfellow et al., "Generative adversarial nets", 2014; for unrolling
        Metz et al., "Unrolled generative adversarial networks", 2017; for
        matching-aware discriminators Reed et al., "Generative adversarial text
        to image synthesis", 2016.
    """

    expects = ("images", "conditions?")
    players = ("generator", "discriminator")
    parts = (
        "generator",
        "discriminator",
        "adversarial_loss",
        "penalties",
        "discriminator_constraint",
    )

    def __init__(
        self,
        generator,
        discriminator,
        adversarial_loss="non_saturating",
        penalties=(),
        discriminator_steps=1,
        discriminator_constraint=None,
        matching_aware=False,
        unrolled_steps=0,
        seed=None,
        **kwargs,
    ):
        super().__init__(check_network("generator", generator), **kwargs)
        self.generator = generator
        self.discriminator = check_network("discriminator", discriminator)
        self.adversarial_loss = adversarial(adversarial_loss)
        self.penalties = list(penalties)
        self.discriminator_steps = check_integer(
            "discriminator_steps", discriminator_steps, 1
        )
        self.unrolled_steps = check_integer("unrolled_steps", unrolled_steps, 0)
        self.matching_aware = matching_aware
        self.discriminator_constraint = constrain(
            discriminator, discriminator_constraint
        )
        self.seed = seed
        self.random = keras.random.SeedGenerator(seed)

    # The parts of a step, which variants change.

    def unpacked(self, data):
        """`(images, conditions)` of a batch; conditions may be `None`."""
        return data if isinstance(data, tuple) else (data, None)

    def noise(self, count):
        """Fresh noise for so many images."""
        shape = (count, *self._latent_shape())
        return keras.random.normal(shape, seed=self.random)

    def make(self, noise, conditions=None, training=True):
        """The generator's images."""
        inputs = noise if conditions is None else [noise, conditions]
        return backend.run_network(self.generator, inputs, training=training)

    def score(self, images, conditions=None, training=True):
        """The discriminator's scores of images."""
        inputs = images if conditions is None else [images, conditions]
        return backend.run_network(
            self.discriminator, inputs, training=training
        )

    def discriminator_loss(self, images, fake, conditions=None, training=True):
        """The discriminator's loss on real and generated images, and logs."""

        def score(images):
            return self.score(images, conditions, training)

        real_scores, fake_scores = score(images), score(fake)
        logs = self.score_logs(real_scores, fake_scores)
        if self.matching_aware and conditions is not None:
            others = tree.map_structure(lambda c: ops.roll(c, 1, 0), conditions)
            wrong = self.score(images, others, training)
            fake_scores = ops.concatenate([fake_scores, wrong])
        loss = self.adversarial_loss.discriminator(real_scores, fake_scores)
        for penalty in self.penalties:
            loss = loss + penalty(score, images, fake, self.random)
        return loss + regularization(self.discriminator), logs

    def score_logs(self, real_scores, fake_scores):
        """What is logged of the scores of real and of generated images."""
        return {
            "real_score": ops.mean(ops.cast(real_scores, "float32")),
            "fake_score": ops.mean(ops.cast(fake_scores, "float32")),
        }

    def generator_loss(self, images, fake, conditions=None, training=True):
        """The generator's loss for the images that it made, and logs.

        What its layers add themselves is no part of this.
        """
        return self.fooling_loss(images, fake, conditions, training), {}

    def fooling_loss(self, images, fake, conditions=None, training=True):
        """The adversarial part of the generator's loss."""
        real_scores = None
        if self.unrolled_steps and training:
            real_scores = self.score(images, conditions)
        return self.adversarial_loss.generator(
            self.score(fake, conditions, training), real_scores
        )

    def opponents(self):
        """The networks that stay as they are while the generator trains."""
        return [self.discriminator]

    def networks_of_conditions(self):
        """The networks that take conditions, by their names."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
        }

    def check_batch(self, images, conditions):
        """Refuses a batch, as `unpacked` gives it, that no network takes."""
        check_tensor("images", images, self.discriminator.inputs[0])
        check_conditions(conditions, self.networks_of_conditions())

    def check_parts(self, images, conditions=None):
        check_condition_classes(conditions, self.networks_of_conditions())

    def check_inputs(self, inputs):
        """Refuses what is not noise, or noise and conditions."""
        if isinstance(inputs, dict):
            return  # Keras has them by the names of the inputs.
        noise, *conditions = inputs if isinstance(inputs, list) else [inputs]
        check_tensor("noise", noise, self.generator.inputs[0])
        networks = {"generator": self.generator}
        check_conditions(conditions, networks)
        check_condition_classes(conditions, networks)

    # The steps.

    def _batch(self, data):
        images, conditions = self.unpacked(data)
        self.check_batch(images, conditions)
        return images, conditions

    def training_step(self, data):
        images, conditions = self._batch(data)
        steps = []
        for part in split_batch((images, conditions), self.discriminator_steps):
            steps.append(self.discriminator_step(*part))
        logs = tree.map_structure(lambda *x: sum(x) / len(x), *steps)
        return {**logs, **self.generator_step(*part)}

    def discriminator_step(self, images, conditions=None):
        """One update of the discriminator; returns logs."""
        with frozen_statistics(self.generator):
            noise = self.noise(ops.shape(images)[0])
            fake = self.make(noise, conditions)
        loss, logs = self.minimize(
            lambda: self.discriminator_loss(images, fake, conditions),
            optimizer="discriminator",
            has_aux=True,
        )
        return {"d_loss": loss, **logs}

    def generator_step(self, images, conditions=None):
        """One update of the generator; returns logs."""
        noise = self.noise(ops.shape(images)[0])

        def loss():
            fake = self.make(noise, conditions)
            added = regularization(self.generator)
            batch = images, fake, conditions
            with frozen_statistics(*self.opponents()), self._ahead(*batch):
                loss, logs = self.generator_loss(*batch)
            return loss + added, logs

        loss, logs = self.minimize(loss, optimizer="generator", has_aux=True)
        return {"g_loss": loss, **logs}

    def _ahead(self, images, fake, conditions):
        """The discriminator as it would be some updates later."""
        if not self.unrolled_steps:
            return contextlib.nullcontext()
        return unrolled(
            lambda: self.discriminator_loss(images, fake, conditions)[0],
            self.discriminator.trainable_variables,
            self.optimizer["discriminator"],
            self.unrolled_steps,
        )

    def evaluation_step(self, data):
        images, conditions = self._batch(data)
        noise = self.noise(ops.shape(images)[0])
        fake = self.make(noise, conditions, training=False)
        added = regularization(self.generator)
        rest = images, fake, conditions, False
        d_loss, d_logs = self.discriminator_loss(*rest)
        g_loss, g_logs = self.generator_loss(*rest)
        logs = {**d_logs, **g_logs}
        return {"d_loss": d_loss, "g_loss": g_loss + added, **logs}

    # What a user calls.

    def sample_noise(self, count, seed=None):
        """Noise for `generate`, by NumPy: the same on every backend.

        Args:
            count: Number of images.
            seed: Integer, or `None` for chance.
        """
        shape = (check_integer("count", count, 1), *self._latent_shape())
        noise = np.random.default_rng(seed).standard_normal(shape)
        return noise.astype("float32")

    def generate(
        self, count=None, conditions=None, noise=None, seed=None, batch_size=32
    ):
        """New images, as a NumPy array.

        Args:
            count: Number of images; as many as there are conditions or rows
                of noise, if not given.
            conditions: What the generator takes beside noise, a row for each
                image, where it takes something.
            noise: Array of noise, a row for each image, to use this.
            seed: Integer for noise that can be repeated.
            batch_size: How many images to make at once.

        Raises:
            ValueError: If numbers of images differ, or none is given, or
                conditions are not those that the generator takes.
        """
        if conditions is not None:
            conditions = as_arrays("conditions", conditions)
        if noise is not None:
            noise = as_arrays("noise", noise)
        given = [x for x in (noise, conditions) if x is not None]
        counts = {len(leaf) for x in given for leaf in tree.flatten(x)}
        counts |= set() if count is None else {count}
        if len(counts) != 1:
            raise ValueError(
                "`count`, `conditions` and `noise` must say one number of "
                f"images. Received: {sorted(counts)}"
            )
        if noise is None:
            noise = self.sample_noise(counts.pop(), seed)
        inputs = noise if conditions is None else [noise, conditions]
        self.check_inputs(inputs)
        if conditions is not None:
            inputs = [noise, as_conditions(conditions, self.generator)]
        return predict_batched(self.generator, inputs, batch_size)

    def _latent_shape(self):
        return tuple(self.generator.inputs[0].shape[1:])

    def get_config(self):
        return {
            **super().get_config(),
            "discriminator_steps": self.discriminator_steps,
            "matching_aware": self.matching_aware,
            "unrolled_steps": self.unrolled_steps,
            "seed": self.seed,
        }


def constrain(network, constraint):
    """Puts all trainable weights under a constraint; returns it."""
    constraint = keras.constraints.get(constraint)
    if constraint is not None:
        for variable in network.trainable_variables:
            variable.constraint = constraint
    return constraint


def split_batch(parts, count):
    """Cuts the rows of all tensors of a structure into so many parts.

    If there are fewer rows than parts, rows are in several of them.
    """
    if count == 1:
        return [parts]

    def part(tensor, i):
        rows = ops.shape(tensor)[0]
        static = isinstance(rows, int)
        most, least = (max, min) if static else (ops.maximum, ops.minimum)
        size = most(rows // count, 1)
        start = least(i * size, rows - size)
        return tensor[start : start + size]

    return [
        tree.map_structure(lambda x, i=i: x if x is None else part(x, i), parts)
        for i in range(count)
    ]
