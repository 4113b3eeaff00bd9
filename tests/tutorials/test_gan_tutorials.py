"""The tutorials on GANs: their measures, and a short run of each."""

import importlib
import pathlib
import sys

import keras
import matplotlib.image
import numpy as np
import pytest

from keras_dl.datasets import ring_of_gaussians

TUTORIALS = pathlib.Path(__file__).parents[2] / "tutorials"
sys.path.insert(0, str(TUTORIALS))
ring = importlib.import_module("06_modes_of_a_ring")
digits = importlib.import_module("07_digits")


def is_picture(path, smallest_side=200):
    """Whether the file is a PNG of at least this size, and not empty."""
    drawn = matplotlib.image.imread(path, format="png")
    return min(drawn.shape[:2]) >= smallest_side and drawn.std() > 0.02


def test_coverage_of_half_a_ring():
    points, centres = ring_of_gaussians(4000, std=0.02, seed=3)
    found = ring.coverage(points)
    assert found["modes"] == 8 and found["reverse_kl"] < 0.01
    # Within three standard deviations, in the plane: 1 - exp(-9 / 2).
    assert found["quality"] == pytest.approx(0.989, abs=0.005)
    half = np.where(points[:, :1] > 0.5, points, 0)
    found = ring.coverage(half)
    assert found["modes"] == 3
    assert found["quality"] == pytest.approx(3 / 8, abs=0.03)
    assert found["reverse_kl"] == pytest.approx(np.log(8 / 3), abs=0.01)
    assert ring.in_words(centres[:2]) == "2 of 8 modes, 100% good"


def test_variants_play_on_equal_terms():
    """The same widths, noise and points in an update; rates that fall."""
    for name, variant in ring.VARIANTS.items():
        gan = ring.make(variant, steps=100, seed=0)
        assert gan.generator.input_shape == (None, ring.LATENT), name
        for network in (gan.generator, gan.discriminator):
            widths = {
                layer.units
                for layer in network.layers
                if isinstance(layer, keras.layers.Dense)
            }
            assert max(widths) == 128, name
        for player, updates in (
            ("generator", 100),
            ("discriminator", 100 * gan.discriminator_steps),
        ):
            rate = gan.optimizer[player].get_config()["learning_rate"]
            assert rate["config"]["decay_steps"] == updates, name
            assert rate["config"]["alpha"] == 0.01


@pytest.mark.parametrize("name", ["GAN", "WGAN-GP"])
def test_steps_are_those_of_the_generator(name):
    gan = ring.train(name, steps=3, seed=0)
    each = gan.discriminator_steps
    done = {
        player: int(gan.optimizer[player].iterations) for player in gan.players
    }
    assert done == {"generator": 3, "discriminator": 3 * each}


def test_table_has_means_and_all_seeds(capsys):
    run = {"quality": 0.5, "reverse_kl": 0.25, "seconds": 3.0}
    ring.print_table({"GAN": [{"modes": m, **run} for m in (2.0, 5.0, 8.0)]})
    row = capsys.readouterr().out.splitlines()[-1].split()
    assert row == ["GAN", "5.0", "50.0%", "0.25", "3", "2", "5", "8"]


def test_the_picture_of_the_ring_is_of_the_worst_seed(tmp_path, monkeypatch):
    _, centres = ring_of_gaussians(0, std=0.02)
    made = [np.repeat(centres[:modes], 9, axis=0) for modes in (4, 2, 3)]
    drawn = {}
    monkeypatch.setattr(ring, "train", lambda name, steps, seed, film: seed)
    monkeypatch.setattr(ring, "draw_from", lambda seed: made[seed])
    monkeypatch.setattr(
        ring, "draw_modes", lambda panels, *_, **__: drawn.update(panels)
    )
    out = ["--out", str(tmp_path)]
    assert ring.main(["--only", "GAN", "--seeds", "3", *out]) == 0
    assert drawn["GAN"] is made[1]


