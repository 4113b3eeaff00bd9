"""The variants of GAN: several generators, encoders, pairs, cycles, pools."""

import keras
import numpy as np
import pytest
from gans import (
    LABELS,
    POINTS,
    adam,
    cycle_gan,
    image_to_image,
    mad_gan,
    mode_regularized_gan,
    perceptron,
    players,
)
from keras import layers, ops
from sequences import normal, numpy

from keras_dl.testing import check_trainer
from keras_dl.training import (
    CycleConsistentGAN,
    ImagePool,
    ImageToImageGAN,
    ModeRegularizedGAN,
    MultiGeneratorGAN,
)

X, Y = map(ops.convert_to_tensor, (POINTS, LABELS))


def scalar(value):
    return float(numpy(value)[0])


def changed_by(step, *networks):
    """Which networks a step changes."""
    before = [[np.array(v) for v in numpy(n.variables)] for n in networks]
    step()
    return [
        any(
            not np.array_equal(a, b)
            for a, b in zip(old, numpy(network.variables), strict=True)
        )
        for old, network in zip(before, networks, strict=True)
    ]


def often(*arrays, times=30):
    """Many steps an epoch: its start takes longer than a step."""
    return [np.tile(array, (times, 1)) for array in arrays]


def batch_normed(*sizes):
    """Networks of points whose statistics tell whether they were in use."""
    return [perceptron(a, outputs=b, batch_norm=True) for a, b in sizes]


def losses_alone(gan, monkeypatch):
    """Makes a trainer compute its losses without learning from them."""

    def minimize(loss, optimizer, has_aux=False):
        return loss()

    monkeypatch.setattr(gan, "minimize", minimize)


def price_of(network):
    """Puts a price on a network's weights; returns what they cost now."""
    weight = network.trainable_variables[0]
    weight.regularizer = keras.regularizers.L2(0.5)
    return 0.5 * np.sum(numpy(weight)[0] ** 2)


# Several generators.


@pytest.mark.compiled
def test_mad_gan():
    gan = check_trainer(lambda: mad_gan(diversity_weight=0.5), (POINTS,))
    assert 0.0 <= abs(gan.history.history["likeness"][0]) <= 1.0
    copy = MultiGeneratorGAN.from_config(gan.get_config())
    assert (copy.diversity_weight, copy.num_generators) == (0.5, 3)


def test_generators_take_turns():
    gan = mad_gan()
    noise = gan.sample_noise(5, seed=0)
    each = gan.generator.predict(noise, verbose=0)
    made = gan.generate(5, seed=0)
    for i in range(5):
        np.testing.assert_array_equal(made[i], each[i % 3][i])


def test_likeness_is_the_mean_cosine():
    gan = mad_gan(diversity_weight=0.5)
    fake = normal(12, 2, seed=3)
    a, b, c = fake[:4], fake[4:8], fake[8:]

    def cosine(x, y):
        dots = np.sum(x * y, axis=1)
        return dots / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)

    expected = np.mean([cosine(a, b), cosine(a, c), cosine(b, c)])
    loss, logs = gan.generator_loss(X, ops.convert_to_tensor(fake))
    assert scalar(logs["likeness"]) == pytest.approx(expected, rel=1e-4)
    gan.diversity_weight = 0.0
    without, _ = gan.generator_loss(X, ops.convert_to_tensor(fake))
    assert scalar(loss) - scalar(without) == pytest.approx(
        0.5 * expected, abs=1e-5
    )


def test_scores_of_several_generators_are_of_the_logit_of_real_ones():
    real, fake = normal(4, 4, seed=5), normal(4, 4, seed=6)
    logs = mad_gan().score_logs(*map(ops.convert_to_tensor, (real, fake)))
    assert scalar(logs["real_score"]) == pytest.approx(real[:, 0].mean())
    assert scalar(logs["fake_score"]) == pytest.approx(fake[:, 0].mean())


def test_features_are_what_is_compared():
    gan = mad_gan(diversity_weight=0.5, features=ops.ones_like)
    _, logs = gan.generator_loss(X, ops.convert_to_tensor(normal(12, 2)))
    assert scalar(logs["likeness"]) == pytest.approx(1.0, abs=1e-5)


