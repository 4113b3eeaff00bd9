"""Batches of windows of one long text, for language models."""

import keras
import numpy as np

from keras_dl.checks import check_int32, check_integer
from keras_dl.datasets import Batches


class LanguageModelBatches(Batches):
    """Windows of a long sequence of ids, with the next id as the target.

        x = ids[t : t + length],  y = ids[t + 1 : t + length + 1]

    The windows begin at `t = 0, stride, 2 * stride, ...`; with the default
    `stride=length` each id is predicted once. What is left at the end, shorter
    than a window, is passed over, so that all windows have one shape.

    **Stateful.** With `stateful=True` the ids are cut into `batch_size` equal
    parts, and row `i` of a batch goes on where row `i` of the batch before
    ended: for recurrent layers with `stateful=True`, which keep their state
    from batch to batch. All batches have `batch_size` rows. Call
    `fit(shuffle=False)`, or Keras permutes the batches, and reset the states
    at the beginning of each epoch.

    **Shapes.** `x` and `y` are `int32`, `(batch_size, length)`. For orders,
    epochs and resuming see `keras_dl.datasets.Batches`.

    Args:
        ids: Array or list of integers.
        length: Number of ids in a window.
        batch_size: Number of windows in a batch.
        shuffle: Whether to permute the windows in each epoch.
        seed: Integer from 0 to 2**32 - 1: where the permutations come from.
        stateful: Whether a row continues the same row of the batch before.
        stride: Distance between the beginnings of windows. `None`: `length`.
        drop_remainder: Whether to leave out a last, smaller batch.

    Raises:
        ValueError: If an argument is out of range, if there are too few ids,
            or if `stateful` comes together with `shuffle` or `stride`.

    Example:

    >>> batches = LanguageModelBatches(range(9), length=2, batch_size=2)
    >>> x, y = batches[0]
    >>> x.tolist(), y.tolist()
    ([[0, 1], [2, 3]], [[1, 2], [3, 4]])
    >>> stateful = LanguageModelBatches(range(9), 2, 2, stateful=True)
    >>> [x.tolist() for x, _ in stateful]
    [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]
    """

    def __init__(
        self,
        ids,
        length,
        batch_size=32,
        shuffle=False,
        seed=0,
        stateful=False,
        stride=None,
        drop_remainder=False,
    ):
        ids = check_long_sequence("ids", ids)
        check_integer("length", length, minimum=1)
        check_integer("batch_size", batch_size, minimum=1)
        self.length = length
        self.stateful = stateful
        if stateful:
            _refuse_with_stateful(shuffle, stride)
            _check_enough(ids, 1 + length * batch_size)
            starts = _stateful_starts(len(ids), length, batch_size)
        else:
            stride = length if stride is None else stride
            check_integer("stride", stride, minimum=1)
            _check_enough(ids, 1 + length)
            starts = np.arange(0, len(ids) - length, stride)
        self._ids = ids
        super().__init__(
            starts,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            drop_remainder=drop_remainder,
        )

    def __getitem__(self, index):
        """The batch at position `index` of this epoch."""
        (starts,) = super().__getitem__(index)
        places = starts[:, None] + np.arange(self.length)
        return self._ids[places], self._ids[places + 1]


def check_long_sequence(name, ids):
    """Returns ids as an `int32` array of one dimension."""
    if hasattr(ids, "shape"):
        ids = keras.ops.convert_to_numpy(ids)
    array = np.asarray(ids)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must be integers in one dimension. Received: shape "
            f"{array.shape}, dtype {array.dtype}."
        )
    return check_int32(name, array)


def _stateful_starts(num_ids, length, batch_size):
    """Where windows begin, batch after batch, in an order for statefulness."""
    num_batches = (num_ids - 1) // (batch_size * length)
    rows = np.arange(batch_size) * (num_batches * length)
    batches = np.arange(num_batches) * length
    return (batches[:, None] + rows).reshape(-1)


def _refuse_with_stateful(shuffle, stride):
    if shuffle or stride is not None:
        raise ValueError(
            "`stateful=True` needs shuffle=False and stride=None: rows could "
            "not go on where they ended. Received: "
            f"shuffle={shuffle}, stride={stride}."
        )


def _check_enough(ids, least):
    if len(ids) < least:
        raise ValueError(
            f"`ids` must be at least {least}, for one batch or window of this "
            f"`length`. Received: {len(ids)} ids."
        )
