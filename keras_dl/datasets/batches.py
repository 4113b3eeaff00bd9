"""Batches of arrays for `fit`, `evaluate` and `predict`."""

import keras
import numpy as np

from keras_dl.checks import check_integer, check_seed
from keras_dl.datasets.arrays import as_arrays, check_aligned


class Batches(keras.utils.PyDataset):
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
        super().__init__()
        self.x = as_arrays("x", x)
        self.y = None if y is None else as_arrays("y", y)
        self.batch_size = check_integer("batch_size", batch_size, minimum=1)
        self.shuffle = shuffle
        self.seed = check_seed(seed)
        self.drop_remainder = drop_remainder
        self.num_examples = check_aligned(x=self.x, y=self.y)
        if not self.num_batches:
            raise ValueError(
                "There is not a single batch: there are "
                f"{self.num_examples} examples. Received: "
                f"batch_size={batch_size}, drop_remainder={drop_remainder}."
            )
        self.epoch = 0

    @property
    def epoch(self):
        return self._epoch

    @epoch.setter
    def epoch(self, epoch):
        self._epoch = check_integer("epoch", epoch, minimum=0)
        self._order = self._permutation() if self.shuffle else None

    @property
    def num_batches(self):
        """Number of batches in an epoch."""
        whole, rest = divmod(self.num_examples, self.batch_size)
        return whole + (rest > 0 and not self.drop_remainder)

    def __len__(self):
        return self.num_batches

    def __getitem__(self, index):
        """The batch at position `index` of this epoch."""
        if not 0 <= index < self.num_batches:
            raise IndexError(
                f"`index` must be from 0 to {self.num_batches - 1}. "
                f"Received: index={index}."
            )
        start = index * self.batch_size
        chosen = slice(start, start + self.batch_size)
        if self._order is not None:
            chosen = self._order[chosen]
        batch = (self.x,) if self.y is None else (self.x, self.y)
        return keras.tree.map_structure(lambda a: as_input(a[chosen]), batch)

    def on_epoch_end(self):
        """Goes on to the order of the next epoch."""
        self.epoch += 1

    def _permutation(self):
        # RandomState, not default_rng: NumPy promises that its stream stays
        # the same in every version and on every platform.
        generator = np.random.RandomState([self.seed, self.epoch])
        return generator.permutation(self.num_examples)


def as_input(array):
    return array.astype("float32") if array.dtype == "uint8" else array