def test_generators_must_fit_their_discriminator():
    z = keras.Input((3,))
    two = keras.Model(z, [layers.Dense(2)(z) for _ in range(2)])
    with pytest.raises(ValueError, match="one logit more"):
        MultiGeneratorGAN(two, perceptron(2, outputs=2))
    with pytest.raises(ValueError, match="at least 2"):
        MultiGeneratorGAN(*players())
    with pytest.raises(ValueError, match="`diversity_weight`"):
        MultiGeneratorGAN(two, perceptron(2, outputs=3), diversity_weight=-1)


# An encoder.


@pytest.mark.parametrize("manifold", [False, True])
@pytest.mark.compiled("True")
def test_mode_regularized_gan(manifold):
    gan = check_trainer(lambda: mode_regularized_gan(manifold), (POINTS,))
    names = {"d_loss", "g_loss", "real_score", "fake_score", "reconstruction"}
    assert set(gan.history.history) == names | (
        {"m_loss"} if manifold else set()
    )
    copy = ModeRegularizedGAN.from_config(gan.get_config())
    assert (copy.manifold_discriminator is not None) == manifold


@pytest.mark.parametrize("manifold", [False, True])
def test_terms_of_the_regularized_loss(manifold):
    gan = mode_regularized_gan(manifold, distance_weight=0.5, mode_weight=2.0)
    fake = ops.convert_to_tensor(normal(16, 2, seed=3))
    rebuilt = numpy(gan.generator(gan.encoder(X)))[0]
    judge = gan.manifold_discriminator if manifold else gan.discriminator
    fooled, modes = (
        np.mean(np.log1p(np.exp(-numpy(scores)[0])))
        for scores in (
            gan.discriminator(fake),
            judge(ops.convert_to_tensor(rebuilt), training=True),
        )
    )
    distance = np.mean(np.sum((POINTS - rebuilt) ** 2, axis=1))
    loss, logs = gan.generator_loss(X, fake)
    assert scalar(loss) == pytest.approx(
        fooled + 0.5 * distance + 2.0 * modes, rel=1e-4
    )
    assert scalar(logs["reconstruction"]) == pytest.approx(distance, rel=1e-4)


def test_who_trains_whom_with_an_encoder():
    gan = mode_regularized_gan(manifold=True)
    gan.optimizer.build(gan.trainable_variables)
    networks = (
        gan.generator,
        gan.encoder,
        gan.discriminator,
        gan.manifold_discriminator,
    )
    by_players = changed_by(lambda: gan.discriminator_step(X), *networks)
    assert by_players == [False, False, True, True]
    by_generator = changed_by(lambda: gan.generator_step(X), *networks)
    assert by_generator == [True, True, False, False]


def test_losses_of_both_discriminators_with_an_encoder(monkeypatch):
    """One tells real from rebuilt images, the other these from new ones."""
    gan = mode_regularized_gan(manifold=True)
    losses_alone(gan, monkeypatch)
    rebuilt = gan.rebuilt(X)
    real, fake = (
        numpy(gan.manifold_discriminator(x, training=True))[0]
        for x in (X, rebuilt)
    )
    seen = []
    monkeypatch.setattr(
        gan,
        "discriminator_loss",
        lambda images, *_, **__: (seen.append(images) or 0.0, {}),
    )
    logs = gan.discriminator_step(X)
    expected = np.mean(np.logaddexp(0, -real)) + np.mean(np.logaddexp(0, fake))
    assert scalar(logs["m_loss"]) == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(*numpy([seen[0], rebuilt]), atol=1e-6)


def test_statistics_of_generator_and_encoder_stay_while_others_train():
    networks = batch_normed((3, 2), (2, 1), (2, 3), (2, 1))
    gan = ModeRegularizedGAN(
        *networks[:3], manifold_discriminator=networks[3], seed=1
    )
    gan.compile(adam("generator", "discriminator", "manifold_discriminator"))
    gan.optimizer.build(gan.trainable_variables)
    found = changed_by(lambda: gan.discriminator_step(X), *networks)
    assert found == [False, True, False, True]


def test_encoder_and_manifold_discriminator_pay_for_their_weights():
    gan = mode_regularized_gan(manifold=True)
    fake = gan.make(ops.convert_to_tensor(normal(16, 3)))
    losses = (
        lambda: gan.generator_loss(X, fake)[0],
        lambda: gan._manifold_loss(X, fake),
    )
    for loss, network in zip(
        losses, (gan.encoder, gan.manifold_discriminator), strict=True
    ):
        before = scalar(loss())
        price = price_of(network)
        assert scalar(loss()) - before == pytest.approx(price, abs=1e-4)


