"""Points from a mixture of Gaussians: toy data on which GANs lose modes."""

import numpy as np

from keras_dl.checks import check_integer, check_positive, check_seed


def ring_of_gaussians(count, modes=8, radius=2.0, std=0.02, seed=0):
    """Points from equal Gaussians whose centres lie on a circle.

        c_k = radius (cos 2 pi k / modes, sin 2 pi k / modes), k < modes
        x = c_k + std e, k uniform, e ~ N(0, I)

    All centres are distinct: the angle of 2 pi, which is that of 0, is not
    one of them.

    Args:
        count: Number of points.
        modes: Number of centres.
        radius: Radius of the circle.
        std: Standard deviation of a Gaussian in each direction.
        seed: Integer; the same seed gives the same points on every platform.

    Returns:
        Two float32 arrays: points of shape `(count, 2)`, and centres of shape
        `(modes, 2)`, which `keras_dl.metrics.ModeCoverage` takes.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> points, centres = ring_of_gaussians(1000)
    >>> points.shape, centres.shape
    ((1000, 2), (8, 2))

    Reference:
        Metz, Poole, Pfau and Sohl-Dickstein, "Unrolled Generative Adversarial
        Networks", ICLR 2017.

    Where it differs: the code of the paper takes the angles from 0 to 2 pi
    with both ends, so that two of its 8 modes are the same.
    """
    check_integer("modes", modes, minimum=1)
    check_positive("radius", radius)
    angles = 2 * np.pi * np.arange(modes) / modes
    centres = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _drawn(count, centres, std, seed)


def grid_of_gaussians(count, side=5, spacing=2.0, std=0.05, seed=0):
    """Points from equal Gaussians whose centres form a square grid.

        c_ij = spacing (i - (side - 1) / 2, j - (side - 1) / 2), i, j < side
        x = c_ij + std e, i and j uniform, e ~ N(0, I)

    The grid is centred on the origin: by default its coordinates are -4, -2,
    0, 2 and 4.

    Args:
        count: Number of points.
        side: Number of centres along each axis; there are `side ** 2`.
        spacing: Distance between neighbours.
        std: Standard deviation of a Gaussian in each direction.
        seed: Integer; the same seed gives the same points on every platform.

    Returns:
        Two float32 arrays: points of shape `(count, 2)`, and centres of shape
        `(side ** 2, 2)`, which `keras_dl.metrics.ModeCoverage` takes.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> points, centres = grid_of_gaussians(1000)
    >>> points.shape, centres.shape
    ((1000, 2), (25, 2))

    Reference:
        Lin, Khetan, Fanti and Oh, "PacGAN: The power of two samples in
        generative adversarial networks", NeurIPS 2018.
    """
    check_integer("side", side, minimum=1)
    check_positive("spacing", spacing)
    line = spacing * (np.arange(side) - (side - 1) / 2)
    centres = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1)
    return _drawn(count, centres.reshape(-1, 2), std, seed)


def _drawn(count, centres, std, seed):
    """Points of the mixture, and its centres."""
    check_integer("count", count, minimum=0)
    check_positive("std", std)
    random = np.random.RandomState(check_seed(seed))
    chosen = centres[random.randint(len(centres), size=count)]
    points = chosen + std * random.normal(size=chosen.shape)
    return points.astype("float32"), centres.astype("float32")
