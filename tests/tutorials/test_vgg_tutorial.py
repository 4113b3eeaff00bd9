"""The tutorial on a small VGG16: its data, its networks, a short run."""

import importlib
import pathlib
import sys

import keras
import matplotlib.image
import numpy as np
import pytest
from keras import ops
from PIL import Image
from sklearn.datasets import load_digits

from keras_dl import datasets

TUTORIALS = pathlib.Path(__file__).parents[2] / "tutorials"
sys.path.insert(0, str(TUTORIALS))
vgg = importlib.import_module("10_small_vgg")


@pytest.fixture(scope="module")
def networks():
    return {name: vgg.make(v, seed=0) for name, v in vgg.VARIANTS.items()}


def kinds(model, kind):
    return [layer for layer in model.chain if isinstance(layer, kind)]


def test_digits_are_enlarged_between_neighbours():
    rows = load_digits().data[:5]
    images = vgg.to_images(rows)
    assert images.shape == (5, 32, 32, 1) and images.dtype == "float32"
    for image, row in zip(images, rows, strict=True):
        small = Image.fromarray((row.reshape(8, 8) / 8 - 1).astype("float32"))
        large = small.resize((32, 32), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(image[..., 0], np.asarray(large), atol=1e-5)
    flat = vgg.to_images(np.repeat([[0.0], [16.0]], 64, axis=1))
    np.testing.assert_allclose(flat[0], -1)
    np.testing.assert_allclose(flat[1], 1)


def test_held_out_digits_are_others_and_classes_are_equal():
    sizes = vgg.Sizes()
    learn, held = vgg.load(sizes, seed=3)
    for part, count in ((learn, sizes.learn), (held, sizes.held)):
        assert list(np.bincount(part.y)) == [count] * 10
        # All of these are filled, so that no other shape is compiled.
        assert len(part) % vgg.EXAMINED_AT_ONCE == 0
    assert len(learn) % vgg.BATCH_SIZE == 0
    test = vgg.to_images(datasets.load("digits", seed=3, validation=0).test.x)
    learnt, tested = ({x.tobytes() for x in xs} for xs in (learn.x, test))
    assert {x.tobytes() for x in held.x} <= tested
    assert not learnt & tested


def test_networks_differ_in_what_their_names_say(networks):
    for name, model in networks.items():
        variant = vgg.VARIANTS[name]
        filters = [x.filters for x in kinds(model, keras.layers.Conv2D)]
        assert filters == [16] * 2 + [32] * 2 + [64] * 3 + [128] * 6, name
        norms = kinds(model, keras.layers.BatchNormalization)
        assert len(norms) == (14 if variant.batch_norm else 0), name
        assert {norm.momentum for norm in norms} <= {0.9}
        drops = [x.rate for x in kinds(model, keras.layers.Dropout)]
        assert drops == ([0.5] if variant.dropout else []), name
    alone = list(vgg.VARIANTS.values())[1:-1]
    assert [sum(variant) for variant in alone] == [1, 1, 1]
    assert all(vgg.VARIANTS["all together"]) and not any(vgg.VARIANTS["plain"])


def test_networks_begin_alike_with_the_weights_of_he(networks):
    plain, normed = (
        [x.kernel for x in kinds(networks[name], keras.layers.Conv2D)]
        for name in ("plain", "batch norm")
    )
    for one, other in zip(plain, normed, strict=True):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(one), ops.convert_to_numpy(other)
        )
    for kernel in plain[-2:]:
        spread = ops.convert_to_numpy(kernel).std()
        assert spread == pytest.approx((2 / (9 * 128)) ** 0.5, rel=0.05)


def test_augmented_batches_are_new_in_each_epoch():
    learn, _ = vgg.load(vgg.QUICK, seed=0)
    plain = learn.batches(10, shuffle=True, seed=0)
    batches = vgg.Augmented(learn.batches(10, shuffle=True, seed=0), seed=0)
    assert len(batches) == 2
    epochs = []
    for _ in range(2):
        for i in range(2):
            (x, y), (truth, labels) = batches[i], plain[i]
            np.testing.assert_array_equal(y, labels)
            changes = np.abs(x - truth).mean(axis=(1, 2, 3))
            assert (changes > 0.01).all() and changes.mean() < 0.5
        epochs.append(y)
        batches.on_epoch_end()
        plain.on_epoch_end()
    assert (epochs[0] != epochs[1]).any()


def test_what_moves_in_is_as_black_as_the_background():
    black = np.full((4, 32, 32, 1), -1.0, "float32")
    moved = vgg.augmentation(0)(black, training=True)
    np.testing.assert_allclose(ops.convert_to_numpy(moved), -1, atol=1e-5)


def test_table_compares_with_the_plain_network(capsys):
    plain = vgg.Marks(0.1, 1.0, 0.9, 0.8)
    other = vgg.Marks(0.2, 0.99, 0.5, 0.85)
    assert plain.gap == pytest.approx(0.8)
    vgg.print_table({"plain": plain, "dropout": other})
    printed = capsys.readouterr().out
    assert "dropout, beside plain: gap -0.500" in printed
    assert "held-out accuracy +0.050" in printed
    assert "plain, beside plain" not in printed


def test_misread_digits_come_first_and_from_all_over():
    labels = np.arange(9)
    read = np.where(labels < 6, labels, 0)
    assert list(vgg.misread_and_read(read, labels, 2)) == [6, 8, 0, 5]
    assert list(vgg.misread_and_read(labels, labels, 2)) == [0, 8]


def test_each_network_has_its_field(tmp_path):
    histories = {
        name: {"loss": [2.0, 1.0], "val_loss": [2.5, 2.25]}
        for name in ("plain", "dropout")
    }
    figure = vgg.draw_losses_of_all(histories, tmp_path / "losses.png")
    assert [axes.get_title() for axes in figure.axes] == list(histories)
    for axes in figure.axes:
        training, held_out = axes.get_lines()
        assert list(training.get_ydata()) == [2.0, 1.0]
        assert list(held_out.get_ydata()) == [2.5, 2.25]


def test_small_vgg_tells_its_story(tmp_path, capsys, monkeypatch):
    # Two of the five networks: what takes long is compiling.
    some = {name: vgg.VARIANTS[name] for name in ("plain", "all together")}
    monkeypatch.setattr(vgg, "VARIANTS", some)
    assert vgg.main(["--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert keras.backend.backend() in printed
    assert "20 digits to learn from, 20 held out" in printed
    rows = [line for line in printed.splitlines() if line.count(".") == 5]
    assert [row[4:18].strip() for row in rows] == list(vgg.VARIANTS)
    for row in rows:
        loss, _, held_loss, _, gap = map(float, row[18:].split())
        assert 2 < loss < 3 and 2 < held_loss < 3
        assert gap == pytest.approx(held_loss - loss, abs=0.002)
    for name in ("augmented", "losses", "evidence"):
        pixels = matplotlib.image.imread(tmp_path / f"{name}.png")
        assert min(pixels.shape[:2]) > 200 and pixels.std() > 0.02


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"sklearn.*keras_dl\[datasets\]"):
        vgg.main([])
