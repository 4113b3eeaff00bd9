"""The tutorials on images: their data, their measures, a short run of each."""

import importlib
import pathlib
import sys

import keras
import matplotlib.image
import numpy as np
import pytest
import skimage.metrics
from sklearn.datasets import load_sample_images

TUTORIALS = pathlib.Path(__file__).parents[2] / "tutorials"
sys.path.insert(0, str(TUTORIALS))
resolution = importlib.import_module("08_super_resolution")
unpaired = importlib.import_module("09_unpaired_patches")


@pytest.fixture(scope="module")
def parts():
    return resolution.photographs()


def noise(*shape):
    return np.random.RandomState(0).randint(256, size=shape).astype("uint8")


def is_picture(path):
    """Whether the file is a picture of more than one colour."""
    pixels = matplotlib.image.imread(path)
    return min(pixels.shape[:2]) > 60 and pixels.std() > 0.02


def test_strips_are_held_out(parts):
    learn, held = parts
    assert list(held) == ["china", "flower"]
    assert [p.shape for p in learn] == 2 * [(424, 208, 3), (424, 336, 3)]
    for strip in held.values():
        assert strip.shape == (424, 96, 3) and strip.dtype == "uint8"
    for i, whole in enumerate(load_sample_images().images):
        strip = held[("china", "flower")[i]]
        joined = [learn[2 * i], strip, learn[2 * i + 1]]
        np.testing.assert_array_equal(np.concatenate(joined, 1), whole[:424])


def test_resizing_keeps_what_is_constant_and_halves_sides():
    flat = np.full((10, 6, 3), 77, "uint8")
    assert (resolution.resized(flat, 0.5) == np.full((5, 3, 3), 77)).all()
    assert resolution.resized(noise(10, 6, 3), 2).shape == (20, 12, 3)


def test_ranges_are_those_of_srgan():
    ends = np.array([0, 255], "uint8")
    np.testing.assert_allclose(resolution.as_input(ends), [0, 1])
    np.testing.assert_allclose(resolution.as_output(ends), [-1, 1])


