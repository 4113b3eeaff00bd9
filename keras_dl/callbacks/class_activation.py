"""Pictures of where in an image the evidence for a class is."""

import numpy as np
from keras import ops

from keras_dl.callbacks.figures import figure_class, save


def draw_class_activation(images, maps, path=None, titles=None):
    """Draws images, and below each its map, laid over it.

    Args:
        images: Array or tensor `(batch, height, width, channels)` of 1 or 3
            channels. Its smallest value is drawn black, its largest white.
        maps: Array or tensor `(batch, height, width)` of numbers of 0 to 1,
            such as `keras_dl.applications.VGG16.class_activation` gives.
        path: Name of the PNG to write, or `None`.
        titles: A text for each image, or `None`.

    Returns:
        The `matplotlib.figure.Figure`, which belongs to no window.

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If images and maps do not fit together.

    Example:

    >>> model = keras_dl.applications.VGG16(10, dense_units=(), base=4)
    >>> images = np.random.uniform(size=(2, 32, 32, 3))
    >>> maps = model.class_activation(images)
    >>> figure = draw_class_activation(images, maps, "maps.png")
    """
    images, maps = map(ops.convert_to_numpy, (images, maps))
    if images.ndim != 4 or images.shape[:3] != maps.shape:
        raise ValueError(
            "`images` must have the shape (batch, height, width, channels), "
            "and `maps` (batch, height, width). Received: shapes "
            f"{images.shape} and {maps.shape}."
        )
    images = images.astype("float32")
    images = (images - images.min()) / max(float(np.ptp(images)), 1e-12)
    titles = [""] * len(images) if titles is None else titles
    figure = figure_class()(
        figsize=(1.6 * len(images), 3.6), dpi=120, layout="constrained"
    )
    columns = figure.subplots(2, len(images), squeeze=False).T
    for (above, below), image, one, title in zip(
        columns, images, maps, titles, strict=True
    ):
        for axes in (above, below):
            axes.imshow(image, cmap="gray", vmin=0, vmax=1)
            axes.set_axis_off()
        below.imshow(one, cmap="inferno", vmin=0, vmax=1, alpha=0.6)
        above.set_title(title, fontsize=8)
    save(figure, path)
    return figure
