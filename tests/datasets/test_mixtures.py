"""Mixtures of Gaussians: where their centres are, and how points spread."""

import numpy as np
import pytest

from keras_dl.datasets import grid_of_gaussians, ring_of_gaussians


def test_centres_of_a_ring():
    points, centres = ring_of_gaussians(5, modes=8, radius=2.0)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 2, rtol=1e-6)
    np.testing.assert_allclose(centres[[0, 2]], [[2, 0], [0, 2]], atol=1e-6)
    apart = np.linalg.norm(centres[:, None] - centres, axis=-1)
    closest = apart[~np.eye(8, dtype=bool)].min()
    assert closest == pytest.approx(4 * np.sin(np.pi / 8), rel=1e-5)
    assert points.shape == (5, 2) and points.dtype == centres.dtype == "float32"


def test_centres_of_a_grid():
    _, centres = grid_of_gaussians(1)
    line = [-4, -2, 0, 2, 4]
    expected = {(x, y) for x in line for y in line}
    assert set(map(tuple, centres.tolist())) == expected and len(centres) == 25
    _, centres = grid_of_gaussians(1, side=2, spacing=3.0)
    assert set(np.unique(centres)) == {-1.5, 1.5}


@pytest.mark.parametrize("draw", [ring_of_gaussians, grid_of_gaussians])
def test_points_spread_around_all_centres(draw):
    points, centres = draw(20000, std=0.1, seed=1)
    distances = np.linalg.norm(points[:, None] - centres, axis=-1)
    nearest = distances.argmin(axis=1)
    shares = np.bincount(nearest, minlength=len(centres)) / len(points)
    np.testing.assert_allclose(shares, 1 / len(centres), rtol=0.15)
    apart = points - centres[nearest]
    np.testing.assert_allclose(apart.mean(axis=0), 0, atol=5e-3)
    np.testing.assert_allclose(np.cov(apart.T), 0.01 * np.eye(2), atol=3e-4)


@pytest.mark.parametrize("draw", [ring_of_gaussians, grid_of_gaussians])
def test_seeds(draw):
    again, other = draw(9, seed=0)[0], draw(9, seed=1)[0]
    np.testing.assert_array_equal(draw(9)[0], again)
    assert not np.array_equal(again, other)


def test_errors():
    for draw, name in [
        (ring_of_gaussians, "modes"),
        (ring_of_gaussians, "radius"),
        (grid_of_gaussians, "side"),
        (grid_of_gaussians, "spacing"),
        (grid_of_gaussians, "std"),
    ]:
        with pytest.raises(ValueError, match=f"`{name}`.*=0"):
            draw(10, **{name: 0})
    with pytest.raises(ValueError, match="`count`.*=-1"):
        ring_of_gaussians(-1)
    with pytest.raises(ValueError, match="`seed`.*=-1"):
        ring_of_gaussians(1, seed=-1)
