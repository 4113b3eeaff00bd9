"""What all pictures need: matplotlib, without a window, and a file."""

import pathlib


def figure_class():
    """`matplotlib.figure.Figure`, or an error that says what to install."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Pictures need matplotlib, which is not installed: "
            'pip install "keras_dl[plots]".'
        ) from error
    return Figure


def save(figure, path):
    """Writes the picture, unless `path` is `None`; folders are made."""
    if path is not None:
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
