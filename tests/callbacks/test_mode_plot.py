"""Plots of modes: which points are drawn where, and what is written."""

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from keras_dl.callbacks import ModePlot, draw_modes
from keras_dl.testing import check_callback

ANGLES = 2 * np.pi * np.arange(8) / 8
MODES = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
POINTS = np.random.default_rng(0).normal(size=(50, 2))


def drawn(axes):
    """The points of a panel, by their label."""
    return {
        c.get_label(): np.asarray(c.get_offsets()) for c in axes.collections
    }


def test_panels_show_the_points_in_the_same_part_of_the_plane(tmp_path):
    far = np.array([[100.0, 0.0], [0.0, 0.5]])
    figure = draw_modes(
        {"GAN": ops.convert_to_tensor(POINTS), "Unrolled": far},
        MODES,
        tmp_path / "new" / "ring.png",
        real=2 * MODES,
        std=0.1,
        title={"GAN": "1 of 8"},
    )
    left, right = figure.axes
    np.testing.assert_allclose(drawn(left)["samples"], POINTS, rtol=1e-6)
    np.testing.assert_allclose(drawn(right)["samples"], far)
    for axes in (left, right):
        np.testing.assert_allclose(drawn(axes)["modes"], MODES)
        np.testing.assert_allclose(drawn(axes)["real"], 2 * MODES)
        assert len(axes.patches) == 8
        np.testing.assert_allclose(axes.patches[3].center, MODES[3])
        assert axes.patches[3].radius == pytest.approx(0.3)
        # All modes and real points with a margin; not what went astray.
        assert axes.get_xlim() == axes.get_ylim() == left.get_xlim()
        assert axes.get_xlim() == pytest.approx((-2.99, 2.99))
        assert axes.get_aspect() == 1
    assert left.get_title() == "GAN\n1 of 8"
    assert right.get_title() == "Unrolled"
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["ring.png"]
    with Image.open(tmp_path / "new" / "ring.png") as picture:
        assert picture.size[0] > 1.5 * picture.size[1]


def test_points_that_are_not_finite_are_left_out():
    points = [[np.nan, 0], [0.5, 0.25], [np.inf, 1]]
    asked = []
    figure = draw_modes({"a": points}, MODES, title=asked.append)
    np.testing.assert_array_equal(drawn(figure.axes[0])["samples"], [points[1]])
    np.testing.assert_array_equal(asked, [points])
    figure = draw_modes({"a": np.zeros((0, 2))}, MODES[:1])
    assert figure.axes[0].get_xlim() == pytest.approx((0.35, 1.65))


def test_draws_what_training_has_reached(tmp_path):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    x = POINTS.astype("float32")
    asked = []

    def title(points):
        asked.append(points)
        return f"{len(points)} points"

    def fit(*epochs):
        plot = ModePlot(
            lambda model: model(x[:20]), MODES, tmp_path, real=x, title=title
        )
        initial, last = epochs
        model.fit(
            x,
            x + 1,
            epochs=last,
            initial_epoch=initial,
            verbose=0,
            callbacks=[plot],
        )

    fit(0, 2)
    fit(2, 3)
    names = sorted(path.name for path in tmp_path.iterdir())
    pictures = [f"modes_000{i}.png" for i in (1, 2, 3)]
    assert names == ["modes.gif", *pictures]
    reached = ops.convert_to_numpy(model(x[:20]))
    np.testing.assert_allclose(asked[2], reached, rtol=1e-6)
    assert np.abs(asked[1] - asked[0]).max() > 1e-3
    contents = {(tmp_path / name).read_bytes() for name in pictures}
    assert len(contents) == 3
    with Image.open(tmp_path / "modes.gif") as film:
        assert film.n_frames == 3
        with Image.open(tmp_path / pictures[0]) as picture:
            assert film.size == picture.size


def test_title_and_name_are_drawn(tmp_path, monkeypatch):
    figures = []

    def draw(*arguments):
        figures.append(draw_modes(*arguments))

    monkeypatch.setattr("keras_dl.callbacks.mode_plot.draw_modes", draw)
    plot = ModePlot(
        lambda _: POINTS,
        MODES,
        tmp_path,
        every=3,
        real=POINTS,
        std=0.1,
        title=lambda points: f"{len(points)} points",
    )
    for epoch in range(4):
        plot.on_epoch_end(epoch)
    (figure,) = figures
    (axes,) = figure.axes
    assert axes.get_title() == "epoch 3\n50 points"
    assert len(axes.patches) == 8
    assert len(drawn(axes)["real"]) == 50


def test_contract(tmp_path):
    check_callback(lambda: ModePlot(lambda model: POINTS, MODES, tmp_path))


def test_errors(tmp_path):
    def generate(model):
        return np.zeros((4, 3))

    with pytest.raises(TypeError, match="`generate` must be a function"):
        ModePlot(POINTS, MODES, tmp_path)
    with pytest.raises(TypeError, match="`title` must be a function"):
        ModePlot(generate, MODES, tmp_path, title="modes")
    for wrong in (MODES[:0], MODES[0], np.zeros((4, 3))):
        with pytest.raises(ValueError, match="`modes` must be points"):
            ModePlot(generate, wrong, tmp_path)
    with pytest.raises(ValueError, match="`modes` must be finite"):
        ModePlot(generate, MODES * np.nan, tmp_path)
    with pytest.raises(ValueError, match="`real` must be points"):
        ModePlot(generate, MODES, tmp_path, real=MODES[0])
    for name, value in (("std", -1), ("every", 0)):
        with pytest.raises(ValueError, match=f"`{name}`.*{name}={value}"):
            ModePlot(generate, MODES, tmp_path, **{name: value})
    with pytest.raises(ValueError, match=r"`samples\['epoch 1'\]`.*\(4, 3\)"):
        ModePlot(generate, MODES, tmp_path).on_epoch_end(0)
    for wrong in ({}, POINTS):
        with pytest.raises(ValueError, match="`samples` must be a dictionary"):
            draw_modes(wrong, MODES)