def test_learns_to_rebuild():
    keras.utils.set_random_seed(0)
    gan = mode_regularized_gan(distance_weight=1.0)
    history = gan.fit(
        *often(POINTS), batch_size=16, epochs=3, verbose=0
    ).history
    assert history["reconstruction"][-1] < 0.5 * history["reconstruction"][0]


def test_an_encoder_must_give_noise():
    with pytest.raises(ValueError, match="`encoder` must give noise"):
        ModeRegularizedGAN(*players(), perceptron(2, outputs=4))
    with pytest.raises(ValueError, match="`mode_weight` must be at least 0"):
        ModeRegularizedGAN(*players(), perceptron(2, outputs=3), mode_weight=-1)


# Pairs of images.


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.compiled("True")
def test_image_to_image(conditional):
    gan = check_trainer(lambda: image_to_image(conditional), (LABELS, POINTS))
    assert "content_loss" in gan.history.history
    assert gan.generate(LABELS).shape == POINTS.shape
    copy = ImageToImageGAN.from_config(gan.get_config())
    assert copy.conditional == conditional


def test_terms_of_the_translation_loss():
    gan = image_to_image(adversarial_weight=0.25)
    fake = gan.make(None, Y)
    score = numpy(gan.discriminator([fake, Y]))[0]
    content = np.mean(np.abs(POINTS - numpy(fake)[0]))
    loss, logs = gan.generator_loss(X, fake, Y)
    expected = 0.25 * np.mean(np.log1p(np.exp(-score))) + 2.0 * content
    assert scalar(loss) == pytest.approx(expected, rel=1e-4)
    assert scalar(logs["content_loss"]) == pytest.approx(content, rel=1e-4)


def test_learns_a_map_from_pairs():
    """y = 2x, which only the pairs tell."""
    keras.utils.set_random_seed(0)
    gan = image_to_image(adversarial_weight=0.1)
    gan.fit(*often(POINTS / 4, POINTS / 2), batch_size=16, epochs=5, verbose=0)
    error = np.abs(gan.generate(POINTS / 4) - POINTS / 2).mean()
    assert error < 0.15


# Two sets without pairs.


@pytest.mark.parametrize("identity_weight", [0.0, 5.0])
@pytest.mark.compiled("5.0")
def test_cycle_gan(identity_weight):
    gan = check_trainer(
        lambda: cycle_gan(identity_weight=identity_weight), (POINTS, LABELS)
    )
    logs = gan.history.history
    assert ("identity_loss" in logs) == (identity_weight > 0)
    np.testing.assert_allclose(
        gan.translate(POINTS), gan.predict(POINTS, verbose=0), atol=1e-6
    )
    np.testing.assert_allclose(
        gan.translate(LABELS, inverse=True, batch_size=5),
        gan.inverse_generator.predict(LABELS, verbose=0),
        atol=1e-6,
    )
    copy = CycleConsistentGAN.from_config(gan.get_config())
    assert (copy.pool.size, copy.identity_weight) == (4, identity_weight)
    assert np.isfinite(gan.evaluate(POINTS, LABELS, verbose=0)).all()


def test_terms_of_the_cycle_loss():
    gan = cycle_gan()
    forth, back, judge_b, judge_a = (
        lambda x, n=network: numpy(n(ops.convert_to_tensor(x)))[0]
        for network in (
            gan.generator,
            gan.inverse_generator,
            gan.discriminator,
            gan.inverse_discriminator,
        )
    )
    a, b = POINTS, LABELS
    fakes = forth(a), back(b)
    fooling = np.mean((judge_b(fakes[0]) - 1) ** 2) + np.mean(
        (judge_a(fakes[1]) - 1) ** 2
    )
    cycle = (
        np.abs(back(fakes[0]) - a).mean() + np.abs(forth(fakes[1]) - b).mean()
    )
    identity = np.abs(back(a) - a).mean() + np.abs(forth(b) - b).mean()
    loss, _, logs = gan.generators_loss(X, Y)
    assert scalar(loss) == pytest.approx(
        fooling + 10 * cycle + 5 * identity, rel=1e-4
    )
    assert scalar(logs["cycle_loss"]) == pytest.approx(cycle, rel=1e-4)
    d_loss, scores = gan.discriminators_loss(
        X, Y, *map(ops.convert_to_tensor, fakes)
    )
    expected = sum(
        np.mean((judge(real) - 1) ** 2) + np.mean(judge(fake) ** 2)
        for judge, real, fake in (
            (judge_b, b, fakes[0]),
            (judge_a, a, fakes[1]),
        )
    )
    assert scalar(d_loss) == pytest.approx(expected / 2, rel=1e-4)
    real_score = (judge_b(b).mean() + judge_a(a).mean()) / 2
    assert scalar(scores["real_score"]) == pytest.approx(real_score, abs=1e-5)


