"""Distance of two sets of samples, by their projections onto lines."""

import math

import numpy as np
from keras import ops

from keras_dl.checks import check_integer, check_seed
from keras_dl.metrics._parts.laplacian import laplacian_pyramid

# How many lines or images are worked on at a time.
_AT_ONCE = 32


def sliced_wasserstein(real, fake, projections=128, seed=0):
    """Sliced Wasserstein distance of two sets of samples.

        mean over t of W_1({t . x}, {t . y}),   |t| = 1 uniform,
        W_1(u, v) = int_0^1 |F_u^-1(q) - F_v^-1(q)| dq

    with the inverses F^-1 of the empirical distribution functions: on a line,
    the nearest way to move one set onto the other keeps the order. A shift by
    s has the distance |s| E|t_1|, which is 2 |s| / pi in the plane.

    Computed with NumPy, outside of any backend, in float32 if both are in it
    and else in float64. For images see `sliced_wasserstein_pyramid`.

    Args:
        real: Array of shape `(count, ...)`; all but the first axis are one
            vector.
        fake: Array of the same shape, but for the count.
        projections: Number of random directions t.
        seed: Integer; where the directions come from.

    Returns:
        A float, in the units of the samples.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example:

    >>> points, _ = keras_dl.datasets.ring_of_gaussians(1000)
    >>> sliced_wasserstein(points, points + [3.0, 4.0], projections=10000)
    3.19

    Reference:
        Rabin, Peyre, Delon and Bernot, "Wasserstein Barycenter and its
        Application to Texture Mixing", 2011.

    Where it differs: that paper takes squares (W_2); W_1 is what Karras, Aila,
    Laine and Lehtinen, "Progressive Growing of GANs", compute.
    """
    real, fake = _samples("real", real), _samples("fake", fake)
    if real.shape[1:] != fake.shape[1:]:
        raise ValueError(
            "`real` and `fake` must have the same shape, but for the number of "
            f"samples. Received: real.shape={real.shape}, "
            f"fake.shape={fake.shape}."
        )
    check_integer("projections", projections, minimum=1)
    random = np.random.RandomState(check_seed(seed))
    return _distance(_rows(real), _rows(fake), projections, random)


def sliced_wasserstein_pyramid(
    real, fake, patches=128, size=7, projections=512, smallest=16, seed=0
):
    """Sliced Wasserstein distances of images, for each size of detail.

        1000 SW(patches of level l of real, patches of level l of fake)

    The images are split into the levels of a Laplacian pyramid, each of half
    the side of the one before. Of each level patches are cut out at random
    places, and for each set normalized to mean 0 and standard deviation 1 in
    each channel. A large distance at the first level tells wrong details, at
    the last level wrong large shapes. Because of the normalization, wrong
    brightness, colour or contrast of all images alike is not seen.

    Even two sets of real images have a distance, which falls with their
    number: give as many of both, and report that of real images beside. The
    paper takes 8192.

    Computed with NumPy, outside of any backend, in float32.

    Args:
        real: Images of shape `(count, height, width, channels)`.
        fake: Images of the same shape, but for the count.
        patches: Number of patches cut out of each image, at each level.
        size: Side of a patch, an odd number of pixels.
        projections: Number of random directions.
        smallest: The last level is the last one whose shorter side has at
            least so many pixels.
        seed: Integer; where places and directions come from.

    Returns:
        A dictionary of floats: the distance times 1000 by the shorter side of
        a level, such as `"32"` and `"16"`, and their mean as `"average"`.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example: a chessboard over all images is a wrong detail.

    >>> real = np.random.RandomState(0).normal(size=(8, 32, 32, 1))
    >>> fake = real + np.indices((32, 32, 1)).sum(axis=0) % 2
    >>> distances = sliced_wasserstein_pyramid(real, fake, projections=64)
    >>> {side: round(distance) for side, distance in distances.items()}
    {'32': 116, '16': 54, 'average': 85}

    Reference:
        Karras, Aila, Laine and Lehtinen, "Progressive Growing of GANs for
        Improved Quality, Stability, and Variation", ICLR 2018. Burt and
        Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983.

    Where it differs from the code of that paper: images need not be square,
    nor their sides powers of 2; a patch may touch every border; and both sets
    may differ in number.
    """
    real, fake = _samples("real", real), _samples("fake", fake)
    if real.ndim != 4 or real.shape[1:] != fake.shape[1:]:
        raise ValueError(
            "`real` and `fake` must be images of the same shape `(count, "
            f"height, width, channels)`. Received: real.shape={real.shape}, "
            f"fake.shape={fake.shape}."
        )
    check_integer("patches", patches, minimum=1)
    check_integer("projections", projections, minimum=1)
    sides = _sides(min(real.shape[1:3]), size, smallest)
    random = np.random.RandomState(check_seed(seed))
    cut = [
        _patches_of_levels(images, len(sides), patches, size, random)
        for images in (real, fake)
    ]
    distances = {
        str(side): 1000 * _distance(*pair, projections, random)
        for side, *pair in zip(sides, *cut, strict=True)
    }
    average = sum(distances.values()) / len(distances)
    return {**distances, "average": average}


