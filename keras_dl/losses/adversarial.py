"""What the two players of an adversarial game minimize, by their scores."""

import keras
from keras import ops

from keras_dl import backend
from keras_dl.checks import check_integer


class AdversarialLoss:
    """The two losses of a generator and a discriminator.

        L_D = mean real(D(x)) + mean fake(D(G(z)))
        L_G = mean fooled(D(G(z)))

    `D` gives scores without a last activation (logits), of any shape: one for
    each image, or one for each patch of it. A subclass writes the three
    functions `real`, `fake` and `fooled` of single scores; a trainer such as
    `keras_dl.training.GAN` calls `discriminator` and `generator`.

    **Precision.** Means are taken in float32, whatever the scores are.

    Example: the losses of a step.

    >>> loss = NonSaturatingLoss()
    >>> loss.discriminator(real=ops.array([3.0]), fake=ops.array([-2.0]))
    0.1755
    >>> loss.generator(fake=ops.array([-2.0]))
    2.1269
    """

    # Whether the generator plays for the very value that its opponent plays
    # against, so that the scores of real images concern it too.
    zero_sum = False

    def real(self, scores):
        """What the discriminator pays for scores of real images."""
        raise NotImplementedError

    def fake(self, scores):
        """What the discriminator pays for scores of generated images."""
        raise NotImplementedError

    def fooled(self, scores):
        """What the generator pays for scores of its images."""
        raise NotImplementedError

    def discriminator(self, real, fake):
        """The discriminator's loss, a scalar."""
        return self.mean(self.real, real) + self.mean(self.fake, fake)

    def generator(self, fake, real=None):
        """The generator's loss, a scalar.

        Args:
            fake: Scores of generated images.
            real: Scores of real images, where they depend on the generator
                too, as those of an unrolled discriminator do; else `None`.
        """
        loss = self.mean(self.fooled, fake)
        if real is None or not self.zero_sum:
            return loss
        return loss - self.mean(self.real, real)

    def mean(self, function, scores):
        """Mean of a function of all scores, in float32."""
        return ops.mean(function(ops.cast(scores, "float32")))

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable("keras_dl")
class MinimaxLoss(AdversarialLoss):
    """The original game: one value, that one minimizes and one maximizes.

        V = E log sigmoid(D(x)) + E log(1 - sigmoid(D(G(z))))
        L_D = -V        L_G = E log(1 - sigmoid(D(G(z))))

    Against a discriminator that is sure of itself the generator gets next to
    no gradient: see `NonSaturatingLoss`. With the best discriminator,
    D = log p/q, V is at least -log 4, which it is where both distributions are
    one.

    Reference:
        Goodfellow et al., "Generative adversarial nets", 2014.
    """

    zero_sum = True

    def real(self, scores):
        return ops.softplus(-scores)

    def fake(self, scores):
        return ops.softplus(scores)

    def fooled(self, scores):
        return -ops.softplus(scores)


@keras.saving.register_keras_serializable("keras_dl")
class NonSaturatingLoss(MinimaxLoss):
    """The usual loss: the generator makes its images likely to be real.

        L_D = -E log sigmoid(D(x)) - E log(1 - sigmoid(D(G(z))))
        L_G = -E log sigmoid(D(G(z)))

    It has the fixed points of `MinimaxLoss`, and steep gradients where that has
    none. At equilibrium L_D = 2 log 2 and L_G = log 2.

    Reference:
        Goodfellow et al., "Generative adversarial nets", 2014, section 3.
    """

    zero_sum = False

    def fooled(self, scores):
        return ops.softplus(-scores)


@keras.saving.register_keras_serializable("keras_dl")
class LeastSquaresLoss(AdversarialLoss):
    """Squared distances of the scores from targets (LSGAN).

        L_D = 1/2 E (D(x) - b)^2 + 1/2 E (D(G(z)) - a)^2
        L_G = 1/2 E (D(G(z)) - c)^2

    Args:
        fake_target: a, the discriminator's target for generated images.
        real_target: b, its target for real ones.
        generator_target: c, the generator's target. With a = -1, b = 1 and
            c = 0 the game minimizes Pearson's chi squared divergence.

    Reference:
        Mao et al., "Least squares generative adversarial networks", 2017.
        CycleGAN takes the same L_D, and L_G without its half: twice the weight.
    """

    def __init__(self, fake_target=0.0, real_target=1.0, generator_target=1.0):
        self.fake_target = fake_target
        self.real_target = real_target
        self.generator_target = generator_target

    def real(self, scores):
        return 0.5 * ops.square(scores - self.real_target)

    def fake(self, scores):
        return 0.5 * ops.square(scores - self.fake_target)

    def fooled(self, scores):
        return 0.5 * ops.square(scores - self.generator_target)

    def get_config(self):
        return {
            "fake_target": self.fake_target,
            "real_target": self.real_target,
            "generator_target": self.generator_target,
        }