def test_who_trains_in_a_cycle():
    gan = cycle_gan(adversarial_weight=0.0)
    gan.compile(
        {
            "generators": keras.optimizers.SGD(0.0),
            "discriminators": keras.optimizers.SGD(0.1),
        }
    )
    found = changed_by(
        lambda: gan.train_on_batch(POINTS, LABELS),
        gan.generator,
        gan.inverse_generator,
        gan.discriminator,
        gan.inverse_discriminator,
    )
    assert found == [False, False, True, True]
    with pytest.raises(ValueError, match="optimizers of a CycleGAN"):
        gan.optimizer_variables("generator")


def test_discriminators_see_what_their_own_pools_give_back(monkeypatch):
    gan, seen = cycle_gan(), []
    losses_alone(gan, monkeypatch)
    gan.pool = layers.Rescaling(1.0, offset=100.0)
    gan.inverse_pool = layers.Rescaling(1.0, offset=-100.0)
    monkeypatch.setattr(
        gan,
        "discriminators_loss",
        lambda a, b, *fakes: (seen.extend(fakes) or 0.0, {}),
    )
    gan.training_step((X, Y))
    expected = gan.generator(X) + 100.0, gan.inverse_generator(Y) - 100.0
    for one, other in zip(seen, expected, strict=True):
        np.testing.assert_allclose(*numpy([one, other]), atol=1e-4)


@pytest.mark.compiled
def test_statistics_of_discriminators_stay_while_generators_train(monkeypatch):
    networks = batch_normed((2, 2), (2, 2), (2, 1), (2, 1))
    gan = CycleConsistentGAN(*networks, seed=1)
    losses_alone(gan, monkeypatch)
    monkeypatch.setattr(gan, "discriminators_loss", lambda *_: (0.0, {}))
    found = changed_by(lambda: gan.training_step((X, Y)), *networks)
    assert found == [True, True, False, False]
    monkeypatch.undo()
    found = changed_by(lambda: gan.evaluation_step((X, Y)), *networks)
    assert not any(found)


@pytest.mark.compiled
def test_all_four_networks_of_a_cycle_pay_for_their_weights():
    gan = cycle_gan()

    def of_generators():
        return scalar(gan.generators_loss(X, Y)[0])

    def of_discriminators():
        return scalar(gan.discriminators_loss(X, Y, Y, X)[0])

    for loss, networks in (
        (of_generators, (gan.generator, gan.inverse_generator)),
        (of_discriminators, (gan.discriminator, gan.inverse_discriminator)),
    ):
        for network in networks:
            before, price = loss(), price_of(network)
            assert loss() - before == pytest.approx(price, abs=1e-4)


def test_learns_to_come_back():
    keras.utils.set_random_seed(0)
    gan = cycle_gan()
    history = gan.fit(
        *often(POINTS, LABELS), batch_size=16, epochs=3, verbose=0
    ).history
    assert history["cycle_loss"][-1] < 0.5 * history["cycle_loss"][0]


# The pool.


def exchanged(pool, *batches):
    """What the pool gives back for batches of numbers."""
    results = []
    for batch in batches:
        images = np.array(batch, "float32")[:, None]
        results.append(numpy(pool(ops.convert_to_tensor(images)))[0][:, 0])
    return results


def test_a_pool_gives_back_all_until_it_is_full():
    pool = ImagePool(5, seed=0)
    first, second = exchanged(pool, [1, 2], [3, 4])
    assert (*first, *second) == (1, 2, 3, 4)
    assert numpy(pool.images)[0][:, 0].tolist() == [1, 2, 3, 4, 0]
    exchanged(pool, [5])
    assert numpy(pool.images)[0][:, 0].tolist() == [1, 2, 3, 4, 5]


