"""Batches of two sets of images, of different sizes, without pairs."""

import keras
import numpy as np

from keras_dl.checks import check_integer, check_seed
from keras_dl.datasets.arrays import as_arrays, check_aligned
from keras_dl.datasets.batches import as_input


class UnpairedBatches(keras.utils.PyDataset):
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
        super().__init__()
        self.first = as_arrays("first", first)
        self.second = as_arrays("second", second)
        self.batch_size = check_integer("batch_size", batch_size, minimum=1)
        self.shuffle = shuffle
        self.seed = check_seed(seed)
        self.drop_remainder = drop_remainder
        self._sizes = (
            check_aligned(first=self.first),
            check_aligned(second=self.second),
        )
        if not min(self._sizes) or not self.num_batches:
            raise ValueError(
                "There is not a single batch: there are "
                f"{self._sizes[0]} and {self._sizes[1]} examples. Received: "
                f"batch_size={batch_size}, drop_remainder={drop_remainder}."
            )
        self.epoch = 0

    @property
    def num_examples(self):
        """Number of examples of each set in an epoch."""
        return max(self._sizes)

    @property
    def epoch(self):
        return self._epoch

    @epoch.setter
    def epoch(self, epoch):
        self._epoch = check_integer("epoch", epoch, minimum=0)
        self._orders = [self._order(i) for i in range(2)]

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
        return tuple(
            keras.tree.map_structure(
                lambda a, order=order: as_input(
                    a[order[start : start + self.batch_size]]
                ),
                data,
            )
            for data, order in zip(
                (self.first, self.second), self._orders, strict=True
            )
        )

    def on_epoch_end(self):
        """Goes on to the order of the next epoch."""
        self.epoch += 1

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
