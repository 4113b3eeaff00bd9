"""Images beside and below each other, pixel by pixel, as one picture."""

import math

import numpy as np
from keras import ops

from keras_dl.callbacks.epoch_pictures import pillow, write
from keras_dl.checks import check_integer

_WHITE = 255
_MARGIN = 4


def draw_image_grid(
    images,
    path=None,
    columns=None,
    value_range=(-1, 1),
    zoom=1,
    gap=1,
    headings=None,
    labels=None,
):
    """Draws images in a grid, row by row.

    A value `x` becomes the byte `round(255 (x - low) / (high - low))`. What
    lies beyond the range is cut to it, and NaN is mid-grey, so that a model
    that diverges can be looked at. One pixel of an image is one pixel of the
    picture, or a square of `zoom` by `zoom`: no pixel is mixed with another.

    Args:
        images: Array or tensor `(batch, height, width, channels)` of 1 or 3
            channels, or `(batch, height, width)` of grey images.
        path: Name of the PNG to write, or `None`. Folders are made.
        columns: Number of images beside each other. `None`: as many as make
            the grid about as wide as high.
        value_range: The values drawn black and white: `(low, high)`. It is
            `(0, 255)` for bytes.
        zoom: Width of an image's pixel in pixels of the picture.
        gap: Pixels of white between images, and none around them.
        headings: A text for each column, or `None`. A column gets wider
            where its heading needs the room.
        labels: A text for each row, or `None`. A row gets higher likewise.

    Returns:
        The picture: `uint8` array `(height, width, channels)`.

    Raises:
        ImportError: If there is something to write and Pillow is missing.
        ValueError: If the images have another shape, if there are none, if
            texts and columns or rows are not as many, or if an argument is
            not allowed.

    Example:

    >>> draw_image_grid(np.zeros((6, 28, 28, 1)), columns=3).shape
    (57, 86, 1)
    """
    tiles = image_tiles("images", images, value_range, zoom)
    if columns is None:
        columns = math.ceil(math.sqrt(len(tiles)))
    check_integer("columns", columns, minimum=1)
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    picture = arranged(rows, gap, headings, labels)
    write_pixels(picture, path)
    return picture


def image_tiles(name, images, value_range, zoom):
    """Bytes `(batch, height, width, channels)`, enlarged."""
    check_integer("zoom", zoom, minimum=1)
    images = ops.convert_to_numpy(images)
    grey = images.ndim == 3
    images = images[..., None] if grey else images
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not images.size:
        raise ValueError(
            f"`{name}` must have the shape (batch, height, width, channels), "
            "with 1 or 3 channels, or (batch, height, width), and not be "
            f"empty. Received: shape {images.shape[: 3 if grey else None]}."
        )
    return enlarged(_bytes(images, value_range), zoom)


def enlarged(tiles, zoom):
    """Each pixel of `(..., height, width, channels)` as a square of pixels."""
    return tiles.repeat(zoom, axis=-3).repeat(zoom, axis=-2)


def arranged(rows, gap=1, headings=None, labels=None):
    """One picture of rows of tiles, each `(height, width, channels)`.

    A column is as wide as its widest tile, a row as high as its highest.
    """
    check_integer("gap", gap, minimum=0)
    columns = max(map(len, rows))
    if labels is not None:
        _check_texts("labels", labels, "rows", len(rows))
        rows = [
            [_text(label), *row]
            for label, row in zip(labels, rows, strict=True)
        ]
    if headings is not None:
        _check_texts("headings", headings, "columns", columns)
        corner = [] if labels is None else [np.zeros((0, 0, 1), "uint8")]
        rows = [[*corner, *map(_text, headings)], *rows]
    return _joined(rows, gap)


def write_pixels(picture, path):
    """Writes bytes `(height, width, channels)`, unless `path` is `None`."""
    if path is not None:
        pixels = picture[..., 0] if picture.shape[-1] == 1 else picture
        write(path, pillow().fromarray(pixels).save)


def _bytes(values, value_range):
    low, high = _checked(value_range)
    values = np.clip(values.astype("float64"), low, high)
    scaled = np.rint(255 * ((values - low) / (high - low)))
    return np.nan_to_num(scaled, nan=128).astype("uint8")


def _checked(value_range):
    try:
        low, high = map(float, value_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        raise ValueError(
            "`value_range` must be two numbers, the lower first. "
            f"Received: value_range={value_range!r}."
        )
    return low, high


def _check_texts(name, texts, places, count):
    if isinstance(texts, str) or len(texts) != count:
        raise ValueError(
            f"`{name}` must be a list of {count} texts, as many as there are "
            f"{places}. Received: {name}={texts!r}."
        )


def _joined(rows, gap):
    """The tiles, each in the middle of its cell, on white."""
    widths = [0] * max(map(len, rows))
    for row in rows:
        for column, tile in enumerate(row):
            widths[column] = max(widths[column], tile.shape[1])
    heights = [max(tile.shape[0] for tile in row) for row in rows]
    channels = max(tile.shape[2] for row in rows for tile in row)
    height = sum(heights) + gap * (len(heights) - 1)
    width = sum(widths) + gap * (len(widths) - 1)
    picture = np.full((height, width, channels), _WHITE, "uint8")
    top = 0
    for row, high in zip(rows, heights, strict=True):
        left = 0
        for tile, wide in zip(row, widths, strict=False):
            y = top + (high - tile.shape[0]) // 2
            x = left + (wide - tile.shape[1]) // 2
            picture[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
            left += wide + gap
        top += high + gap
    return picture


def _text(text):
    """A text, black on white, as a grey tile."""
    pillow()
    from PIL import Image, ImageDraw, ImageFont

    text = str(text)
    font = ImageFont.load_default(size=13)
    measure = ImageDraw.Draw(Image.new("L", (1, 1)))
    _, _, right, bottom = measure.textbbox((0, 0), text, font=font)
    # As high as any line, so that texts stand on one line.
    size = math.ceil(right), math.ceil(max(bottom, sum(font.getmetrics())))
    image = Image.new("L", [side + 2 * _MARGIN for side in size], _WHITE)
    draw = ImageDraw.Draw(image)
    draw.text((_MARGIN, _MARGIN), text, fill=0, font=font, align="center")
    return np.asarray(image)[..., None]