def test_a_full_pool_exchanges_half_of_the_images():
    """One by one, as a batch of one does; nothing is lost or doubled."""
    size, count = 50, 300
    pool = ImagePool(size, seed=0)
    returned = np.concatenate(
        exchanged(pool, *([i] for i in range(1, size + count + 1)))
    )
    inside = numpy(pool.images)[0][:, 0]
    everything = [*returned, *inside]
    assert len(set(inside)) == size
    own = returned[size:] == np.arange(size + 1, size + count + 1)
    assert 0.4 < own.mean() < 0.6
    # An image that is stored comes back once at most, and later.
    older = returned[size:][~own]
    assert len(set(older)) == len(older)
    assert (older < np.arange(size + 1, size + count + 1)[~own]).all()
    assert set(everything) == set(range(1, size + count + 1))


@pytest.mark.compiled
def test_images_of_a_batch_change_places_with_different_ones():
    pool = ImagePool(4, seed=1)
    exchanged(pool, [1, 2, 3, 4])
    seen = {1.0, 2.0, 3.0, 4.0}
    for i in range(20):
        batch = [10.0 * (i + 1) + k for k in range(3)]
        before = set(numpy(pool.images)[0][:, 0].tolist())
        (result,) = exchanged(pool, batch)
        after = set(numpy(pool.images)[0][:, 0].tolist())
        assert len(after) == 4 and len(set(result.tolist())) == 3
        # What went in, and is not back, has taken the place of what is.
        assert before | set(batch) == after | set(result.tolist())
        seen |= set(batch)
    assert after != {1.0, 2.0, 3.0, 4.0}


@pytest.mark.compiled
def test_a_pool_that_fills_in_the_middle_of_a_batch():
    pool = ImagePool(3, seed=2)
    exchanged(pool, [1, 2])
    (result,) = exchanged(pool, [3, 4])
    inside = set(numpy(pool.images)[0][:, 0].tolist())
    assert result[0] == 3 and 0.0 not in result
    assert inside | {result[1]} == {1, 2, 3, 4}


def test_larger_batches_and_no_pool():
    (rest,) = exchanged(ImagePool(2, seed=0), [1, 2, 3, 4])
    assert rest.tolist() == [1, 2, 3, 4]
    assert exchanged(ImagePool(0), [1, 2])[0].tolist() == [1, 2]
    with pytest.raises(ValueError, match="`size` must be"):
        ImagePool(-1)
    pool = ImagePool(3, seed=5)
    assert ImagePool.from_config(pool.get_config()).size == 3


@pytest.mark.compiled
def test_what_a_pool_keeps_inside_of_a_scope_stays_there():
    pool = ImagePool(3, seed=0)
    exchanged(pool, [1])
    with keras.StatelessScope() as scope:
        exchanged(pool, [2])
    inside = scope.get_current_value(pool.images)
    assert numpy(inside)[0][:, 0].tolist() == [1, 2, 0]
    assert numpy(pool.images)[0][:, 0].tolist() == [1, 0, 0]


def test_a_pool_keeps_the_dtype():
    pool = ImagePool(3)
    x = ops.cast(np.ones((2, 4)), "float16")
    assert keras.backend.standardize_dtype(pool(x).dtype) == "float16"


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (mad_gan, {"diversity_weight": 0.5}),
        (mode_regularized_gan, {"distance_weight": 0.1, "mode_weight": 0.3}),
        (
            image_to_image,
            {
                "conditional": False,
                "adversarial_weight": 0.1,
                "unrolled_steps": 2,
                "seed": 1,
            },
        ),
        (
            cycle_gan,
            {
                "adversarial_weight": 3.0,
                "cycle_weight": 4.0,
                "identity_weight": 6.0,
                "pool_size": 7,
            },
        ),
    ],
)
def test_configs_are_complete(make, given):
    gan = make(**given)
    config = gan.get_config()
    assert {name: config[name] for name in given} == given
    copy = type(gan).from_config(config).get_config()
    assert {name: copy[name] for name in given} == given
    assert copy["seed"] == gan.seed == 1


def test_optimizers_by_default():
    """As in the papers on DCGAN, pix2pix and CycleGAN."""
    gan = cycle_gan()
    gan.compile()
    for name in gan.players:
        optimizer = gan.optimizer[name]
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert optimizer.beta_1 == 0.5


def test_weights_must_not_be_negative():
    with pytest.raises(ValueError, match="`cycle_weight` must be at least 0"):
        cycle_gan(cycle_weight=-1.0)
    generator, discriminator = players()
    with pytest.raises(ValueError, match="`content_weight` must be"):
        ImageToImageGAN(generator, discriminator, content_weight=-1.0)
    assert set(adam()) == {"generator", "discriminator"}
