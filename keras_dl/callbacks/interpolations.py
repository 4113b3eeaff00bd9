"""Walks from one latent point to another, and pictures of them."""

import numpy as np
from keras import ops

from keras_dl.callbacks.epoch_pictures import check_callable
from keras_dl.callbacks.image_grid import draw_image_grid
from keras_dl.checks import check_integer


def slerp(start, end, fraction):
    """Spherical linear interpolation between points.

    `sin((1 - t) a) / sin(a) start + sin(t a) / sin(a) end`, where `t` is the
    fraction and `a` the angle between the two as seen from the origin.

    Gaussian noise of many dimensions lies near a sphere. The middle of a
    straight line between two such points is nearer to the origin than any
    noise that a generator was trained on; on the arc the length is kept.

    Where the angle leaves the arc open, as it is 0 or half a circle, or a
    point is the origin, the line is straight.

    Args:
        start: Array `(..., size)`.
        end: Array of a shape that broadcasts with it.
        fraction: 0 is the start and 1 the end: a number, or an array of a
            shape that broadcasts with that of the points without the last.

    Returns:
        Array `(..., size)` of floats: `float32` where both are.

    Reference:
        Shoemake, "Animating rotation with quaternion curves", 1985; White,
        "Sampling generative networks", 2016. As in the latter, `start` and
        `end` may have different lengths.

    Example:

    >>> slerp([1.0, 0.0], [0.0, 1.0], 0.5)
    array([0.70710678, 0.70710678])
    """
    start, end = map(ops.convert_to_numpy, (start, end))
    kind = np.result_type(start, end)
    kind = kind if np.issubdtype(kind, np.floating) else np.dtype("float64")
    start, end = start.astype("float64"), end.astype("float64")
    t = np.asarray(fraction, "float64")[..., None]
    angle = _angle(start, end)
    sine = np.sin(angle)
    straight = sine < 1e-6
    sine = np.where(straight, 1, sine)
    before = np.where(straight, 1 - t, np.sin((1 - t) * angle) / sine)
    after = np.where(straight, t, np.sin(t * angle) / sine)
    return (before * start + after * end).astype(kind)


def draw_interpolations(
    generate,
    starts,
    ends,
    steps=8,
    path=None,
    spherical=True,
    value_range=(-1, 1),
    zoom=1,
    gap=1,
):
    """Draws what a generator makes of the points between two of its inputs.

    Each row is a walk: the image of the start on the left, that of the end on
    the right, and equal steps between. Images that change smoothly, and look
    right on the way, are a sign that the generator has not only learnt
    examples by heart.

    Args:
        generate: Function of points `(pairs * steps, ...)`, row by row, that
            returns their images `(pairs * steps, height, width, channels)`.
            It is called once.
        starts: Array `(pairs, ...)` of latent points.
        ends: Array of the same shape.
        steps: Number of images in a row, with both ends.
        path: Name of the PNG to write, or `None`. Folders are made.
        spherical: Whether to walk on an arc, by `keras_dl.callbacks.slerp`
            over all numbers of a point, or straight.
        value_range: The values drawn black and white: `(low, high)`.
        zoom: Width of an image's pixel in pixels of the picture.
        gap: Pixels of white between images.

    Returns:
        The picture: `uint8` array `(height, width, channels)`.

    Raises:
        ImportError: If there is something to write and Pillow is missing.
        TypeError: If `generate` is not a function.
        ValueError: If starts and ends differ in shape, if there are not as
            many images as points, or if an argument is not allowed.

    Example:

    >>> gan = keras_dl.applications.DCGAN((8, 8, 1), latent_dim=8, base=4)
    >>> noise = gan.sample_noise(4, seed=0)
    >>> draw_interpolations(
    ...     lambda points: gan.generate(noise=points),
    ...     noise[:2], noise[2:], steps=5, path="walks.png",
    ... ).shape
    (17, 44, 1)
    """
    check_callable("generate", generate)
    check_integer("steps", steps, minimum=2)
    starts, ends = map(ops.convert_to_numpy, (starts, ends))
    if starts.shape != ends.shape or starts.ndim < 2 or not starts.size:
        raise ValueError(
            "`starts` and `ends` must have one shape (pairs, ...), and not be "
            f"empty. Received: shapes {starts.shape} and {ends.shape}."
        )
    pairs, *shape = starts.shape
    walk = slerp if spherical else _lerp
    first, last = (x.reshape(pairs, 1, -1) for x in (starts, ends))
    points = walk(first, last, np.linspace(0, 1, steps))
    images = generate(points.reshape(pairs * steps, *shape))
    if len(images) != pairs * steps:
        raise ValueError(
            f"`generate` must return an image for each of {pairs * steps} "
            f"points. Received: {len(images)}."
        )
    return draw_image_grid(images, path, steps, value_range, zoom, gap)


def _lerp(start, end, fraction):
    t = fraction[:, None].astype(np.result_type(start, end, "float32"))
    return (1 - t) * start + t * end


def _angle(start, end):
    """The angle; near half a circle a cosine would not tell it well."""
    start, end = (
        x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-300)
        for x in (start, end)
    )
    apart = np.linalg.norm(start - end, axis=-1, keepdims=True)
    together = np.linalg.norm(start + end, axis=-1, keepdims=True)
    angle = 2 * np.arctan2(apart, together)
    # The origin has no direction.
    nowhere = [(x == 0).all(-1, keepdims=True) for x in (start, end)]
    return np.where(nowhere[0] | nowhere[1], 0, angle)
