"""Batches of two sets of images, of different sizes, without pairs."""

import numpy as np

from keras_dl.datasets.arrays import as_arrays, check_aligned
from keras_dl.datasets.epoch_batches import EpochBatches, taken


class UnpairedBatches(EpochBatches):
    """Cuts two sets into batches of as many of each, such as for `CycleGAN`.

    Each item is `(first, second)`. An epoch is as long as the larger set, of
    which it has each example once; the smaller one is read again from its
    beginning when it ends, so that its examples come `n / m` times, up to one.
    Pixels (`uint8`) become `float32`, batch by batch; nothing is scaled.

    **Order.** With `shuffle=True` both sets are permuted anew in each epoch,
    each for itself, and the smaller one in each pass: which example meets which
    is left to chance. The orders depend on `(seed, epoch)` alone. For exact
    repetition, and to resume, see `Batches`.

    Args:
        first: Array, or dict, tuple or list of arrays, with the examples along
            the first axis; or what `Batches` takes.
        second: Likewise; its length may be another.
        batch_size: Integer of at least 1: examples of each set.
        shuffle: Whether to permute both sets in each epoch.
        seed: Integer from 0 to 2**32 - 1: where the permutations come from.
        drop_remainder: Whether to leave out a last, smaller batch.

    Attributes:
        epoch: Number of the order that is read now. `on_epoch_end()` adds one;
            it may also be set.

    Raises:
        ValueError: If an argument is out of range, a set is empty, or there is
            not a single batch.
        TypeError: If a set is nothing of the kind, such as a generator.

    Example:

    >>> horses, zebras = np.zeros((3, 8, 8, 3)), np.zeros((5, 8, 8, 3))
    >>> batches = UnpairedBatches(horses, zebras, batch_size=2)
    >>> [(len(a), len(b)) for a, b in batches]
    [(2, 2), (2, 2), (1, 1)]
    """

    def __init__(
        self,
        first,
        second,
        batch_size=1,
        shuffle=True,
        seed=0,
        drop_remainder=False,
    ):
        self.first = as_arrays("first", first)
        self.second = as_arrays("second", second)
        self._sizes = (
            check_aligned(first=self.first),
            check_aligned(second=self.second),
        )
        super().__init__(
            # Of an empty set there is no batch.
            max(self._sizes) if min(self._sizes) else 0,
            batch_size,
            shuffle,
            seed,
            drop_remainder,
            found=f"{self._sizes[0]} and {self._sizes[1]}",
        )

    def _set_order(self):
        self._orders = [self._order(i) for i in range(2)]

    def _order(self, which):
        """Positions in one set, of as many examples as the larger one has."""
        size, count = self._sizes[which], self.num_examples
        if not self.shuffle:
            return np.arange(count) % size
        # As in `Batches`: the stream of RandomState stays the same.
        generator = np.random.RandomState([self.seed, self.epoch, which])
        passes = -(-count // size)
        orders = [generator.permutation(size) for _ in range(passes)]
        return np.concatenate(orders)[:count]

    def _batch(self, places):
        sets = zip((self.first, self.second), self._orders, strict=True)
        return tuple(taken(data, order[places]) for data, order in sets)
