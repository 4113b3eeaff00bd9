"""Grids of images: which byte is where."""

import builtins
import os
import pathlib

import numpy as np
import pytest
from keras import ops
from PIL import Image

from keras_dl.callbacks import draw_image_grid

RANDOM = np.random.default_rng(0)


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_every_tile_is_where_it_belongs(tmp_path):
    images = RANDOM.integers(0, 256, (5, 4, 6, 3))
    path = tmp_path / "new" / "grid.png"
    picture = draw_image_grid(
        images, path, columns=3, value_range=(0, 255), zoom=2, gap=3
    )
    assert picture.dtype == np.uint8
    assert picture.shape == (2 * 8 + 3, 3 * 12 + 2 * 3, 3)
    covered = np.zeros(picture.shape[:2], bool)
    for i, image in enumerate(images):
        top, left = (i // 3) * (8 + 3), (i % 3) * (12 + 3)
        place = slice(top, top + 8), slice(left, left + 12)
        large = np.kron(image, np.ones((2, 2, 1)))
        np.testing.assert_array_equal(picture[place], large)
        covered[place] = True
    assert (picture[~covered] == 255).all()
    np.testing.assert_array_equal(read(path), picture)
    assert [p.name for p in path.parent.iterdir()] == ["grid.png"]


def test_values_become_bytes():
    values = [-1, 1, 0, 0.5, -7, 7, np.nan, np.inf, -np.inf]
    image = np.array(values, "float32").reshape(1, 1, -1)
    expected = [0, 255, 128, 191, 0, 255, 128, 255, 0]
    assert draw_image_grid(image)[0, :, 0].tolist() == expected
    bytes_ = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    picture = draw_image_grid(bytes_, value_range=(0, 255))
    np.testing.assert_array_equal(picture, bytes_[0])
    # Nothing overflows on the way.
    wide = np.array([[[-1e300, 0, 1e300]]])
    picture = draw_image_grid(wide, value_range=(-1e300, 1e300))
    assert picture.ravel().tolist() == [0, 128, 255]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_tensors_of_all_kinds(dtype):
    image = ops.cast([[[-1.0, -0.5, 0.5, 1.0]]], dtype)
    assert draw_image_grid(image).ravel().tolist() == [0, 64, 191, 255]


def test_is_about_square_without_columns(tmp_path):
    grey = np.full((5, 2, 2), -1)
    picture = draw_image_grid(grey, tmp_path / "grid", gap=0)
    assert picture.shape == (4, 6, 1)
    with Image.open(tmp_path / "grid.png") as written:
        assert (written.mode, written.size) == ("L", (6, 4))
    assert (picture[2:, 4:] == 255).all()  # No sixth image.
    assert (picture == 0).sum() == grey.size


def test_texts_stand_beside_the_images():
    images = np.full((4, 30, 30, 3), [1.0, -1, -1])
    plain = draw_image_grid(images, columns=2)
    texts = {"headings": ["a wide heading", "b"], "labels": range(2)}
    picture = draw_image_grid(images, columns=2, **texts)
    red = (picture == [255, 0, 0]).all(-1)
    assert red.sum() == images[..., 0].size
    ys, xs = np.nonzero(red)
    # Texts on the left and above, black somewhere, and none on an image.
    for part in (picture[: ys.min()], picture[:, : xs.min()]):
        assert part.min() == 0
        assert (part == part[..., :1]).all()
    assert (ys.max() + 1, xs.max() + 1) == picture.shape[:2]
    # The first column is as wide as its heading, the second as an image.
    assert np.ptp(xs) > np.ptp(ys) + 20
    assert np.ptp(ys) + 1 == len(plain)
    # Below the middle of its heading.
    alone = draw_image_grid(images[:1], headings=["a wide heading"])
    xs = np.nonzero((alone == [255, 0, 0]).all(-1))[1]
    assert abs(xs.min() - (alone.shape[1] - 1 - xs.max())) <= 1
    other = dict(texts, headings=["a wide headinG", "b"])
    other = draw_image_grid(images, columns=2, **other)
    assert not np.array_equal(picture, other)


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / "grid.png"
    draw_image_grid(np.zeros((1, 2, 2)), path)
    before = path.read_bytes()

    def half(picture, name, *args, **kwargs):
        pathlib.Path(name).write_bytes(b"half")
        raise OSError("no room")

    def fail(*args):
        raise OSError("no room")

    for broken in ((Image.Image, "save", half), (os, "replace", fail)):
        with monkeypatch.context() as patch:
            patch.setattr(*broken)
            with pytest.raises(OSError, match="no room"):
                draw_image_grid(np.ones((1, 2, 2)), path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]


def test_errors(monkeypatch):
    one = np.zeros((1, 2, 2))
    for shape in ((2, 2), (0, 2, 2, 3), (1, 2, 2, 2), (1, 1, 2, 2, 3)):
        received = str(shape).replace("(", r"\(").replace(")", r"\)")
        with pytest.raises(ValueError, match=f"`images`.*shape {received}"):
            draw_image_grid(np.zeros(shape))
    for wrong in ((1, -1), (0, 0), (0, np.inf), (np.nan, 1), 1, (0, 1, 2)):
        with pytest.raises(ValueError, match="`value_range` must be two"):
            draw_image_grid(one, value_range=wrong)
    for name, value in (("columns", 0), ("zoom", 0), ("gap", -1)):
        with pytest.raises(ValueError, match=f"`{name}`.*{name}={value}"):
            draw_image_grid(one, **{name: value})
    with pytest.raises(ValueError, match="`headings` must be a list of 1"):
        draw_image_grid(one, headings=["a", "b"])
    with pytest.raises(ValueError, match="`labels` must be a list of 1 .*rows"):
        draw_image_grid(one, labels="a")

    real = builtins.__import__

    def without_pillow(name, *args, **kwargs):
        if name.startswith("PIL"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pillow)
    assert draw_image_grid(one).shape == (2, 2, 1)
    with pytest.raises(ImportError, match=r"keras_dl\[plots\]"):
        draw_image_grid(one, "grid.png")
    with pytest.raises(ImportError, match=r"keras_dl\[plots\]"):
        draw_image_grid(one, headings=["a"])
