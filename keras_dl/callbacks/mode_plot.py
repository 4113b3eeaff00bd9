"""Pictures of generated points over the modes they should cover."""

import numpy as np
from keras import ops

from keras_dl.callbacks.epoch_pictures import (
    EpochPictures,
    check_callable,
    write,
)
from keras_dl.callbacks.figures import figure_class
from keras_dl.checks import check_positive

_INCHES = 3.2


class ModePlot(EpochPictures):
    """Draws generated points over the centres of modes during training.

    At the ends of epochs it calls `generate(model)` and writes
    `folder/modes_0001.png` and so on, as `keras_dl.callbacks.draw_modes`
    draws them; when training ends, all of them to `folder/modes.gif`. All
    show the same part of the plane. Numbering, going on with `initial_epoch`
    and writing are those of `keras_dl.callbacks.SampleGrid`.

    Needs matplotlib and Pillow.

    Args:
        generate: Function of the model that returns points `(count, 2)`.
        modes: Array `(modes, 2)`: the centres.
        folder: Name of the folder; it is made.
        every: Number of epochs from one picture to the next.
        gif: Whether to write the GIF.
        real: Points `(count, 2)` of the data, drawn faintly, or `None`.
        std: Standard deviation of a mode, or `None`: a circle of three of it
            is drawn around each centre.
        title: Function of the points that returns a text, such as the number
            of modes found; it is written below the epoch. `None`: nothing.

    Raises:
        ImportError: If matplotlib or Pillow is missing.
        TypeError: If `generate` or `title` is not a function.
        ValueError: If `modes` or `real` are not points, or if an argument is
            not allowed; when a picture is drawn, if what was generated are
            not points.

    Example:

    >>> networks = keras_dl.applications.gan
    >>> gan = keras_dl.training.GAN(
    ...     networks.mlp_generator(8, 2), networks.mlp_discriminator(2)
    ... )
    >>> points, modes = keras_dl.datasets.ring_of_gaussians(64)
    >>> def title(generated):
    ...     metric = keras_dl.metrics.ModeCoverage(modes, std=0.02)
    ...     return f"{metric(generated)['modes']:.0f} of 8 modes"
    >>> plot = ModePlot(
    ...     lambda model: model.generate(100, seed=0), modes, "out", title=title
    ... )
    >>> history = gan.fit(points, epochs=2, callbacks=[plot], verbose=0)
    """

    _stem = "modes"
    _film = "modes.gif"

    def __init__(
        self,
        generate,
        modes,
        folder,
        every=1,
        gif=True,
        real=None,
        std=None,
        title=None,
    ):
        figure_class()
        super().__init__(generate, folder, every, gif)
        self.modes = _points("modes", modes, least=1)
        self.real = None if real is None else _points("real", real)
        self.std = None if std is None else check_positive("std", std)
        self.title = title and check_callable("title", title)

    def draw(self, samples, epoch, path):
        """Draws points into a file."""
        panels = {f"epoch {epoch}": samples}
        draw_modes(panels, self.modes, path, self.real, self.std, self.title)


def draw_modes(samples, modes, path=None, real=None, std=None, title=None):
    """Draws generated points over the centres of modes, a panel for each name.

    All panels show the same part of the plane: that of the modes and the real
    points, and a margin. Points that are not finite are left out.

    Args:
        samples: Dictionary from a panel's name to points `(count, 2)`.
        modes: Array `(modes, 2)`: the centres.
        path: Name of the picture to write, or `None`. Folders are made.
        real: Points `(count, 2)` of the data, drawn faintly, or `None`.
        std: Standard deviation of a mode, or `None`: a circle of three of it
            is drawn around each centre.
        title: Text to write below a panel's name: a function of the points,
            or a dictionary from names to texts, or `None`.

    Returns:
        The `matplotlib.figure.Figure`, which belongs to no window.

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If these are not points, or if an argument is not allowed.

    Example:

    >>> points, modes = keras_dl.datasets.ring_of_gaussians(64)
    >>> panels = {"all": points, "half of them": points[points[:, 0] > 0]}
    >>> figure = draw_modes(panels, modes, "ring.png")
    """
    if not isinstance(samples, dict) or not samples:
        raise ValueError(
            "`samples` must be a dictionary from names to points. "
            f"Received: {type(samples).__name__}."
        )
    samples = {
        name: _points(f"samples[{name!r}]", points)
        for name, points in samples.items()
    }
    modes = _points("modes", modes, least=1)
    real = None if real is None else _finite(_points("real", real))
    std = 0 if std is None else check_positive("std", std)
    figure = figure_class()(
        figsize=(_INCHES * len(samples), _INCHES + 0.5),
        dpi=120,
        layout="constrained",
    )
    panels = figure.subplots(1, len(samples), squeeze=False)[0]
    shown = modes if real is None else np.vstack([modes, real])
    limits = _limits(shown, 3 * std)
    for axes, (name, points) in zip(panels, samples.items(), strict=True):
        _draw_panel(axes, _finite(points), modes, real, std)
        axes.set(xlim=limits[0], ylim=limits[1], aspect="equal")
        axes.set_title(_heading(name, points, title), fontsize=10)
    if path is not None:
        write(path, figure.savefig)
    return figure


def _draw_panel(axes, points, modes, real, std):
    if real is not None:
        axes.scatter(*real.T, s=4, color="0.85", label="real")
    axes.scatter(*points.T, s=4, color="tab:blue", alpha=0.5, label="samples")
    axes.scatter(*modes.T, s=30, marker="+", color="tab:red", label="modes")
    if std:
        from matplotlib.patches import Circle

        for centre in modes:
            axes.add_patch(
                Circle(centre, 3 * std, fill=False, color="tab:red", lw=0.6)
            )
    axes.set_xticks([])
    axes.set_yticks([])


def _heading(name, points, title):
    text = title.get(name) if isinstance(title, dict) else title
    text = text(points) if callable(text) else text
    return name if text is None else f"{name}\n{text}"


def _limits(points, radius):
    """A square around the points: `((left, right), (bottom, top))`."""
    low, high = points.min(axis=0) - radius, points.max(axis=0) + radius
    half = 0.65 * (float((high - low).max()) or 1.0)
    return [(m - half, m + half) for m in (low + high) / 2]


def _finite(points):
    return points[np.isfinite(points).all(axis=1)]


def _points(name, points, least=0):
    points = ops.convert_to_numpy(points).astype("float64")
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < least:
        raise ValueError(
            f"`{name}` must be points of the shape (count, 2). "
            f"Received: shape {points.shape}."
        )
    if least and not np.isfinite(points).all():
        raise ValueError(f"`{name}` must be finite. Received: {points}.")
    return points
