"""Adversarial losses and penalties: values, gradients, what they play for."""

import keras
import numpy as np
import pytest
from keras import ops
from sequences import normal

from keras_dl import autodiff, losses
from keras_dl.losses import (
    AdversarialHingeLoss,
    AdversarialLoss,
    DriftPenalty,
    GeneratorClassificationLoss,
    GradientPenalty,
    LeastSquaresLoss,
    MinimaxLoss,
    NonSaturatingLoss,
    Penalty,
    R1Penalty,
    WassersteinLoss,
    adversarial,
)

REAL, FAKE = normal(6, 1), normal(6, 1, seed=1) * 2


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def mean_log(p):
    return np.mean(np.log(p))


# The losses of both players in float64, as the papers write them.
EXPECTED = {
    MinimaxLoss: (
        lambda r, f: -mean_log(sigmoid(r)) - mean_log(1 - sigmoid(f)),
        lambda f: mean_log(1 - sigmoid(f)),
    ),
    NonSaturatingLoss: (
        lambda r, f: -mean_log(sigmoid(r)) - mean_log(1 - sigmoid(f)),
        lambda f: -mean_log(sigmoid(f)),
    ),
    LeastSquaresLoss: (
        lambda r, f: np.mean((r - 1) ** 2) / 2 + np.mean(f**2) / 2,
        lambda f: np.mean((f - 1) ** 2) / 2,
    ),
    AdversarialHingeLoss: (
        lambda r, f: (
            np.mean(np.maximum(0, 1 - r)) + np.mean(np.maximum(0, 1 + f))
        ),
        lambda f: -np.mean(f),
    ),
    WassersteinLoss: (
        lambda r, f: np.mean(f) - np.mean(r),
        lambda f: -np.mean(f),
    ),
}


def slopes_in_float64(fn, x, step=1e-6):
    """Central differences of a scalar function of an array."""
    x = x.astype("float64")
    slopes = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][i] += step
        moved[1][i] -= step
        slopes[i] = (fn(moved[0]) - fn(moved[1])) / (2 * step)
    return slopes


def gradient(fn, x):
    return ops.convert_to_numpy(autodiff.grad(fn)(ops.convert_to_tensor(x)))


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
def test_values_and_gradients(kind):
    loss, (discriminator, generator) = kind(), EXPECTED[kind]
    real, fake = REAL.astype("float64"), FAKE.astype("float64")
    for actual, expected in (
        (loss.discriminator(REAL, FAKE), discriminator(real, fake)),
        (loss.generator(FAKE), generator(fake)),
    ):
        np.testing.assert_allclose(
            ops.convert_to_numpy(actual), expected, rtol=1e-5
        )
    for actual, expected, x in (
        (
            lambda x: loss.discriminator(x, FAKE),
            lambda x: discriminator(x, fake),
            REAL,
        ),
        (
            lambda x: loss.discriminator(REAL, x),
            lambda x: discriminator(real, x),
            FAKE,
        ),
        (loss.generator, generator, FAKE),
    ):
        np.testing.assert_allclose(
            gradient(actual, x), slopes_in_float64(expected, x), atol=1e-6
        )


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
def test_directions(kind):
    """Each player pays less where its opponent is worse off."""
    loss = kind()
    better = loss.discriminator(REAL + 0.1, FAKE - 0.1)
    assert float(better) < float(loss.discriminator(REAL, FAKE))
    assert float(loss.generator(FAKE + 0.1)) < float(loss.generator(FAKE))


def test_known_values_at_equilibrium():
    zero = ops.zeros((4, 1))
    for kind in (MinimaxLoss, NonSaturatingLoss):
        d_loss = float(kind().discriminator(zero, zero))
        assert d_loss == pytest.approx(2 * np.log(2))
    assert float(NonSaturatingLoss().generator(zero)) == pytest.approx(
        0.693147, abs=1e-6
    )
    value = -float(MinimaxLoss().discriminator(zero, zero))
    assert value == pytest.approx(-1.386294361, abs=1e-6)


@pytest.mark.parametrize("kind", [MinimaxLoss, WassersteinLoss])
def test_of_a_zero_sum_game_one_player_wins_what_the_other_loses(kind):
    """If the scores of real images are the generator's doing too."""
    loss = kind()
    assert float(loss.generator(FAKE, real=REAL)) == pytest.approx(
        -float(loss.discriminator(REAL, FAKE)), rel=1e-5
    )


def test_other_players_do_not_care_for_real_images():
    for kind in set(EXPECTED) - {MinimaxLoss, WassersteinLoss}:
        alone = float(kind().generator(FAKE))
        assert float(kind().generator(FAKE, real=REAL)) == alone


def test_sure_scores_are_finite_and_patches_allowed():
    sure = ops.convert_to_tensor(np.full((2, 3, 3, 1), 200.0, "float16"))
    for kind in EXPECTED:
        for value in (
            kind().discriminator(sure, -sure),
            kind().discriminator(-sure, sure),
            kind().generator(-sure),
        ):
            assert keras.backend.standardize_dtype(value.dtype) == "float32"
            assert np.isfinite(float(value))


def test_targets_of_least_squares():
    loss = LeastSquaresLoss(-1.0, 1.0, 0.0)
    assert float(loss.generator(np.zeros((2, 1), "float32"))) == 0.0
    assert float(loss.discriminator(np.ones(2), -np.ones(2))) == 0.0


