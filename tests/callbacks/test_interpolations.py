"""Walks in latent space: the points, and that each has its picture."""

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from scipy.spatial import geometric_slerp

from keras_dl.callbacks import draw_image_grid, draw_interpolations, slerp

RANDOM = np.random.default_rng(0)


def unit(*shape):
    points = RANDOM.normal(size=shape)
    return points / np.linalg.norm(points, axis=-1, keepdims=True)


@pytest.mark.parametrize("size", [2, 3, 50])
def test_slerp_agrees_with_scipy_on_the_sphere(size):
    fractions = np.linspace(0, 1, 7)
    start, end = unit(2, size)
    expected = geometric_slerp(start, end, fractions)
    np.testing.assert_allclose(slerp(start, end, fractions), expected)
    # The length of noise is kept on the way, and the angle is cut evenly.
    points = slerp(3 * start, 3 * end, fractions)
    np.testing.assert_allclose(points, 3 * expected)
    cosines = (points[1:] * points[:-1]).sum(-1) / 9
    np.testing.assert_allclose(cosines, cosines[0])


def test_slerp_of_points_of_different_length():
    """The formula, by hand, and its ends exactly."""
    start, end, t = np.array([2.0, 0]), np.array([0, 5.0]), 0.3
    expected = [2 * np.sin(0.7 * np.pi / 2), 5 * np.sin(0.3 * np.pi / 2)]
    np.testing.assert_allclose(slerp(start, end, t), expected)
    start, end = RANDOM.normal(size=(2, 4, 9)).astype("float32")
    for t, exact in ((0, start), (1, end)):
        points = slerp(ops.convert_to_tensor(start), end, t)
        assert points.dtype == np.float32
        np.testing.assert_array_equal(points, exact)


def test_slerp_is_straight_where_there_is_no_arc():
    point = np.array([1.0, 2.0, 2.0])
    for end in (point, 4 * point, -point, 0 * point):
        middle = slerp(point, end, 0.25)
        np.testing.assert_allclose(middle, 0.75 * point + 0.25 * end)
    # Close to it there is no jump; and an arc of nearly half a circle is one,
    # although its cosine has lost half of its digits.
    for angle in (1e-9, 1e-7, 1e-5, 1e-3, np.pi - 1e-3, np.pi - 1e-4):
        end = [np.cos(angle), np.sin(angle)]
        middle = slerp([1.0, 0.0], end, 0.25)
        expected = [np.cos(angle / 4), np.sin(angle / 4)]
        np.testing.assert_allclose(middle, expected, rtol=1e-10)


def test_slerp_takes_many_points_and_whole_numbers():
    starts, ends = unit(2, 3, 1, 4)
    fractions = np.array([0.0, 0.4, 1.0])
    points = slerp(starts, ends, fractions)
    assert points.shape == (3, 3, 4)
    one = slerp(starts[1, 0], ends[1, 0], 0.4)
    np.testing.assert_allclose(points[1, 1], one)
    assert slerp(starts[0], ends[:, 0], 0.5).shape == (3, 4)
    np.testing.assert_allclose(slerp([1, 0], [0, 1], 0.5), [0.5**0.5] * 2)


@pytest.mark.parametrize("spherical", [True, False])
def test_each_row_is_a_walk(tmp_path, spherical):
    keras.utils.set_random_seed(1)
    generator = keras.Sequential(
        [
            keras.Input((2, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(20, activation="tanh"),
            keras.layers.Reshape((4, 5, 1)),
        ]
    )
    asked = []

    def generate(points):
        asked.append(points)
        return generator(points)

    starts, ends = RANDOM.normal(size=(2, 3, 2, 3)).astype("float32")
    path = tmp_path / "walks.png"
    picture = draw_interpolations(
        generate, starts, ends, 5, path, spherical, zoom=2
    )
    (points,) = asked
    assert points.shape == (15, 2, 3)
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points[0::5], starts)
    np.testing.assert_array_equal(points[4::5], ends)
    middles = 0.5 * (starts + ends)
    if spherical:
        flat = slerp(starts.reshape(3, 6), ends.reshape(3, 6), 0.5)
        middles = flat.reshape(3, 2, 3)
    np.testing.assert_allclose(points[2::5], middles, rtol=1e-6)
    images = generator(points)
    expected = draw_image_grid(images, columns=5, zoom=2)
    np.testing.assert_array_equal(picture, expected)
    assert picture.shape == (3 * 8 + 2, 5 * 10 + 4, 1)
    with Image.open(path) as written:
        np.testing.assert_array_equal(np.asarray(written), picture[..., 0])


def test_errors():
    points = np.zeros((2, 3))

    def generate(points):
        return np.zeros((len(points), 2, 2))

    with pytest.raises(TypeError, match="`generate` must be a function"):
        draw_interpolations(points, points, points)
    with pytest.raises(ValueError, match="`steps`.*steps=1"):
        draw_interpolations(generate, points, points, steps=1)
    for wrong in (points[:1], points[0], points[:0]):
        with pytest.raises(ValueError, match="`starts` and `ends` must have"):
            draw_interpolations(generate, wrong, points)
    with pytest.raises(ValueError, match="`starts`.*empty"):
        draw_interpolations(generate, points[:0], points[:0])
    with pytest.raises(ValueError, match="each of 16 points. Received: 1"):
        draw_interpolations(lambda p: generate(p)[:1], points, points)
