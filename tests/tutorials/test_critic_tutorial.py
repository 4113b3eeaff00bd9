"""The tutorial on critics: its measures, and a short run of it."""

import importlib
import pathlib
import sys

import keras
import matplotlib.image
import numpy as np
import pytest
from keras import ops

TUTORIALS = pathlib.Path(__file__).parents[2] / "tutorials"
sys.path.insert(0, str(TUTORIALS))
critics = importlib.import_module("11_critics_and_batch_norm")


def images(count, seed=0):
    drawn = np.random.RandomState(seed).normal(size=(count, *critics.SHAPE))
    return drawn.astype("float32")


def alone(batch):
    """Each image by itself: a slope of 3 in all 64 pixels together."""
    return 0.375 * ops.sum(batch, axis=(1, 2, 3))[:, None]


def in_company(batch):
    """The same, less the mean over the batch."""
    scores = alone(batch)
    return scores - ops.mean(scores, axis=0, keepdims=True)


def test_penalty_does_not_see_slopes_that_cancel():
    batch = ops.convert_to_tensor(images(4))
    for slopes in (critics.seen_slopes, critics.own_slopes):
        np.testing.assert_allclose(slopes(alone, batch, 2), [3, 3], rtol=1e-5)
    # All scores together do not change, whatever becomes of an image; its own
    # changes by three quarters, as one quarter of the mean is its own.
    seen = critics.seen_slopes(in_company, batch, 2)
    np.testing.assert_allclose(seen, [0, 0], atol=1e-5)
    own = critics.own_slopes(in_company, batch, 2)
    np.testing.assert_allclose(own, [2.25, 2.25], rtol=1e-5)


def test_movement_is_that_of_company():
    kept, others = images(16), images(400, seed=1)
    assert critics.movement(alone, kept, others, seed=0) < 1e-6
    moved = critics.movement(in_company, kept, others, seed=0)
    # The mean of 48 of the 64 is drawn anew, from 400 without replacement.
    expected = np.sqrt(48 * (1 - 48 / 400)) / 64
    assert moved == pytest.approx(expected, rel=0.4)


def test_points_lie_between():
    real, fake = images(5), images(5, seed=1)
    shares = (critics.between(real, fake, 0) - real) / (fake - real)
    assert (shares.min() > 0) and (shares.max() < 1)
    spread = np.ptp(shares, axis=(1, 2, 3))
    np.testing.assert_allclose(spread, 0, atol=1e-2)
    assert np.ptp(shares) > 0.1


@pytest.mark.parametrize("variant", critics.VARIANTS)
def test_variants_differ_in_the_critic_alone(variant):
    gan = critics.make(critics.VARIANTS[variant], steps=10, seed=0)

    def kinds(network):
        return [
            type(layer).__name__
            for layer in network.layers
            if "Normalization" in type(layer).__name__
        ]

    expected = {
        "none": [],
        "batch": ["BatchNormalization"],
        "layer": ["GroupNormalization"],
    }
    assert kinds(gan.discriminator) == expected[variant]
    assert set(kinds(gan.generator)) == {"BatchNormalization"}
    (penalty,) = gan.penalties
    assert penalty.weight == 10 and penalty.target == 1
    for player, updates in (
        ("generator", 10),
        ("discriminator", 10 * critics.CRITIC_STEPS),
    ):
        rate = gan.optimizer[player].get_config()["learning_rate"]
        assert rate["config"]["decay_steps"] == updates


@pytest.mark.parametrize("variant", critics.VARIANTS)
def test_score_depends_on_company_with_batch_norm_alone(variant):
    gan = critics.make(critics.VARIANTS[variant], steps=10, seed=0)

    def score(batch):
        return gan.score(ops.convert_to_tensor(batch), training=True)

    moved = critics.movement(score, images(16), images(80, seed=1), seed=0)
    assert moved > 0.01 if variant == "batch" else moved < 1e-4


def test_held_out_digits_are_not_among_those_to_learn():
    learn, test = critics.load(seed=0)
    assert len(learn) + len(test) == 1797 and len(test) > 300
    assert learn.x.shape[1:] == critics.SHAPE
    assert learn.x.min() == -1 and learn.x.max() == 1
    rows = {image.tobytes() for image in learn.x}
    assert not any(image.tobytes() in rows for image in test.x)


def test_table_has_means_over_the_seeds(capsys):
    run = {"own": 2.0, "moved": 0.5, "Frechet": 7.0, "seconds": 3.0}
    critics.print_table({"batch": [{"seen": x, **run} for x in (1, 2)]}, 0.25)
    printed = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in printed[2:4]]
    assert rows[0] == ["batch", "1.50", "2.00", "0.50", "7.00", "3"]
    assert rows[1] == ["(real)", "0.25"]


def test_critics_tell_their_story(tmp_path, capsys, monkeypatch):
    # What takes long is compiling, and a gradient for each image.
    for name, value in (
        *(("CRITIC_STEPS", 1), ("BASE", 2), ("EXAMINED", 2)),
        *(("EXCHANGES", 2), ("BATCH_SIZE", 512)),
    ):
        monkeypatch.setattr(critics, name, value)
    assert critics.main(["--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert keras.backend.backend() in printed
    table = printed[printed.index("    critic  ") :].splitlines()
    rows = [line.split() for line in table[1:5]]
    assert [row[0] for row in rows] == [*critics.VARIANTS, "(real)"]
    values = np.array([row[1:] for row in rows[:3]], float)
    assert values.shape == (3, 5) and np.isfinite(values).all()
    assert rows[0][1] == rows[0][2] and rows[2][1] == rows[2][2]
    for name in ("samples", "estimate"):
        drawn = matplotlib.image.imread(tmp_path / f"{name}.png", format="png")
        assert min(drawn.shape[:2]) >= 200 and drawn.std() > 0.02


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"sklearn.*keras_dl\[datasets\]"):
        critics.main([])


@pytest.mark.parametrize("option", ["--epochs", "--seeds"])
def test_there_is_at_least_one_of_each(option, capsys):
    with pytest.raises(SystemExit):
        critics.main([option, "0"])
    assert f"{option} must be at least 1" in capsys.readouterr().err
