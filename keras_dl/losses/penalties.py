"""What a discriminator pays beside its scores: penalties of its gradients.

Each is called with the function that scores images, real images, generated
ones, and a seed generator, and returns a scalar to add to the discriminator's
loss. Penalties keep no state.
"""

import keras
from keras import ops

from keras_dl import autodiff
from keras_dl.checks import check_positive


class Penalty:
    """A term of the discriminator's loss that needs the images.

    A subclass writes `__call__(score, real, fake, seed)`.

    Args:
        weight: Positive number that the term is multiplied by.
    """

    def __init__(self, weight):
        self.weight = check_positive("weight", weight)

    def __call__(self, score, real, fake, seed):
        raise NotImplementedError

    def get_config(self):
        return {"weight": self.weight}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable("keras_dl")
class GradientPenalty(Penalty):
    """Keeps a critic's slope at `target` between real and generated images.

        weight * E (||dD(m)/dm||_2 - target)^2
        m = x + a (G(z) - x),   a ~ U(0, 1) for each image

    The norm is over all pixels and channels of an image. A critic that uses
    statistics of its batch (batch normalization) makes a slope of one image
    depend on others, and must not be used with it.

    **Precision.** Norm and mean are computed in float32.

    Args:
        weight: Lambda of the paper.
        target: The slope that costs nothing.
        one_sided: Whether smaller slopes cost nothing either.

    Call arguments:
        score: Function of images that returns their scores.
        real, fake: Images of the same shape.
        seed: `keras.random.SeedGenerator` that `a` is drawn by.

    Raises:
        ValueError: If `weight` or `target` is not a positive number.

    Example: the loss of a critic whose slope is 3 everywhere.

    >>> critic = lambda images: 3 * ops.mean(images, axis=(1, 2, 3))
    >>> real, fake = ops.ones((2, 1, 1, 1)), ops.zeros((2, 1, 1, 1))
    >>> loss = keras_dl.losses.WassersteinLoss()
    >>> score = loss.discriminator(critic(real), critic(fake))
    >>> seed = keras.random.SeedGenerator(0)
    >>> score, GradientPenalty(10.0)(critic, real, fake, seed)
    (-3.0, 40.0)

    Reference:
        Gulrajani et al., "Improved training of Wasserstein GANs", 2017. Where
        the slope is 0 the norm has no gradient; here it is taken to be 0.
    """

    def __init__(self, weight=10.0, target=1.0, one_sided=False):
        super().__init__(weight)
        self.target = check_positive("target", target)
        self.one_sided = one_sided

    def __call__(self, score, real, fake, seed):
        count = ops.shape(real)[0]
        shape = (count, *[1] * (len(real.shape) - 1))
        share = keras.random.uniform(shape, dtype="float32", seed=seed)
        real, fake = (ops.cast(images, "float32") for images in (real, fake))
        squares = squared_slopes(score, real + share * (fake - real))
        positive = squares > 0.0
        # Twice, since the gradient of a root at 0 is infinite, and not cut off.
        norms = ops.sqrt(ops.where(positive, squares, 1.0))
        excess = ops.where(positive, norms, 0.0) - self.target
        if self.one_sided:
            excess = ops.relu(excess)
        return self.weight * ops.mean(ops.square(excess))

    def get_config(self):
        return {
            **super().get_config(),
            "target": self.target,
            "one_sided": self.one_sided,
        }


@keras.saving.register_keras_serializable("keras_dl")
class R1Penalty(Penalty):
    """Keeps a discriminator flat at real images.

        weight / 2 * E ||dD(x)/dx||_2^2

    Args:
        weight: Gamma of the paper.

    Raises:
        ValueError: If `weight` is not a positive number.

    Reference:
        Mescheder, Geiger and Nowozin, "Which training methods for GANs do
        actually converge?", 2018.
    """

    def __init__(self, weight=10.0):
        super().__init__(weight)

    def __call__(self, score, real, fake, seed):
        real = ops.cast(real, "float32")
        return 0.5 * self.weight * ops.mean(squared_slopes(score, real))


@keras.saving.register_keras_serializable("keras_dl")
class DriftPenalty(Penalty):
    """Keeps the scores of real images from drifting away from 0.

        weight * E D(x)^2

    Differences of scores, which are all that Wasserstein losses know, leave
    their level open.

    Args:
        weight: Epsilon of the paper.

    Raises:
        ValueError: If `weight` is not a positive number.

    Reference:
        Karras et al., "Progressive growing of GANs for improved quality,
        stability, and variation", 2018.
    """

    def __init__(self, weight=0.001):
        super().__init__(weight)

    def __call__(self, score, real, fake, seed):
        scores = ops.cast(score(real), "float32")
        return self.weight * ops.mean(ops.square(scores))


def squared_slopes(score, images):
    """Squared norm of the gradient of the scores, for each image, float32."""

    def total(images):
        return ops.sum(ops.cast(score(images), "float32"))

    slopes = ops.cast(autodiff.grad(total)(images), "float32")
    return ops.sum(ops.square(slopes), axis=tuple(range(1, len(images.shape))))
