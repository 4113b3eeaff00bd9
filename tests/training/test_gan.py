"""GAN: what each step changes and what not, unrolling, conditions, files."""

import keras
import numpy as np
import pytest
from gans import LABELS, POINTS, adam, perceptron, players, small_gan
from keras import ops
from sequences import normal, numpy

from keras_dl import autodiff
from keras_dl.constraints import ClipWeights
from keras_dl.losses import GradientPenalty, LeastSquaresLoss, R1Penalty
from keras_dl.testing import check_trainer
from keras_dl.training import GAN
from keras_dl.training.gan.gan import split_batch


def values(network):
    return [np.array(v) for v in numpy(network.variables)]


def changed(before, after):
    return [
        not np.array_equal(a, b) for a, b in zip(before, after, strict=True)
    ]


VARIANTS = {
    "vanilla": {},
    "minimax": {"adversarial_loss": "minimax"},
    "wgan": {
        "adversarial_loss": "wasserstein",
        "discriminator_steps": 2,
        "discriminator_constraint": ClipWeights(0.01),
    },
    "wgan_gp": {
        "adversarial_loss": "wasserstein",
        "penalties": [GradientPenalty(0.1)],
        "discriminator_steps": 2,
    },
    "r1": {"penalties": [R1Penalty(1.0)]},
    "unrolled": {"adversarial_loss": "minimax", "unrolled_steps": 2},
}


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.compiled("wgan")
def test_contract(name):
    gan = check_trainer(lambda: small_gan(**VARIANTS[name]), (POINTS,))
    copy = GAN.from_config(gan.get_config())
    assert copy.get_config()["unrolled_steps"] == gan.unrolled_steps
    assert type(copy.adversarial_loss) is type(gan.adversarial_loss)
    assert [p.weight for p in copy.penalties] == [
        p.weight for p in gan.penalties
    ]


@pytest.mark.compiled
def test_with_conditions():
    gan = check_trainer(
        lambda: small_gan(condition=(2,), matching_aware=True),
        (POINTS, LABELS),
    )
    assert gan.generate(conditions=LABELS[:5]).shape == (5, 2)


@pytest.mark.compiled
def test_in_half_precision():
    with_policy = keras.dtype_policies.DTypePolicy("mixed_float16")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(with_policy)
    try:
        gan = small_gan(batch_norm=False, penalties=[GradientPenalty(1.0)])
    finally:
        keras.config.set_dtype_policy(before)
    losses = gan.fit(POINTS, epochs=2, verbose=0).history
    assert np.isfinite(losses["d_loss"]).all()
    assert np.isfinite(losses["g_loss"]).all()


@pytest.mark.parametrize("name", ["vanilla", "unrolled"])
@pytest.mark.compiled("vanilla")
def test_who_trains_changes_and_who_does_not_stays(name):
    """To the bit, statistics of batches included."""
    gan = small_gan(**VARIANTS[name])
    gan.discriminator = perceptron(2, outputs=1, batch_norm=True)
    gan.compile(adam())
    gan.train_on_batch(POINTS)
    for step, trained, other in (
        (gan.discriminator_step, gan.discriminator, gan.generator),
        (gan.generator_step, gan.generator, gan.discriminator),
    ):
        before = values(trained), values(other)
        step(ops.convert_to_tensor(POINTS))
        assert all(changed(before[0], values(trained)))
        assert not any(changed(before[1], values(other)))


def test_evaluation_changes_neither():
    gan = small_gan()
    gan.discriminator = perceptron(2, outputs=1, batch_norm=True)
    both = gan.generator, gan.discriminator
    before = [values(network) for network in both]
    gan.evaluation_step(ops.convert_to_tensor(POINTS))
    for network, old in zip(both, before, strict=True):
        assert not any(changed(old, values(network)))


