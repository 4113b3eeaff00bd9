"""Translation between two sets of images without pairs: CycleGAN's method."""

import functools

import keras
from keras import ops

from keras_dl import backend
from keras_dl.datasets.arrays import as_arrays
from keras_dl.losses import adversarial
from keras_dl.training.gan.image_pool import ImagePool
from keras_dl.training.gan.network_inputs import check_tensor
from keras_dl.training.gan.players import (
    PlayersTrainer,
    check_network,
    check_weights,
    frozen_statistics,
    predict_batched,
    regularization,
)


@keras.saving.register_keras_serializable("keras_dl")
class CycleConsistentGAN(PlayersTrainer):
    """Learns to turn images of a set A into such of a set B, and back.

    G turns a into b, F turns b into a; D_A and D_B tell real from generated
    images of their set. Together G and F minimize

        adversarial_weight * (L_G(D_B(G(a))) + L_G(D_A(F(b))))
        + cycle_weight * (E |F(G(a)) - a| + E |G(F(b)) - b|)
        + identity_weight * (E |F(a) - a| + E |G(b) - b|)

    and then the discriminators, each for itself, L_D of real images and of
    generated ones, among them older ones from an `ImagePool`.

    **Data.** `(a, b)`: batches of both sets, of the same number. Nothing says
    which image of one belongs to which of the other. For sets of different
    sizes there is `keras_dl.datasets.UnpairedBatches`.

    **Logs.** `d_loss`, `g_loss` (all that G and F minimize), `cycle_loss` and
    `identity_loss` without their weights, `real_score` and `fake_score`.

    **Learning rate.** As in the paper, constant and then linearly to 0:
    `keras_dl.optimizers.ConstantThenLinear`.

    Args:
        generator: G, built Keras model. `predict` is its.
        inverse_generator: F.
        discriminator: D_B, the judge of G. Scores of patches are usual.
        inverse_discriminator: D_A, the judge of F.
        adversarial_loss: A `keras_dl.losses.AdversarialLoss` or its name.
        adversarial_weight: 2 makes up for the half in `LeastSquaresLoss`,
            which CycleGAN has for the discriminators alone.
        cycle_weight, identity_weight: As above. With 0 for the latter F(a) and
            G(b) are not computed.
        pool_size: Images that are kept of each generator.
        seed: Integer, or `None` for chance.
        kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If a network is not built, or a weight is below 0.
        TypeError: If a network is not a Keras model.

    Example:

    >>> networks = keras_dl.applications.gan
    >>> judges = [networks.mlp_discriminator(2) for _ in range(2)]
    >>> ways = [networks.mlp_generator(2, 2) for _ in range(2)]
    >>> gan = CycleConsistentGAN(*ways, *judges, identity_weight=0.0)
    >>> a, _ = keras_dl.datasets.ring_of_gaussians(64)
    >>> b, _ = keras_dl.datasets.grid_of_gaussians(64)
    >>> history = gan.fit(a, b, batch_size=16, verbose=0)
    >>> gan.translate(a).shape, gan.translate(b, inverse=True).shape
    ((64, 2), (64, 2))

    Reference:
        Zhu et al., "Unpaired image-to-image translation using cycle-consistent
        adversarial networks", 2017.
    """

    expects = ("a", "b")
    players = ("generators", "discriminators")
    parts = (
        "generator",
        "inverse_generator",
        "discriminator",
        "inverse_discriminator",
        "adversarial_loss",
    )

    def __init__(
        self,
        generator,
        inverse_generator,
        discriminator,
        inverse_discriminator,
        adversarial_loss="least_squares",
        adversarial_weight=2.0,
        cycle_weight=10.0,
        identity_weight=5.0,
        pool_size=50,
        seed=None,
        **kwargs,
    ):
        super().__init__(check_network("generator", generator), **kwargs)
        self.generator = generator
        self.inverse_generator = check_network(
            "inverse_generator", inverse_generator
        )
        self.discriminator = check_network("discriminator", discriminator)
        self.inverse_discriminator = check_network(
            "inverse_discriminator", inverse_discriminator
        )
        check_weights(
            adversarial_weight=adversarial_weight,
            cycle_weight=cycle_weight,
            identity_weight=identity_weight,
        )
        self.adversarial_loss = adversarial(adversarial_loss)
        self.adversarial_weight = adversarial_weight
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self.seed = seed
        self.pool = ImagePool(pool_size, seed)
        self.inverse_pool = ImagePool(pool_size, seed)
        self.pool.build(generator.output_shape)
        self.inverse_pool.build(inverse_generator.output_shape)

    def optimizer_variables(self, name=None):
        kinds = {"generators": "generator", "discriminators": "discriminator"}
        if name not in kinds:
            raise ValueError(
                f"The optimizers of a CycleGAN are {sorted(kinds)}. "
                f"Received: {name!r}"
            )
        kind = kinds[name]
        return [
            *getattr(self, kind).trainable_variables,
            *getattr(self, f"inverse_{kind}").trainable_variables,
        ]

    def check_parts(self, a, b):
        if len(a) != len(b):
            raise ValueError(
                "`a` and `b` must hold as many images as each other, a pair of "
                "any two for each step. Received: "
                f"{len(a)} and {len(b)}. For sets of different sizes there is "
                "`fit(keras_dl.datasets.UnpairedBatches(a, b, batch_size))`."
            )

    def check_inputs(self, inputs):
        """Refuses what the generator cannot take: other images."""
        check_tensor("inputs", inputs, self.generator.inputs[0])

    def _batch(self, data):
        a, b = data
        check_tensor("a", a, self.generator.inputs[0])
        check_tensor("b", b, self.inverse_generator.inputs[0])
        return a, b

    def training_step(self, data):
        a, b = self._batch(data)

        def loss():
            with frozen_statistics(
                self.discriminator, self.inverse_discriminator
            ):
                loss, fakes, logs = self.generators_loss(a, b)
            return loss, (fakes, logs)

        g_loss, (fakes, logs) = self.minimize(
            loss, optimizer="generators", has_aux=True
        )
        fake_b, fake_a = fakes
        fakes = self.pool(fake_b), self.inverse_pool(fake_a)
        d_loss, scores = self.minimize(
            lambda: self.discriminators_loss(a, b, *fakes),
            optimizer="discriminators",
            has_aux=True,
        )
        return {"d_loss": d_loss, "g_loss": g_loss, **logs, **scores}

    def generators_loss(self, a, b, training=True):
        """What both generators minimize, their images, and logs."""
        forth, back = (
            functools.partial(backend.run_network, network, training=training)
            for network in (self.generator, self.inverse_generator)
        )
        fake_b, fake_a = forth(a), back(b)
        fooling = sum(
            self.adversarial_loss.generator(
                backend.run_network(judge, fake, training=training)
            )
            for judge, fake in (
                (self.discriminator, fake_b),
                (self.inverse_discriminator, fake_a),
            )
        )
        cycle = distance(back(fake_b), a) + distance(forth(fake_a), b)
        loss = self.adversarial_weight * fooling + self.cycle_weight * cycle
        logs = {"cycle_loss": cycle}
        if self.identity_weight:
            identity = distance(back(a), a) + distance(forth(b), b)
            loss = loss + self.identity_weight * identity
            logs["identity_loss"] = identity
        for network in (self.generator, self.inverse_generator):
            loss = loss + regularization(network)
        return loss, (fake_b, fake_a), logs

    def discriminators_loss(self, a, b, fake_b, fake_a, training=True):
        """What both discriminators minimize, and logs."""
        loss, scores = 0.0, []
        for judge, real, fake in (
            (self.discriminator, b, fake_b),
            (self.inverse_discriminator, a, fake_a),
        ):
            scores.append(
                [
                    backend.run_network(judge, x, training=training)
                    for x in (real, fake)
                ]
            )
            loss = loss + self.adversarial_loss.discriminator(*scores[-1])
            loss = loss + regularization(judge)
        real, fake = (
            sum(ops.mean(ops.cast(s[i], "float32")) for s in scores) / 2
            for i in (0, 1)
        )
        return loss, {"real_score": real, "fake_score": fake}

    def evaluation_step(self, data):
        a, b = self._batch(data)
        g_loss, fakes, logs = self.generators_loss(a, b, training=False)
        d_loss, scores = self.discriminators_loss(a, b, *fakes, training=False)
        return {"d_loss": d_loss, "g_loss": g_loss, **logs, **scores}

    def translate(self, inputs, inverse=False, batch_size=32):
        """Images of B that the generator makes of an array of such of A.

        Args:
            inputs: Images.
            inverse: Whether to make images of A, of images of B.
            batch_size: How many images to make at once.
        """
        network = self.inverse_generator if inverse else self.generator
        inputs = as_arrays("inputs", inputs)
        check_tensor("inputs", inputs, network.inputs[0])
        return predict_batched(network, inputs, batch_size)

    def get_config(self):
        return {
            **super().get_config(),
            "adversarial_weight": self.adversarial_weight,
            "cycle_weight": self.cycle_weight,
            "identity_weight": self.identity_weight,
            "pool_size": self.pool.size,
            "seed": self.seed,
        }


def distance(x, y):
    """Mean absolute difference, in float32."""
    return ops.mean(ops.abs(ops.cast(x, "float32") - ops.cast(y, "float32")))
