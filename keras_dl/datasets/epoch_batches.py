"""What is cut into batches in an order that an epoch has."""

import keras

from keras_dl.checks import check_integer, check_seed


class EpochBatches(keras.utils.PyDataset):
    """The base of batches of arrays; a subclass gives orders and batches.

    Args:
        num_examples: Number of examples in an epoch.
        batch_size, shuffle, seed, drop_remainder: As for `Batches`.
        found: What there is, for the error if there is not a single batch.
    """

    def __init__(
        self, num_examples, batch_size, shuffle, seed, drop_remainder, found
    ):
        super().__init__()
        self.num_examples = num_examples
        self.batch_size = check_integer("batch_size", batch_size, minimum=1)
        self.shuffle = shuffle
        self.seed = check_seed(seed)
        self.drop_remainder = drop_remainder
        if not self.num_batches:
            raise ValueError(
                f"There is not a single batch: there are {found} examples. "
                f"Received: batch_size={batch_size}, "
                f"drop_remainder={drop_remainder}."
            )
        self.epoch = 0

    @property
    def epoch(self):
        return self._epoch

    @epoch.setter
    def epoch(self, epoch):
        self._epoch = check_integer("epoch", epoch, minimum=0)
        self._set_order()

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
        return self._batch(slice(start, start + self.batch_size))

    def on_epoch_end(self):
        """Goes on to the order of the next epoch."""
        self.epoch += 1

    def _set_order(self):
        """Chooses the order of `epoch`, by `(seed, epoch)` alone."""
        raise NotImplementedError

    def _batch(self, places):
        """What stands in these places, a slice, of the order."""
        raise NotImplementedError


def taken(data, places):
    """Examples of a structure of arrays; pixels become `float32`."""
    return keras.tree.map_structure(lambda a: _as_input(a[places]), data)


def _as_input(array):
    return array.astype("float32") if array.dtype == "uint8" else array
