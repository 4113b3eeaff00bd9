"""Pictures of losses over the epochs."""

import keras

from keras_dl.callbacks.epoch_pictures import write
from keras_dl.callbacks.figures import figure_class


def draw_losses(history, path=None, names=None):
    """Draws how losses went, epoch by epoch, in one picture.

    For two networks that play against each other it is the balance of the
    two that tells: neither need fall.

    Args:
        history: The `keras.callbacks.History` that `fit` returns, or its
            dictionary from names to lists of numbers, one for each epoch.
        path: Name of the picture to write, or `None`. Folders are made.
        names: Names of the logs to draw, or a dictionary from these names to
            what they are called in the picture. `None`: all that have `loss`
            in their name and a number for each epoch.

    Returns:
        The `matplotlib.figure.Figure`, which belongs to no window.

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If a name is not among the logs that have a number for
            each epoch, or if there is none.

    Example:

    >>> history = {"g_loss": [0.7, 0.9], "d_loss": [1.4, 1.2]}  # Or of `fit`.
    >>> figure = draw_losses(history, "losses.png", ["g_loss", "d_loss"])
    """
    logs, epochs = _by_epoch(history)
    if names is None:
        names = [name for name in logs if "loss" in name]
    labels = names if isinstance(names, dict) else {n: n for n in names}
    if not labels or not set(labels) <= set(logs):
        raise ValueError(
            f"`names` must be names of logs of each epoch: {sorted(logs)}. "
            f"Received: names={names!r}."
        )
    figure = figure_class()(figsize=(6, 3.6), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, label in labels.items():
        # A single epoch would be a line that cannot be seen.
        marker = "o" if len(epochs) == 1 else None
        axes.plot(epochs, logs[name], marker=marker, label=label)
    axes.set(xlabel="epoch", ylabel="loss")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()
    if path is not None:
        write(path, figure.savefig)
    return figure


def _by_epoch(history):
    """The logs that have a number for each epoch, and the epochs."""
    if isinstance(history, keras.callbacks.History):
        # They may go on from those of an earlier `fit`.
        logs, epochs = history.history, [step + 1 for step in history.epoch]
    else:
        logs = history
        longest = max(map(len, logs.values()), default=0)
        epochs = list(range(1, longest + 1))
    logs = {
        name: [float(value) for value in values]
        for name, values in logs.items()
        if len(values) == len(epochs)
    }
    return logs, epochs
