"""The order of shuffled batches, tied to the epoch."""

import keras


class EpochOrder(keras.callbacks.Callback):
    """Lets shuffled batches follow the epoch number of `fit`.

    `keras_dl.datasets.Batches` draws the order of epoch `e` from
    `(seed, e)` alone, but counts epochs by itself, from 0 in each process.
    With this callback a training that was interrupted, and goes on by
    `keras.callbacks.BackupAndRestore` or `initial_epoch`, reads the very
    batches that it would have read.

    Args:
        batches: An object with a settable attribute `epoch`.

    Raises:
        TypeError: If `batches` has no such attribute.

    Example: pass `shuffle=False`, as the batches shuffle by themselves.

    >>> batches = keras_dl.datasets.Batches(
    ...     np.ones((8, 3)), np.ones((8, 1)), batch_size=4, shuffle=True
    ... )
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> backup = keras.callbacks.BackupAndRestore("backup")
    >>> history = model.fit(
    ...     batches,
    ...     epochs=3,
    ...     shuffle=False,
    ...     callbacks=[backup, EpochOrder(batches)],
    ...     verbose=0,
    ... )
    """

    def __init__(self, batches):
        super().__init__()
        if not hasattr(batches, "epoch"):
            raise TypeError(
                "`batches` must have a settable attribute `epoch`, as "
                f"`keras_dl.datasets.Batches` has. Received: {batches!r}"
            )
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.epoch = epoch
