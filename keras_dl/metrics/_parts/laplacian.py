"""Laplacian pyramids of images, with NumPy."""

import numpy as np

_KERNEL = np.array([1, 4, 6, 4, 1], "float32") / 16


def laplacian_pyramid(images, levels):
    """Splits images into what each size of detail adds.

    Level l is what is lost if the image of level l is made smaller; the last
    level is the rest.

    Args:
        images: Float array of shape `(count, height, width, channels)`.
        levels: Number of levels, at least 1.

    Returns:
        A list of arrays, each of half the sides of the one before, rounded up.
    """
    pyramid = []
    for _ in range(levels - 1):
        smaller = _blurred(images)[:, ::2, ::2]
        pyramid.append(images - enlarged(smaller, images.shape))
        images = smaller
    return [*pyramid, images]


def enlarged(images, shape):
    """Images of twice the sides, or of one pixel less where these are odd."""
    spread = np.zeros(shape, images.dtype)
    spread[:, ::2, ::2] = images
    return 4 * _blurred(spread)


def _blurred(images):
    """Under a binomial window; beyond a border, images are reflected."""
    reach = len(_KERNEL) // 2
    for axis in (1, 2):
        width = [(0, 0)] * images.ndim
        width[axis] = (reach, reach)
        number = images.shape[axis]
        padded = np.moveaxis(np.pad(images, width, "reflect"), axis, 0)
        blurred = sum(
            weight * padded[i : i + number] for i, weight in enumerate(_KERNEL)
        )
        images = np.moveaxis(blurred, 0, axis)
    return images