@keras.saving.register_keras_serializable("keras_dl")
class WassersteinLoss(AdversarialLoss):
    """The critic of a Wasserstein GAN: the difference of two means.

        L_D = E D(G(z)) - E D(x)        L_G = -E D(G(z))

    If D is kept 1-Lipschitz, by `GradientPenalty` or, up to a factor, by
    `keras_dl.constraints.ClipWeights`, then -L_D of the best critic is the
    Wasserstein distance of the two distributions.

    Reference:
        Arjovsky, Chintala and Bottou, "Wasserstein generative adversarial
        networks", 2017.
    """

    zero_sum = True

    def real(self, scores):
        return -scores

    def fake(self, scores):
        return scores

    def fooled(self, scores):
        return -scores


@keras.saving.register_keras_serializable("keras_dl")
class AdversarialHingeLoss(WassersteinLoss):
    """A critic that cares for scores within the margin only.

        L_D = E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))
        L_G = -E D(G(z))

    Reference:
        Lim and Ye, "Geometric GAN", 2017; Miyato et al., "Spectral
        normalization for generative adversarial networks", 2018.
    """

    zero_sum = False

    def real(self, scores):
        return ops.relu(1.0 - scores)

    def fake(self, scores):
        return ops.relu(1.0 + scores)


@keras.saving.register_keras_serializable("keras_dl")
class GeneratorClassificationLoss(AdversarialLoss):
    """One discriminator tells which of several generators made an image.

    It has k + 1 logits, of which the first stands for real images:

        L_D = mean of -log softmax(D(x))_0 over real images x, and of
              -log softmax(D(G_i(z)))_i over the images of each generator i
        L_G = mean of -log softmax(D(G_i(z)))_0

    To tell the generators apart it drives them to different modes.

    **Shapes.** Scores `(batch, k + 1)`. Those of generated images stand
    generator by generator, as many of each.

    Args:
        num_generators: k.

    Raises:
        ValueError: If `num_generators` is not a positive integer, or scores do
            not have k + 1 columns.

    Reference:
        Ghosh et al., "Multi-agent diverse generative adversarial networks",
        2018. As in the authors' code all images count alike, so that the
        generators' outweigh the real ones by k to 1.
    """

    def __init__(self, num_generators):
        self.num_generators = check_integer("num_generators", num_generators, 1)

    def real(self, scores):
        return self._surprise(scores, ops.zeros_like(scores[:, 0], "int32"))

    fooled = real

    def fake(self, scores):
        rows = ops.arange(ops.shape(scores)[0], dtype="int32")
        each = ops.shape(scores)[0] // self.num_generators
        return self._surprise(scores, rows // each + 1)

    def discriminator(self, real, fake):
        parts = [
            function(ops.cast(scores, "float32"))
            for function, scores in ((self.real, real), (self.fake, fake))
        ]
        return ops.mean(ops.concatenate(parts))

    def _surprise(self, scores, classes):
        if scores.shape[-1] != self.num_generators + 1:
            raise ValueError(
                "A discriminator of "
                f"{self.num_generators} generators must give "
                f"{self.num_generators + 1} scores. "
                f"Received: scores of shape {tuple(scores.shape)}"
            )
        return -backend.gather_last(ops.log_softmax(scores), classes)

    def get_config(self):
        return {"num_generators": self.num_generators}


_BY_NAME = {
    "minimax": MinimaxLoss,
    "non_saturating": NonSaturatingLoss,
    "least_squares": LeastSquaresLoss,
    "hinge": AdversarialHingeLoss,
    "wasserstein": WassersteinLoss,
}


def adversarial(identifier):
    """An `AdversarialLoss` by its name, or the one that is given.

    Args:
        identifier: `"minimax"`, `"non_saturating"`, `"least_squares"`,
            `"hinge"`, `"wasserstein"`, or an `AdversarialLoss`.

    Raises:
        ValueError: If it is none of these.

    Example:

    >>> adversarial("wasserstein")
    <keras_dl.losses.adversarial.WassersteinLoss object at 0x...>
    """
    if isinstance(identifier, AdversarialLoss):
        return identifier
    if isinstance(identifier, str) and identifier in _BY_NAME:
        return _BY_NAME[identifier]()
    raise ValueError(
        f"`loss` must be an `AdversarialLoss` or one of {sorted(_BY_NAME)}. "
        f"Received: loss={identifier!r}"
    )