def _distance(real, fake, projections, random):
    """Mean distance of two matrices along random directions."""
    directions = random.normal(size=(real.shape[1], projections))
    directions /= np.linalg.norm(directions, axis=0)
    directions = directions.astype(real.dtype)
    total = 0.0
    for start in range(0, projections, _AT_ONCE):
        some = directions[:, start : start + _AT_ONCE]
        total += _distances_on_lines(real @ some, fake @ some).sum()
    return float(total / projections)


def _distances_on_lines(real, fake):
    """W_1 of each column of two matrices, in float64."""
    real, fake = np.sort(real, axis=0), np.sort(fake, axis=0)
    m, n = len(real), len(fake)
    # Where one of the two step functions steps, in units of 1 / (m n).
    ends = np.union1d(np.arange(1, m + 1) * n, np.arange(1, n + 1) * m)
    widths = np.diff(ends, prepend=0) / (m * n)
    apart = real[(ends - 1) // n] - fake[(ends - 1) // m]
    return widths @ np.abs(apart)


def _patches_of_levels(images, levels, number, size, random):
    """Normalized patches as rows, a matrix for each level of the pyramid."""
    found = [[] for _ in range(levels)]
    for start in range(0, len(images), _AT_ONCE):
        some = images[start : start + _AT_ONCE].astype("float32")
        pyramid = laplacian_pyramid(some, levels)
        for patches, level in zip(found, pyramid, strict=True):
            patches.append(_patches(level, number, size, random))
    return [_rows(_normalized(np.concatenate(each))) for each in found]


def _patches(images, number, size, random):
    """Patches of shape `(images * number, size, size, channels)`."""
    count, height, width, _ = images.shape
    shape = (count * number, 1, 1)
    tops = random.randint(height - size + 1, size=shape)
    lefts = random.randint(width - size + 1, size=shape)
    which = np.repeat(np.arange(count), number).reshape(shape)
    inside = np.arange(size)
    return images[which, tops + inside[:, None], lefts + inside]


def _normalized(patches):
    """Mean 0 and standard deviation 1 in each channel."""
    axes = (0, 1, 2)
    patches = patches - patches.mean(axes, "float64").astype("float32")
    deviation = patches.std(axes, "float64").astype("float32")
    return patches / np.where(deviation > 0, deviation, 1)


def _sides(side, size, smallest):
    """The shorter side of each level of the pyramid."""
    if check_integer("size", size, minimum=1) % 2 == 0:
        raise ValueError(f"`size` must be odd. Received: size={size}.")
    check_integer("smallest", smallest, minimum=size)
    if side < smallest:
        raise ValueError(
            "`real` and `fake` must have sides of at least `smallest` pixels. "
            f"Received: a side of {side}, smallest={smallest}."
        )
    sides = []
    while side >= smallest:
        sides.append(side)
        if side == 1:
            break
        side = math.ceil(side / 2)
    return sides


def _samples(name, samples):
    samples = np.asarray(ops.convert_to_numpy(samples))
    if samples.dtype.name in ("float16", "bfloat16"):
        samples = samples.astype("float32")
    if samples.ndim < 2 or not samples.size:
        raise ValueError(
            f"`{name}` must hold samples along its first axis, at least one. "
            f"Received: {name}.shape={samples.shape}."
        )
    return samples


def _rows(samples):
    """Each sample as a row, in float32 or float64."""
    dtype = np.result_type(samples.dtype, "float32")
    return samples.reshape(len(samples), -1).astype(dtype)
