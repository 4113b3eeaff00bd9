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

    ```python
    batches = data.train.batches(32, shuffle=True)
    model.fit(
        batches,
        epochs=10,
        shuffle=False,
        callbacks=[BackupAndRestore("backup"), EpochOrder(batches)],
    )
    ```
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