def test_small_and_large_patches_show_the_same_place():
    """Blocks of one colour, so that shrinking mixes nothing but at edges."""
    blocks = noise(8, 8, 3).repeat(16, axis=0).repeat(16, axis=1)
    x, y = resolution.draw_patches([blocks], 20, side=32, seed=0)
    assert x.shape == (20, 16, 16, 3) and y.shape == (20, 32, 32, 3)
    means = y.reshape(20, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    error = np.abs(2 * x - 1 - means).mean()
    shifted = np.abs(2 * x[:, :, ::-1] - 1 - means).mean()
    assert error < 0.05 < shifted


def test_of_two_places_the_one_with_contrast_is_taken():
    photograph = np.concatenate([np.zeros((64, 64, 3)), noise(64, 64, 3)])
    _, y = resolution.draw_patches([photograph.astype("uint8")], 60, 16, 0)
    assert np.mean(y.std(axis=(1, 2, 3)) == 0) < 0.4  # Else about 0.5.


def test_the_generator_begins_as_the_enlarged_image():
    gan = resolution.make_gan(resolution.QUICK, seed=0)
    strip = np.full((12, 8, 3), 51, "uint8")
    made = resolution.enlarge(gan.generator, {"flat": strip})["flat"]
    assert made.shape == (12, 8, 3)
    np.testing.assert_allclose(made, 51 / 127.5 - 1, atol=1e-5)


def test_scores_equal_scikit_image():
    strip = noise(24, 20, 3)
    made = resolution.as_output(noise(24, 20, 3)[::-1]) / 2
    truth = resolution.as_output(strip)
    ratio, similarity = resolution.score(made, strip)
    assert ratio == pytest.approx(
        skimage.metrics.peak_signal_noise_ratio(truth, made, data_range=2),
        rel=1e-5,
    )
    expected = skimage.metrics.structural_similarity(
        truth,
        made,
        data_range=2,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    # At the edges, which scikit-image cuts off at another width, they differ.
    assert similarity == pytest.approx(expected, abs=0.05)


def test_gains_in_the_table(capsys):
    ratios = (20.0, 21.5, 21.0)
    scores = {
        way: {"a": (ratio, 0.5)}
        for way, ratio in zip(resolution.WAYS, ratios, strict=True)
    }
    resolution.print_table(scores)
    printed = capsys.readouterr().out
    assert "pre-trained, beside bicubic: +1.50 dB" in printed
    assert "adversarial, beside pre-trained: -0.50 dB" in printed


def test_most_detailed_squares_come_first():
    strip = np.zeros((96, 96, 3), "uint8")
    strip[48:, :48] = noise(48, 48, 3)
    assert resolution.most_detailed(strip, 48, 1) == [
        (slice(48, 96), slice(0, 48))
    ]


def test_super_resolution_tells_its_story(tmp_path, capsys):
    assert resolution.main(["--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert keras.backend.backend() in printed
    rows = [line for line in printed.splitlines() if line.count(" dB ") > 1]
    assert [row.split()[0] for row in rows] == list(resolution.WAYS)
    assert rows[0].split()[1] == "19.92"
    for name in ("enlarged", "losses"):
        assert is_picture(tmp_path / f"{name}.png")


def test_squares_tile_a_photograph():
    photograph = noise(70, 100, 3)
    cut = unpaired.squares([photograph, photograph])
    assert cut.shape == (2 * 2 * 3, 32, 32, 3)
    np.testing.assert_allclose(
        (cut[4] + 1) * 127.5, photograph[32:64, 32:64], atol=1e-3
    )


def test_no_square_is_in_two_sets():
    photographs = [noise(224, 320, 3)]
    sizes = unpaired.Sizes(patches=20, test=10)
    sets = unpaired.make_sets(photographs, sizes, seed=3)
    assert [len(s) for s in sets] == [40, 40, 10]
    first = (*sets.plain[:20], *sets.plain[:20, :, ::-1], *sets.test)
    light, striped = (
        [np.rint((patch[2:4] + 1) * 127.5).tobytes() for patch in patches]
        for patches in (first, sets.striped[:20])
    )
    assert len(set(light) | set(striped)) == 20 + 20 + 10 + 20
    np.testing.assert_array_equal(sets.plain[20:], sets.plain[:20, :, ::-1])


def test_blind_darkens_two_of_four_rows():
    striped = unpaired.blind(np.ones((1, 8, 8, 3)))
    assert striped.dtype == "float32"
    rows = [-0.4, -0.4, 1, 1, -0.4, -0.4, 1, 1]
    np.testing.assert_allclose(striped[0, :, 5, 1], rows, rtol=1e-6)
    black = -np.ones((1, 8, 8, 3))
    np.testing.assert_array_equal(unpaired.blind(black), black)


def test_matched_patches_have_the_moments_of_the_target():
    random = np.random.RandomState(0)
    source = random.normal(0.1, 0.2, size=(9, 4, 4, 3))
    target = random.normal(-0.1, 0.1, size=(9, 4, 4, 3))
    made = unpaired.matched(source, source, target)
    for moment in (np.mean, np.std):
        np.testing.assert_allclose(
            moment(made, axis=(0, 1, 2)), moment(target, axis=(0, 1, 2))
        )


def test_epochs_hold_each_patch_once_and_pair_them_anew():
    ids = np.arange(8.0)
    batches = unpaired.Unpaired(unpaired.Sets(ids, ids, ids), seed=0)
    epochs = []
    for _ in range(2):
        pairs = np.concatenate(
            [np.transpose(batches[i]) for i in range(len(batches))]
        )
        assert (np.sort(pairs, axis=0) == ids[:, None]).all()
        epochs.append(set(map(tuple, pairs)))
        batches.on_epoch_end()
    assert epochs[0] != epochs[1]


class Perfect:
    """Translates as the blind does."""

    def translate(self, patches, inverse=False):
        if not inverse:
            return unpaired.blind(patches)
        dark = np.arange(patches.shape[1]) % unpaired.PERIOD < unpaired.SLAT
        light = np.where(dark, unpaired.LIGHT, 1.0)[:, None, None]
        return ((patches + 1) / light - 1).astype("float32")


def test_examination_is_on_the_truth():
    sets = unpaired.make_sets([noise(224, 320, 3)], unpaired.QUICK, seed=0)
    scores = unpaired.examine(Perfect(), sets)
    assert min(scores["CycleGAN"]) > 80
    assert max(max(scores[way]) for way in list(scores)[:2]) < 20


def test_unpaired_patches_tell_their_story(tmp_path, capsys):
    assert unpaired.main(["--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert keras.backend.backend() in printed
    for way in ("as it is", "mean and spread", "CycleGAN"):
        assert f"    {way}" in printed
    assert printed.count(" dB") == 7
    names = ("translated.png", "losses.png", "learning/epoch_0001.png")
    for name in names:
        assert is_picture(tmp_path / name)
    assert (tmp_path / "learning" / "samples.gif").stat().st_size > 1000


@pytest.mark.parametrize("tutorial", [resolution, unpaired])
def test_missing_package_is_named(tutorial, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"sklearn.*keras_dl\[datasets\]"):
        tutorial.main([])
