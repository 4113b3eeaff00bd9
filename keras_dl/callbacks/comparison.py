"""Pictures of the same things, made in several ways."""

from keras_dl.callbacks.image_grid import (
    arranged,
    enlarged,
    image_tiles,
    write_pixels,
)
from keras_dl.checks import check_integer


def draw_comparison(
    columns, path=None, value_range=(-1, 1), zoom=1, gap=2, labels=None
):
    """Draws columns of images side by side, each with its name above.

    For super-resolution the low resolution, the enlargement, what the model
    made and the original; for translation what goes in and what comes out.

    Images that are smaller than the largest are enlarged pixel by pixel, by
    the largest whole number that fits, and stand in the middle. So a column
    of low resolution is as large as the others and shows its own pixels.
    Grey images may stand beside coloured ones.

    Args:
        columns: Dictionary from a column's name to its images: arrays or
            tensors `(batch, height, width, channels)`, as
            `keras_dl.callbacks.draw_image_grid` takes them, of one length.
        path: Name of the PNG to write, or `None`. Folders are made.
        value_range: The values drawn black and white: `(low, high)`.
        zoom: Width of a pixel of the largest images in pixels of the picture.
        gap: Pixels of white between images.
        labels: A text for each row, or `None`.

    Returns:
        The picture: `uint8` array `(height, width, channels)`.

    Raises:
        ImportError: If Pillow is missing.
        ValueError: If the columns are not a dictionary of as many images
            each, or if an argument is not allowed.

    Example:

    >>> photos = np.random.uniform(-1, 1, (3, 8, 8, 3))
    >>> columns = {"input": photos, "mirrored": photos[:, :, ::-1]}
    >>> draw_comparison(columns, "pairs.png").shape
    (54, 99, 3)
    """
    if not isinstance(columns, dict) or not columns:
        raise ValueError(
            "`columns` must be a dictionary from names to images. "
            f"Received: {type(columns).__name__}."
        )
    tiles = [
        image_tiles(f"columns[{name!r}]", images, value_range, 1)
        for name, images in columns.items()
    ]
    counts = {name: len(t) for name, t in zip(columns, tiles, strict=True)}
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"`columns` must hold as many images each. Received: {counts}."
        )
    check_integer("zoom", zoom, minimum=1)
    height, width = (max(t.shape[axis] for t in tiles) for axis in (1, 2))
    tiles = [
        enlarged(t, zoom * min(height // t.shape[1], width // t.shape[2]))
        for t in tiles
    ]
    picture = arranged(
        list(zip(*tiles, strict=True)), gap, list(columns), labels
    )
    write_pixels(picture, path)
    return picture