@pytest.mark.compiled
def test_weights_are_clipped_after_every_step():
    gan = small_gan(**VARIANTS["wgan"])
    for _ in range(3):
        gan.train_on_batch(POINTS)
        for weights in gan.discriminator.get_weights():
            assert np.abs(weights).max() <= 0.01 + 1e-9
    assert max(np.abs(w).max() for w in gan.generator.get_weights()) > 0.01


def one_generator_step(images, **kwargs):
    """The generator after one step, from the same start."""
    keras.utils.set_random_seed(3)
    gan = small_gan(**kwargs)
    gan.optimizer.build(gan.trainable_variables)
    gan.generator_step(ops.convert_to_tensor(images))
    return values(gan.generator)


def test_no_unrolled_steps_are_the_plain_gan():
    plain = one_generator_step(POINTS, adversarial_loss="minimax")
    none = one_generator_step(
        POINTS, adversarial_loss="minimax", unrolled_steps=0
    )
    two = one_generator_step(
        POINTS, adversarial_loss="minimax", unrolled_steps=2
    )
    assert not any(changed(plain, none))
    assert any(changed(plain, two))


def test_evaluation_does_not_look_ahead():
    gan = small_gan(adversarial_loss="minimax", unrolled_steps=2)
    images = ops.convert_to_tensor(POINTS)
    ahead, _ = gan.generator_loss(images, images + 1, training=False)
    gan.unrolled_steps = 0
    plain, _ = gan.generator_loss(images, images + 1, training=False)
    np.testing.assert_array_equal(*numpy([ahead, plain]))


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_gradient_of_the_unrolled_loss(loss, optimizer):
    """Beside differences of what it is after real updates of the opponent."""
    keras.utils.set_random_seed(0)
    gan = GAN(*players(batch_norm=False), adversarial_loss=loss, seed=0)
    gan.unrolled_steps = 3
    make = {
        "sgd": lambda: keras.optimizers.SGD(0.5, momentum=0.5),
        "adam": lambda: keras.optimizers.Adam(0.05, beta_1=0.5),
    }[optimizer]
    gan.compile({"generator": "sgd", "discriminator": make()})
    gan.optimizer.build(gan.trainable_variables)
    images, noise = map(ops.convert_to_tensor, (POINTS, normal(16, 3)))
    gan.discriminator_step(images)  # So that the optimizer has a state.
    weight = gan.generator.trainable_variables[0]

    def ahead():
        fake = gan.make(noise)
        with gan._ahead(images, fake, None):
            return gan.generator_loss(images, fake)[0]

    value, slopes = autodiff.variable_gradients(ahead, [weight])
    slopes = numpy(slopes)[0]
    state = [*gan.discriminator.variables, *gan.optimizer.variables]

    def after_real_updates():
        before = [np.array(v) for v in numpy(state)]
        fake = gan.make(noise)
        for _ in range(3):
            gan.minimize(
                lambda: gan.discriminator_loss(images, fake)[0],
                optimizer="discriminator",
            )
        if loss == "minimax":
            # All that one gains, the real images' part too, the other loses.
            value = -gan.discriminator_loss(images, fake)[0]
        else:
            value = gan.adversarial_loss.generator(gan.score(fake))
        value = float(numpy(value)[0])
        for variable, old in zip(state, before, strict=True):
            variable.assign(old)
        return value

    value = float(numpy(value)[0])
    assert value == pytest.approx(after_real_updates(), abs=1e-5)
    start, step = numpy(weight)[0], 2e-2
    for i in ((0, 0), (1, 3), (2, 7)):
        ends = []
        for sign in (1, -1):
            moved = start.copy()
            moved[i] += sign * step
            weight.assign(moved)
            ends.append(after_real_updates())
        weight.assign(start)
        assert slopes[i] == pytest.approx(
            (ends[0] - ends[1]) / (2 * step), abs=2e-3, rel=0.05
        )


def test_each_critic_step_sees_other_images():
    rows = ops.arange(7)
    parts = split_batch((rows, None), 3)
    assert [numpy(images)[0].tolist() for images, _ in parts] == [
        [0, 1],
        [2, 3],
        [4, 5],
    ]
    few = [numpy(p)[0].tolist() for p in split_batch(ops.arange(2), 3)]
    assert few == [[0], [1], [1]]


