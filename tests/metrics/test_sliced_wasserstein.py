"""Sliced Wasserstein distances: SciPy on a line, and known geometry."""

import numpy as np
import pytest
from keras import ops
from scipy import ndimage
from scipy.special import gamma
from scipy.stats import wasserstein_distance

from keras_dl.metrics import sliced_wasserstein, sliced_wasserstein_pyramid
from keras_dl.metrics._parts.laplacian import enlarged, laplacian_pyramid


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("counts", [(40, 40), (40, 60), (7, 5), (1, 9), (9, 1)])
def test_on_a_line(counts):
    real, fake = (normal(n, 1, seed=n + i) for i, n in enumerate(counts))
    # Equal numbers too.
    real[: len(real) // 2] = np.round(real[: len(real) // 2])
    found = sliced_wasserstein(real, fake + 0.5, projections=3)
    expected = wasserstein_distance(real[:, 0], fake[:, 0] + 0.5)
    assert found == pytest.approx(expected, rel=1e-12)


def mean_projection(dimensions):
    """E|t_1| of a uniform direction."""
    ratio = gamma(dimensions / 2) / gamma((dimensions + 1) / 2)
    return ratio / np.sqrt(np.pi)


@pytest.mark.parametrize("dimensions", [2, 3, 20])
def test_a_shift(dimensions):
    x = normal(50, dimensions)
    shift = np.linspace(1, 2, dimensions)
    found = sliced_wasserstein(x, x[::-1] + shift, projections=4000)
    expected = np.linalg.norm(shift) * mean_projection(dimensions)
    assert found == pytest.approx(expected, rel=0.03)


def test_gaussians():
    """N(0, 1) and N(0, 4) on any line: sqrt(2 / pi) apart, and shifted."""
    x, y = normal(10000, 3), 2 * normal(10000, 3, seed=1)
    expected = np.sqrt(2 / np.pi)
    assert sliced_wasserstein(x, y, 50) == pytest.approx(expected, rel=0.03)
    # Of different numbers, where the shift is larger than the noise.
    x, y = normal(1000, 3), normal(700, 3, seed=1) + [30, 0, 40]
    expected = 50 * mean_projection(3)
    assert sliced_wasserstein(x, y, 3000) == pytest.approx(expected, rel=0.03)


def test_properties():
    x, y = normal(30, 4), normal(20, 4, seed=1)
    distance = sliced_wasserstein(x, y)
    assert isinstance(distance, float) and distance > 0.1
    assert sliced_wasserstein(x, x[::-1]) == 0
    assert sliced_wasserstein(y, x) == pytest.approx(distance, rel=1e-12)
    assert sliced_wasserstein(3 * x, 3 * y) == pytest.approx(3 * distance)
    doubled = np.concatenate([x, x])
    assert sliced_wasserstein(doubled, y) == pytest.approx(distance, rel=1e-12)
    assert sliced_wasserstein(x, y, seed=1) != distance
    # Directions are worked on some at a time: none is lost.
    line = normal(9, 1)
    for number in (1, 31, 32, 33, 70):
        assert sliced_wasserstein(line, line + 1, number) == pytest.approx(1)


def test_any_shape_and_precision():
    x, y = normal(30, 2, 3), normal(20, 2, 3, seed=1)
    flat = sliced_wasserstein(x.reshape(30, 6), y.reshape(20, 6))
    assert sliced_wasserstein(x, y) == flat
    single = sliced_wasserstein(x.astype("float32"), y.astype("float32"))
    assert single == pytest.approx(flat, rel=1e-5)
    half = [ops.cast(z.astype("float32"), "bfloat16") for z in (x, y)]
    assert sliced_wasserstein(*half) == pytest.approx(flat, rel=2e-2)
    whole = [np.round(10 * z).astype("int32") for z in (x, y)]
    assert sliced_wasserstein(*whole) == pytest.approx(10 * flat, rel=5e-2)


@pytest.mark.parametrize("sides", [(32, 16), (13, 18)])
def test_a_laplacian_pyramid(sides):
    """The levels are SciPy's, and add up to the images."""
    images = normal(2, *sides, 3).astype("float32")
    pyramid = laplacian_pyramid(images, 3)
    line = np.array([1, 4, 6, 4, 1]) / 16
    kernel = np.outer(line, line)[None, :, :, None]
    smaller = ndimage.convolve(images, kernel, mode="mirror")[:, ::2, ::2]
    spread = np.zeros_like(images)
    spread[:, ::2, ::2] = smaller
    lost = images - ndimage.convolve(spread, 4 * kernel, mode="mirror")
    np.testing.assert_allclose(pyramid[0], lost, atol=1e-5)
    halves = [tuple(-(-side // 2**i) for side in sides) for i in range(3)]
    assert [level.shape[1:3] for level in pyramid] == halves
    again = pyramid[2]
    for level in pyramid[1::-1]:
        again = level + enlarged(again, level.shape)
    np.testing.assert_allclose(again, images, atol=1e-5)


def smooth(images, sigma):
    return ndimage.gaussian_filter(images, (0, sigma, sigma, 0), mode="wrap")


def test_images_of_one_colour():
    """A patch is a number then, and the distance that of numbers."""
    x, y = normal(40), np.exp(normal(30, seed=1))
    real, fake = (
        np.ones((1, 16, 16, 1)) * z[:, None, None, None] for z in (x, y)
    )
    settings = {"patches": 1, "size": 1, "smallest": 9}
    found = sliced_wasserstein_pyramid(real, fake, **settings)
    x, y = ((z - z.mean()) / z.std() for z in (x, y))
    expected = 1000 * wasserstein_distance(x, y)
    assert found == {
        "16": pytest.approx(expected, rel=1e-4),
        "average": pytest.approx(expected, rel=1e-4),
    }


def test_levels_tell_the_size_of_what_is_wrong():
    # White noise, and the same without fine, or with added coarse, detail.
    real, same = normal(60, 32, 32, 3), normal(60, 32, 32, 3, seed=1)
    plain = sliced_wasserstein_pyramid(real, same, patches=64)
    assert list(plain) == ["32", "16", "average"]
    mean = (plain["32"] + plain["16"]) / 2
    assert plain["average"] == pytest.approx(mean)
    blurred = sliced_wasserstein_pyramid(real, smooth(same, 1), patches=64)
    assert blurred["32"] > 2 * plain["32"]
    coarse = 8 * smooth(normal(60, 32, 32, 3, seed=2), 3)
    spotted = sliced_wasserstein_pyramid(real, same + coarse, patches=64)
    assert spotted["32"] < 1.5 * plain["32"]
    assert spotted["16"] > 2 * plain["16"]


def test_normalized_in_each_channel():
    real, fake = normal(20, 16, 16, 3), normal(30, 16, 16, 3, seed=1)
    plain = sliced_wasserstein_pyramid(real, fake)
    scaled = fake * [1, 50, 3] + [0, 5, -1]
    found = sliced_wasserstein_pyramid(real, scaled)
    assert found["16"] == pytest.approx(plain["16"], rel=1e-3)
    # A channel without anything in it is no division by 0.
    flat = fake * [1, 0, 1]
    assert np.isfinite(sliced_wasserstein_pyramid(real, flat)["average"])


def test_patches_reach_every_border():
    """A bright pixel in a corner of each image is found at any of four."""
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        real, fake = np.zeros((2, 10, 8, 8, 1))
        fake[:, row, column] = 1
        settings = {"size": 1, "smallest": 8, "patches": 200}
        distances = sliced_wasserstein_pyramid(real, fake, **settings)
        assert distances["8"] > 0


def test_seeds_and_pixels_of_bytes():
    real, fake = normal(9, 16, 20, 1), normal(9, 16, 20, 1, seed=1)
    real, fake = (np.clip(64 * x + 128, 0, 255) for x in (real, fake))
    found = sliced_wasserstein_pyramid(real, fake)
    assert found == sliced_wasserstein_pyramid(real, fake, seed=0)
    assert found != sliced_wasserstein_pyramid(real, fake, seed=1)
    whole = [x.astype("uint8") for x in (real, fake)]
    again = sliced_wasserstein_pyramid(*whole)
    assert again["16"] == pytest.approx(found["16"], rel=0.05)


def test_errors():
    with pytest.raises(ValueError, match=r"same shape.*\(3, 2\).*\(3, 4\)"):
        sliced_wasserstein(np.zeros((3, 2)), np.zeros((3, 4)))
    for shape in ((3,), (0, 2)):
        with pytest.raises(ValueError, match="`fake` must hold samples"):
            sliced_wasserstein(np.zeros((3, 2)), np.zeros(shape))
    with pytest.raises(ValueError, match="`projections`.*=0"):
        sliced_wasserstein(np.zeros((3, 2)), np.zeros((3, 2)), projections=0)
    images = np.zeros((2, 16, 16, 1))
    for other in (images[0], images[:, :8], np.zeros((2, 16, 16, 3))):
        with pytest.raises(ValueError, match="images of the same shape"):
            sliced_wasserstein_pyramid(images, other)
    with pytest.raises(ValueError, match="a side of 16, smallest=17"):
        sliced_wasserstein_pyramid(images, images, smallest=17)
    with pytest.raises(ValueError, match="`size` must be odd.*=6"):
        sliced_wasserstein_pyramid(images, images, size=6)
    with pytest.raises(ValueError, match="`smallest`.*at least 7"):
        sliced_wasserstein_pyramid(images, images, smallest=5)
    with pytest.raises(ValueError, match="`patches`.*=0"):
        sliced_wasserstein_pyramid(images, images, patches=0)
