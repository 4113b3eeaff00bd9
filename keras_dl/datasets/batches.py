"""Batches of arrays for `fit`, `evaluate` and `predict`."""

import numpy as np

from keras_dl.datasets.arrays import as_arrays, check_aligned
from keras_dl.datasets.epoch_batches import EpochBatches, taken


class Batches(EpochBatches):
    """Cuts arrays that lie in memory into batches, shuffled if you wish.

    Each item is `(x, y)`, or `(x,)` where there are no targets; all three
    backends take them. Pixels (`uint8`) become `float32` here, batch by batch,
    so that images stay small in memory; nothing is scaled.

    **Order.** With `shuffle=True` the examples are permuted anew in each epoch,
    and the permutation depends on `(seed, epoch)` alone. Keras ends one epoch
    before the first, while it builds the model, so the epochs of `fit` read
    the orders 1, 2, 3, ... Two remarks for exact repetition:

    - `fit(shuffle=True)`, the default of Keras, permutes the *order of the
      batches* a second time with Python's global `random`. Seed that with
      `keras.utils.set_random_seed`, or pass `fit(..., shuffle=False)`.
    - To resume after `n` finished epochs, set `batches.epoch = n` and call
      `fit(..., initial_epoch=n, shuffle=False)`: it reads on as if it had
      never stopped.

    Args:
        x: Array, or dict, tuple or list of arrays, with the examples along the
            first axis. Tensors, lists of equal rows and pandas' `DataFrame`s
            and `Series` become arrays; the latter are read by position, so
            that shuffled ones stay together with their targets.
        y: Targets, likewise, or `None`.
        batch_size: Integer of at least 1.
        shuffle: Whether to permute the examples in each epoch.
        seed: Integer from 0 to 2**32 - 1: where the permutations come from.
        drop_remainder: Whether to leave out a last, smaller batch.

    Attributes:
        epoch: Number of the order that is read now. `on_epoch_end()` adds one;
            it may also be set.

    Raises:
        ValueError: If `batch_size` or `seed` is out of range, `x` and `y` have
            not as many examples, or there is not a single batch.
        TypeError: If `x` or `y` is nothing of the kind, such as a generator.

    Example:

    >>> x, y = np.arange(10.0).reshape(5, 2), np.arange(5)
    >>> batches = Batches(x, y, batch_size=2)
    >>> [len(targets) for _, targets in batches]
    [2, 2, 1]
    """

    def __init__(
        self,
        x,
        y=None,
        batch_size=32,
        shuffle=False,
        seed=0,
        drop_remainder=False,
    ):
        self.x = as_arrays("x", x)
        self.y = None if y is None else as_arrays("y", y)
        number = check_aligned(x=self.x, y=self.y)
        super().__init__(
            number, batch_size, shuffle, seed, drop_remainder, found=number
        )

    def _set_order(self):
        self._order = None
        if self.shuffle:
            # RandomState, not default_rng: NumPy promises that its stream
            # stays the same in every version and on every platform.
            generator = np.random.RandomState([self.seed, self.epoch])
            self._order = generator.permutation(self.num_examples)

    def _batch(self, places):
        if self._order is not None:
            places = self._order[places]
        batch = (self.x,) if self.y is None else (self.x, self.y)
        return taken(batch, places)