def test_a_step_with_several_critic_steps(monkeypatch):
    """Means of their logs, and as many images for the generator as for each."""
    gan, losses = small_gan(discriminator_steps=2), iter([1.0, 3.0])
    monkeypatch.setattr(
        gan, "discriminator_step", lambda *batch: {"d_loss": next(losses)}
    )
    monkeypatch.setattr(
        gan, "generator_step", lambda images, *_: {"images": len(images)}
    )
    logs = gan.training_step(ops.convert_to_tensor(POINTS))
    assert logs == {"d_loss": 2.0, "images": len(POINTS) // 2}


def test_logs_are_those_of_both_players():
    gan = small_gan(adversarial_loss="wasserstein")
    history = gan.fit(
        POINTS, validation_data=(POINTS,), epochs=1, verbose=0
    ).history
    names = {"d_loss", "g_loss", "real_score", "fake_score"}
    assert set(history) == names | {f"val_{name}" for name in names}
    d_loss = history["val_fake_score"][0] - history["val_real_score"][0]
    assert history["val_d_loss"][0] == pytest.approx(d_loss, abs=1e-5)


def test_conditions_that_do_not_match_are_fakes():
    """The discriminator pays for them half of what it pays for fakes."""
    gan = small_gan(
        condition=(2,), matching_aware=True, adversarial_loss=LeastSquaresLoss()
    )
    fake = ops.convert_to_tensor(normal(16, 2, seed=5))
    images, labels = map(ops.convert_to_tensor, (POINTS, LABELS))
    loss, _ = gan.discriminator_loss(images, fake, labels)
    real, fakes, wrong = (
        numpy(gan.discriminator([*map(ops.convert_to_tensor, (x, c))]))[0]
        for x, c in (
            (POINTS, LABELS),
            (fake, LABELS),
            (POINTS, np.roll(LABELS, 1, axis=0)),
        )
    )
    expected = (
        np.mean((real - 1) ** 2) + (np.mean(fakes**2) + np.mean(wrong**2)) / 2
    )
    assert float(numpy(loss)[0]) == pytest.approx(expected / 2, rel=1e-5)
    gan.matching_aware = False
    loss, _ = gan.discriminator_loss(images, fake, labels)
    expected = np.mean((real - 1) ** 2) + np.mean(fakes**2)
    assert float(numpy(loss)[0]) == pytest.approx(expected / 2, rel=1e-5)


@pytest.mark.compiled
def test_regularization_counts():
    gan = small_gan()
    layer = gan.discriminator.layers[-1]
    images = ops.convert_to_tensor(POINTS)
    before, _ = gan.discriminator_loss(images, images)
    layer.kernel.regularizer = keras.regularizers.L2(1.0)
    after, _ = gan.discriminator_loss(images, images)
    added = np.sum(np.square(layer.get_weights()[0]))
    difference = numpy(after)[0] - numpy(before)[0]
    assert difference == pytest.approx(added, rel=1e-4)


class Adds(keras.Layer):
    """Adds 3 and a weight of its own, 0 at first, to the loss."""

    def build(self, input_shape):
        self.extra = self.add_weight((), "zeros", name="extra")

    def call(self, x):
        self.add_loss(3.0 + self.extra)
        return x


@pytest.mark.parametrize("place", ["generator", "discriminator"])
@pytest.mark.compiled
def test_what_a_layer_adds_counts(place):
    """Both have statistics, and so does the step that leaves them alone."""
    logs = []
    for adds in (False, True):
        keras.utils.set_random_seed(0)
        networks = {
            "generator": perceptron(3, outputs=2, batch_norm=True),
            "discriminator": perceptron(2, outputs=1, batch_norm=True),
        }
        if adds:
            layer, network = Adds(), networks[place]
            networks[place] = keras.Model(
                network.inputs, layer(network.outputs[0])
            )
        gan = GAN(**networks, seed=1)
        gan.compile(adam(rate=1e-3))
        logs.append(gan.test_on_batch(POINTS, return_dict=True))
        logs.append(gan.train_on_batch(POINTS, return_dict=True))
    name = {"generator": "g_loss", "discriminator": "d_loss"}[place]
    tested, trained, tested_more, trained_more = (
        float(log[name]) for log in logs
    )
    assert tested_more - tested == pytest.approx(3.0, abs=1e-4)
    assert trained_more - trained == pytest.approx(3.0, abs=1e-4)
    # One step of Adam along a slope of 1.
    assert numpy(layer.extra)[0] == pytest.approx(-1e-3, rel=1e-3)


def test_learns_a_distribution():
    """The mean of a narrow cloud is found; before, it was missed."""
    keras.utils.set_random_seed(0)
    target = np.array([2.0, -1.0])
    points = (normal(256, 2) * 0.1 + target).astype("float32")
    gan = small_gan(batch_norm=False, rate=1e-2, penalties=[R1Penalty(0.3)])
    before = gan.generate(200, seed=0).mean(axis=0)
    gan.fit(points, batch_size=128, epochs=100, verbose=0)
    after = gan.generate(200, seed=0).mean(axis=0)
    assert np.abs(before - target).max() > 1.0
    assert np.abs(after - target).max() < 0.35


def test_a_critic_finds_the_wasserstein_distance():
    """Of two clouds, one a shifted copy of the other: the shift's length."""
    keras.utils.set_random_seed(0)
    critic = perceptron(2, outputs=1, units=32)
    generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    generator.set_weights([np.eye(2), np.array([1.2, -0.9])])
    gan = GAN(
        generator,
        critic,
        adversarial_loss="wasserstein",
        penalties=[GradientPenalty(10.0)],
        seed=0,
    )
    gan.compile(
        {
            "generator": keras.optimizers.SGD(0.0),
            "discriminator": keras.optimizers.Adam(1e-2, beta_1=0.5),
        }
    )
    gan.fit(normal(2048, 2), batch_size=256, epochs=30, verbose=0)
    logs = gan.evaluate(normal(4096, 2, seed=9), verbose=0, return_dict=True)
    distance = logs["real_score"] - logs["fake_score"]
    assert distance == pytest.approx(1.5, abs=0.15)


def test_generates_the_same_from_the_same():
    gan = small_gan()
    noise = gan.sample_noise(3, seed=0)
    first = gan.generate(3, seed=0)
    np.testing.assert_array_equal(first, gan.generate(noise=noise))
    assert not np.array_equal(first, gan.generate(3, seed=1))
    np.testing.assert_allclose(first, gan.predict(noise, verbose=0), atol=1e-6)
    with pytest.raises(ValueError, match="must say one number"):
        gan.generate(4, noise=noise)
    with pytest.raises(ValueError, match="must say one number"):
        gan.generate()


def test_compiles_by_itself():
    gan = GAN(*players())
    gan.fit(POINTS, verbose=0)
    assert set(gan.optimizer.names) == {"generator", "discriminator"}


@pytest.mark.parametrize(
    ("kwargs", "error", "complaint"),
    [
        ({"generator": 3}, TypeError, "`generator` must be a Keras model"),
        ({"discriminator": keras.Sequential()}, ValueError, "is built"),
        ({"adversarial_loss": "mini"}, ValueError, "`loss` must be"),
        ({"discriminator_steps": 0}, ValueError, "`discriminator_steps`"),
        ({"unrolled_steps": -1}, ValueError, "`unrolled_steps`"),
    ],
)
def test_bad_arguments(kwargs, error, complaint):
    generator, discriminator = players()
    networks = {"generator": generator, "discriminator": discriminator}
    with pytest.raises(error, match=complaint):
        GAN(**{**networks, **kwargs})