def test_generator_classification():
    """Crossentropy over all images, those of three generators in order."""
    loss, real, fake = (
        GeneratorClassificationLoss(3),
        normal(4, 4),
        normal(12, 4),
    )
    logits = np.concatenate([real, fake]).astype("float64")
    classes = np.array([0] * 4 + [1] * 4 + [2] * 4 + [3] * 4)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -np.mean(log_p[np.arange(16), classes])
    assert float(loss.discriminator(real, fake)) == pytest.approx(
        expected, rel=1e-5
    )
    assert float(loss.generator(fake)) == pytest.approx(
        -np.mean(log_p[4:, 0]), rel=1e-5
    )
    with pytest.raises(ValueError, match="must give 4 scores"):
        loss.generator(fake[:, :3])
    with pytest.raises(ValueError, match="`num_generators` must be"):
        GeneratorClassificationLoss(0)


def test_names_and_configs():
    assert isinstance(adversarial("hinge"), AdversarialHingeLoss)
    own = LeastSquaresLoss(generator_target=0.5)
    assert adversarial(own) is own
    with pytest.raises(ValueError, match="`loss` must be an `Adversarial"):
        adversarial("wassertein")
    for part in (
        own,
        GeneratorClassificationLoss(3),
        MinimaxLoss(),
        GradientPenalty(5.0, target=2.0, one_sided=True),
        R1Penalty(3.0),
        DriftPenalty(),
    ):
        assert isinstance(part, (AdversarialLoss, Penalty))
        config = keras.saving.serialize_keras_object(part)
        copy = keras.saving.deserialize_keras_object(config)
        assert type(copy) is type(part)
        assert copy.get_config() == part.get_config()


# Penalties.

W = normal(5, 1)
X, Y = normal(7, 5), normal(7, 5, seed=1)


def seed():
    return keras.random.SeedGenerator(0)


def linear(x):
    return ops.matmul(x, W)


@pytest.mark.parametrize("target", [1.0, 2.0])
def test_gradient_penalty_of_a_linear_critic(target):
    """Its slope is the same everywhere: weight (||w|| - target)^2."""
    penalty = GradientPenalty(10.0, target)
    expected = 10 * (np.linalg.norm(W.astype("float64")) - target) ** 2
    assert float(penalty(linear, X, Y, seed())) == pytest.approx(
        expected, rel=1e-5
    )


def test_one_sided_penalty_forgives_flat_critics():
    penalty = GradientPenalty(10.0, target=50.0, one_sided=True)
    assert float(penalty(linear, X, Y, seed())) == 0.0
    assert float(GradientPenalty(10.0, 50.0)(linear, X, Y, seed())) > 0.0


def test_slopes_are_taken_between_the_images():
    """Evenly: E (sqrt(3) a - 1)^2 = 2 - sqrt(3) for a ~ U(0, 1)."""
    value = GradientPenalty(1.0)(
        lambda x: ops.sum(ops.square(x), axis=1) / 2,
        ops.zeros((5000, 3)),
        ops.ones((5000, 3)),
        seed(),
    )
    assert float(value) == pytest.approx(2 - np.sqrt(3), abs=0.015)


@pytest.mark.compiled
def test_gradients_of_penalties_by_weights():
    """Second order: beside differences of a critic's own slopes, float64."""
    w = normal(5)

    def critic(w):
        w = ops.convert_to_tensor(w)
        return lambda x: ops.sum(ops.tanh(x * w), axis=1)

    def squares(x, w):
        return np.sum((w * (1 - np.tanh(x * w) ** 2)) ** 2, axis=1)

    for penalty, expected in (
        (
            GradientPenalty(10.0),
            lambda w: 10 * np.mean((np.sqrt(squares(X, w)) - 1) ** 2),
        ),
        (R1Penalty(4.0), lambda w: 2 * np.mean(squares(X, w))),
        (
            DriftPenalty(0.5),
            lambda w: 0.5 * np.mean(np.tanh(X * w).sum(axis=1) ** 2),
        ),
    ):
        # Between an image and itself there is only the image.
        x = ops.convert_to_tensor(X)
        value = penalty(critic(w), x, x, seed())
        assert float(value) == pytest.approx(expected(w), rel=1e-4)
        np.testing.assert_allclose(
            gradient(lambda w, p=penalty, x=x: p(critic(w), x, x, seed()), w),
            slopes_in_float64(expected, w),
            rtol=1e-3,
            atol=1e-4,
        )


@pytest.mark.compiled
def test_a_dead_critic_has_a_gradient_that_is_finite():
    def value(w):
        return GradientPenalty()(lambda x: ops.sum(x * w, axis=1), X, Y, seed())

    zero = np.zeros(5, "float32")
    assert float(value(ops.convert_to_tensor(zero))) == pytest.approx(10.0)
    np.testing.assert_array_equal(gradient(value, zero), zero)


@pytest.mark.parametrize(
    "kind", ["GradientPenalty", "R1Penalty", "DriftPenalty"]
)
@pytest.mark.parametrize("weight", [0, -1.0, "a", float("nan")])
def test_weights_are_checked(kind, weight):
    with pytest.raises(ValueError, match="`weight` must be a positive"):
        getattr(losses, kind)(weight)
