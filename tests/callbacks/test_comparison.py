"""Columns of images side by side."""

import numpy as np
import pytest
from PIL import Image

from keras_dl.callbacks import draw_comparison

RANDOM = np.random.default_rng(0)


def find(picture, tile):
    """The places, top and left, where a tile stands in a picture."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, tile.shape)
    same = (windows == tile).all(axis=(-3, -2, -1))[..., 0]
    return np.argwhere(same).tolist()


@pytest.mark.parametrize("zoom", [1, 3])
def test_small_images_are_shown_as_large_as_the_others(tmp_path, zoom):
    low = RANDOM.integers(0, 256, (2, 3, 4, 1))
    high = RANDOM.integers(0, 256, (2, 6, 8, 3))
    odd = RANDOM.integers(0, 256, (2, 4, 4, 3))
    picture = draw_comparison(
        {"low": low, "high": high, "odd": odd},
        tmp_path / "out.png",
        value_range=(0, 255),
        zoom=zoom,
    )
    columns = []
    for images, times in ((low, 2 * zoom), (high, zoom), (odd, zoom)):
        tiles = [np.kron(image, np.ones((times, times, 1))) for image in images]
        tiles = [np.broadcast_to(t, (*t.shape[:2], 3)) for t in tiles]
        places = [find(picture, tile) for tile in tiles]
        assert list(map(len, places)) == [1, 1]
        columns.append([place[0] for place in places])
    # The rows of the three are the same; `odd`, lower by 2, in the middle.
    tops, lefts = np.moveaxis(columns, -1, 0)
    np.testing.assert_array_equal(tops[0], tops[1])
    np.testing.assert_array_equal(tops[2], tops[1] + zoom)
    np.testing.assert_array_equal(tops[:, 1] - tops[:, 0], 6 * zoom + 2)
    assert (lefts[:, 0] == lefts[:, 1]).all()
    assert (np.diff(lefts[:, 0]) >= 8 * zoom).all()
    with Image.open(tmp_path / "out.png") as written:
        np.testing.assert_array_equal(np.asarray(written), picture)


def test_names_are_written():
    images = np.zeros((1, 40, 40))
    plain = draw_comparison({"one": images})
    labelled = draw_comparison({"one": images}, labels=["a"])
    assert labelled.shape[1] > plain.shape[1]
    pictures = [
        draw_comparison({"one": images, name: images}).tolist()
        for name in ("two", "owt", "two")
    ]
    assert pictures[0] != pictures[1]
    assert pictures[0] == pictures[2]


def test_errors():
    one, two = np.zeros((1, 2, 2)), np.zeros((2, 2, 2))
    for wrong in ({}, [one]):
        with pytest.raises(ValueError, match="`columns` must be a dictionary"):
            draw_comparison(wrong)
    with pytest.raises(ValueError, match="as many images.*'a': 1, 'b': 2"):
        draw_comparison({"a": one, "b": two})
    with pytest.raises(ValueError, match=r"`columns\['b'\]`.*shape \(2, 2\)"):
        draw_comparison({"a": one, "b": one[0]})
    with pytest.raises(ValueError, match="`zoom`"):
        draw_comparison({"a": one}, zoom=0.5)