def test_ring_tells_its_story(tmp_path, capsys, monkeypatch):
    # What takes long is compiling.
    some = {
        name: variant._replace(arguments={"num_generators": 2})
        if name == "MAD-GAN"
        else variant._replace(arguments={"unrolled_steps": 1})
        if name == "Unrolled"
        else variant
        for name, variant in ring.VARIANTS.items()
    }
    monkeypatch.setattr(ring, "VARIANTS", some)
    monkeypatch.setattr(ring, "BATCH_SIZE", 8)
    monkeypatch.setattr(ring, "BASE", 4)
    monkeypatch.setattr(ring, "EPOCHS", 1)
    assert ring.main(["--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert keras.backend.backend() in printed
    table = printed[printed.index("variant") :].splitlines()
    rows = [line.split() for line in table[1 : 1 + len(some)]]
    assert [row[0] for row in rows] == list(ring.VARIANTS)
    assert all(len(row) == 6 and 0 <= float(row[1]) <= 8 for row in rows)
    assert is_picture(tmp_path / "ring.png")
    for name in ring.VARIANTS:
        assert is_picture(tmp_path / name / "modes_0001.png")
        assert (tmp_path / name / "modes.gif").stat().st_size > 1000


def test_held_out_digits_are_not_among_those_to_learn():
    learn, test = digits.load(seed=0)
    assert len(learn) + len(test) == 1797 and len(test) > 300
    assert learn.x.shape[1:] == digits.SHAPE
    assert learn.x.min() == -1 and learn.x.max() == 1
    rows = {row.tobytes() for row in digits.to_rows(learn.x)}
    shared = sum(row.tobytes() in rows for row in digits.to_rows(test.x))
    assert shared == 0


def test_examples_come_a_column_for_each_digit():
    labels = np.random.RandomState(0).randint(10, size=500)
    chosen = labels[digits.of_each(labels, 3)]
    assert chosen.tolist() == digits.asked(3).tolist() == [*range(10)] * 3


def test_marks_are_by_digit():
    labels = digits.asked(2)
    images = np.zeros((20, *digits.SHAPE), "float32")

    class Reader:
        """Says 0.6 for 1 and 0.4 for 2, but knows the second 2."""

        def predict(self, rows, verbose):
            assert rows.shape == (20, 64)
            said = np.zeros((20, 10))
            said[:, 1], said[:, 2] = 0.6, 0.4
            said[12, 1:3] = 0.0, 1.0
            return said

    marks = digits.marks(Reader(), images, labels)
    expected = np.zeros(10)
    expected[1:3] = 0.6, 0.7
    np.testing.assert_allclose(marks.confidence, expected)
    expected[1:3] = 1, 0.5
    np.testing.assert_allclose(marks.accuracy, expected)


def test_spread_is_the_distance_of_two():
    labels = digits.asked(400)
    drawn = np.random.RandomState(0).normal(size=(4000, *digits.SHAPE))
    drawn[labels == 3] = drawn[3]
    expected = np.full(10, np.sqrt(2 * 64))
    expected[3] = 0
    spread = digits.spread(drawn, labels)
    np.testing.assert_allclose(spread, expected, rtol=0.02, atol=1e-6)


def test_classifiers_know_only_what_they_are_to_learn_from(monkeypatch):
    """The judge has seen real digits alone, and the pupil generated ones."""
    learn, test = digits.load(seed=0)
    seen = []

    def learn_to_read(images, labels, epochs, seed):
        seen.append(images)
        if len(seen) == 2:
            raise InterruptedError

    class Generator:
        def generate(self, conditions, seed, batch_size):
            return np.full((len(conditions), *digits.SHAPE), 0.5, "float32")

    monkeypatch.setattr(digits, "learn_to_read", learn_to_read)
    with pytest.raises(InterruptedError):
        digits.examine(Generator(), learn, test, 200, epochs=1, seed=0)
    assert seen[0] is learn.x
    assert len(seen[1]) == len(learn) and (seen[1] == 0.5).all()


def test_digits_tell_their_story(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(digits, "BASE", 2)
    monkeypatch.setattr(digits, "BATCH_SIZE", 512)
    assert digits.main(["--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert keras.backend.backend() in printed
    table = printed[printed.index("    digit") :].splitlines()
    rows = [line.split() for line in table[1:12]]
    assert [row[0] for row in rows] == [*map(str, range(10)), "mean"]
    values = np.array([row[1:] for row in rows], float)
    assert values.shape == (11, 5)
    np.testing.assert_allclose(values[:10].mean(axis=0), values[10], atol=2e-3)
    assert "The judge's confidence in the digit asked for is" in printed
    for name in ("epoch_0001", "epoch_0002", "real", "walks", "losses"):
        assert is_picture(tmp_path / f"{name}.png")
    assert (tmp_path / "samples.gif").stat().st_size > 1000


@pytest.mark.parametrize("tutorial", [ring, digits])
def test_missing_package_is_named(tutorial, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"matplotlib.*keras_dl\[plots\]"):
        tutorial.main([])


@pytest.mark.parametrize(
    ("tutorial", "option"), [(ring, "--seeds"), (digits, "--count")]
)
def test_there_is_at_least_one_of_each(tutorial, option, capsys):
    with pytest.raises(SystemExit):
        tutorial.main([option, "0"])
    assert f"{option} must be at least 1" in capsys.readouterr().err
