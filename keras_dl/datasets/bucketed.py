"""Batches of sequences of similar length."""

import keras
import numpy as np

from keras_dl.checks import INT32, check_int32, check_integer, check_seed


class BucketedBatches(keras.utils.PyDataset):
    """Cuts sequences of integers into batches of similar length, padded.

    Each example goes into the first bucket that it fits in, and is padded to
    the length of that bucket. So a batch holds little padding, and a compiled
    backend sees few shapes: at most two for each bucket (the last batch of a
    bucket may be smaller), or one with `drop_remainder=True`.

    **Structure.** An item is `(x, y)`, or `(x,)` where there are no targets.
    `x` and `y` are each a list of sequences, or a tuple or dict of such lists,
    aligned: example `i` has the `i`-th of each. One number, or an array of
    fixed shape, for each example is handed on as it is: labels, for example, or
    images. An array of integers with two axes, or lists of integers, however,
    are taken for sequences. These become `int32` arrays of shape `(rows, length
    of the bucket)`.

    **Buckets.** `boundaries` are the lengths to pad to, rising. Where the
    lists differ in length, as a text and its translation do, a boundary may be
    a tuple with a length for each list, those of `x` first:
    `[(10, 7), (40, 25)]`. With `boundaries=None` they are the quantiles
    `1/n, 2/n, ..., 1` of the lengths, for each list, `n = num_buckets`.

    **Order.** Each example comes exactly once in an epoch. With `shuffle=True`
    the examples of a bucket, and then the batches, are permuted anew in each
    epoch; the permutations depend on `(seed, epoch)` alone. Without it the
    batches go from short to long; `examples(index)` says which ones are in a
    batch. In both cases the second batch differs in length from the first if
    any does: on TensorFlow Keras takes from these two which sizes may vary.

    What `Batches` says about `fit(shuffle=True)` and about resuming after some
    epochs holds here too.

    Args:
        x: Sequences, or a tuple or dict of several lists of them.
        y: Targets: likewise, or one number or array of fixed shape for each
            example, or `None`.
        batch_size: Number of examples in a batch; give this or
            `tokens_per_batch`.
        tokens_per_batch: Number of integers in a batch, padding and all lists
            included, that is not exceeded: short sequences come in larger
            batches.
        boundaries: Rising lengths, or tuples of them, or `None`: see above.
        num_buckets: Number of quantiles, if `boundaries` is `None`. Equal ones
            count as one.
        shuffle: Whether to permute examples and batches in each epoch.
        seed: Integer from 0 to 2**32 - 1: where the permutations come from.
        drop_remainder: Whether to leave out the last, smaller batch of each
            bucket: all of a bucket with fewer than `batch_size` examples, even
            though `boundaries` lists it.
        x_pad: Integer that fills the sequences of `x` up, or one for each of
            its lists in the same structure.
        y_pad: Likewise for `y`.

    Attributes:
        epoch: Number of the order that is read now. `on_epoch_end()` adds one;
            it may also be set.
        boundaries: Tuple with the padded lengths of each bucket that holds
            examples: integers, or tuples if there are several lists.
        padding_share: Share of the integers in an epoch's batches that are
            padding, from 0 to 1. With both `shuffle` and `drop_remainder` it
            differs from epoch to epoch; this is that of epoch 0.

    Raises:
        ValueError: If lists are not aligned, a sequence is empty or longer
            than the last boundary, or an argument is out of range.

    Example:

    >>> sequences = [[1, 2], [3], [4, 5, 6, 7], [8, 9]]
    >>> batches = BucketedBatches(sequences, batch_size=2, boundaries=[2, 4])
    >>> [x.shape for (x,) in batches]
    [(2, 2), (1, 4), (1, 2)]
    >>> round(batches.padding_share, 2)
    0.1
    """

    def __init__(
        self,
        x,
        y=None,
        batch_size=None,
        tokens_per_batch=None,
        boundaries=None,
        num_buckets=4,
        shuffle=False,
        seed=0,
        drop_remainder=False,
        x_pad=0,
        y_pad=0,
    ):
        super().__init__()
        self.shuffle = shuffle
        self.seed = check_seed(seed)
        self.drop_remainder = drop_remainder
        self._x = _columns("x", x, x_pad)
        self._y = None if y is None else _columns("y", y, y_pad)
        lengths = self._example_lengths()
        self.num_examples = len(lengths)
        if boundaries is None:
            limits = _quantiles(lengths, num_buckets)
        else:
            limits = _check_boundaries(boundaries, lengths.shape[1])
        self._members, self._limits = _fill(lengths, limits)
        self._rows = _rows(self._limits, batch_size, tokens_per_batch)
        self._cuts = self._cut()
        if not self._cuts:
            raise ValueError(
                "There is not a single batch. Received: "
                f"{self.num_examples} examples, batch_size={batch_size}, "
                f"drop_remainder={drop_remainder}."
            )
        self.epoch = 0
        self.padding_share = self._share_of_padding(lengths)

    @property
    def boundaries(self):
        limits = self._limits.tolist()
        one = self._limits.shape[1] == 1
        return tuple(row[0] if one else tuple(row) for row in limits)

    @property
    def epoch(self):
        return self._epoch

    @epoch.setter
    def epoch(self, epoch):
        self._epoch = check_integer("epoch", epoch, minimum=0)
        # RandomState, not default_rng: NumPy promises that its stream stays
        # the same in every version and on every platform.
        generator = np.random.RandomState([self.seed, self.epoch])
        order = np.arange(len(self._cuts))
        self._ordered = self._members
        if self.shuffle:
            self._ordered = list(map(generator.permutation, self._members))
            order = generator.permutation(order)
        self._order = self._with_two_lengths_first(order)

    @property
    def num_batches(self):
        """Number of batches in an epoch."""
        return len(self._cuts)

    def __len__(self):
        return self.num_batches

    def __getitem__(self, index):
        """The batch at position `index` of this epoch."""
        chosen = self.examples(index)
        limits = self._limits[self._cuts[self._order[index]][0]]
        lengths = iter(limits.tolist())
        batch = [_take(columns, chosen, lengths) for columns in self._sides()]
        return tuple(batch)

    def examples(self, index):
        """Numbers of the examples in the batch at position `index`.

        Args:
            index: Position of a batch in this epoch.

        Returns:
            An array of integers, in the order of the rows.
        """
        if not 0 <= index < self.num_batches:
            raise IndexError(
                f"`index` must be from 0 to {self.num_batches - 1}. "
                f"Received: index={index}."
            )
        bucket, start, stop = self._cuts[self._order[index]]
        return self._ordered[bucket][start:stop]

    def on_epoch_end(self):
        """Goes on to the order of the next epoch."""
        self.epoch += 1

    def _sides(self):
        return [side for side in (self._x, self._y) if side is not None]

    def _example_lengths(self):
        """Array `(examples, lists of sequences)` of lengths."""
        columns = [c for side in self._sides() for c in side.values()]
        sizes = {len(column) for column in columns}
        if len(sizes) != 1:
            raise ValueError(
                "`x` and `y` must be aligned lists, as long as each other. "
                f"Received: {sorted(sizes)} examples."
            )
        ragged = [c.lengths for c in columns if c.lengths is not None]
        if not ragged:
            raise ValueError(
                "`x` must be a list of sequences of integers. Received: one "
                "number, or array of fixed shape, for each example."
            )
        return np.stack(ragged, axis=1)

    def _cut(self):
        """For each batch: its bucket, and from where to where it goes."""
        cuts = []
        for bucket, members in enumerate(self._members):
            rows = self._rows[bucket]
            for start in range(0, len(members), rows):
                stop = min(start + rows, len(members))
                if stop - start == rows or not self.drop_remainder:
                    cuts.append((bucket, start, stop))
        return cuts

    def _with_two_lengths_first(self, order):
        """Moves two batches to the front that differ in all that can differ."""
        limits = self._limits[[self._cuts[batch][0] for batch in order]]
        varies = (limits != limits[0]).any(axis=0)
        for first in range(len(order)):
            differs = (limits != limits[first])[:, varies].all(axis=1)
            if varies.any() and differs.any():
                front = [first, int(np.argmax(differs))]
                return np.concatenate([order[front], np.delete(order, front)])
        return order

    def _share_of_padding(self, lengths):
        padded = 0
        tokens = 0
        for bucket, start, stop in self._cuts:
            padded += (stop - start) * self._limits[bucket].sum()
            tokens += lengths[self._ordered[bucket][start:stop]].sum()
        return float(1 - tokens / padded)


class _Columns(dict):
    """Lists by their keys, and how they were put together."""

    kind = list


class _Ragged:
    """A list of sequences."""

    def __init__(self, name, sequences, pad):
        self.rows = [_check_sequence(name, row) for row in sequences]
        self.lengths = np.array([len(row) for row in self.rows])
        self.pad = check_integer(f"{name}_pad", pad, *INT32)

    def __len__(self):
        return len(self.rows)

    def take(self, chosen, lengths):
        """The sequences `chosen`, filled up to the next of `lengths`."""
        padded = np.full((len(chosen), next(lengths)), self.pad, "int32")
        for target, i in zip(padded, chosen, strict=True):
            target[: len(self.rows[i])] = self.rows[i]
        return padded


class _Fixed:
    """One number, or array of fixed shape, for each example."""

    lengths = None

    def __init__(self, name, values):
        try:
            self.values = np.asarray(values)
        except ValueError as error:
            raise ValueError(
                f"`{name}` must hold sequences of integers, or numbers or "
                "arrays of one shape. Received: numbers that are no integers "
                "in several shapes."
            ) from error

    def __len__(self):
        return len(self.values)

    def take(self, chosen, lengths):
        return self.values[chosen]


def _columns(name, lists, pad):
    """Reads `x` or `y`."""
    columns = _Columns()
    if isinstance(lists, (dict, tuple)):
        columns.kind = dict if isinstance(lists, dict) else tuple
    lists_by_key = _by_key(lists)
    pads = dict.fromkeys(lists_by_key, pad)
    if isinstance(pad, (dict, tuple)):
        pads = _by_key(pad)
    if set(pads) != set(lists_by_key):
        raise ValueError(
            f"`{name}_pad` must be an integer, or one for each list in the "
            f"structure of `{name}`. Received: {name}_pad={pad!r}."
        )
    for key, values in lists_by_key.items():
        if hasattr(values, "to_numpy"):
            values = values.to_numpy()  # pandas' `[0]` is a label.
        if len(values) == 0:
            raise ValueError(f"`{name}` must hold examples. Received: none.")
        if _is_fixed(values):
            columns[key] = _Fixed(name, values)
        else:
            columns[key] = _Ragged(name, values, pads[key])
    return columns


def _by_key(lists):
    if isinstance(lists, dict):
        return lists
    return dict(enumerate(lists)) if isinstance(lists, tuple) else {None: lists}


def _is_fixed(values):
    """Whether these are numbers, or arrays of fixed shape, not sequences."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values.ndim != 2 or values.dtype.kind not in "iu"
    first = np.asarray(values[0])
    return first.ndim == 0 or (first.size > 0 and first.dtype.kind == "f")


def _take(columns, chosen, lengths):
    taken = {k: column.take(chosen, lengths) for k, column in columns.items()}
    if columns.kind is dict:
        return taken
    return tuple(taken.values()) if columns.kind is tuple else taken[None]


def _check_sequence(name, row):
    array = np.asarray(row)
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must hold sequences of integers, none of them empty. "
            f"Received: {str(row)[:60]}, of shape {array.shape} and dtype "
            f"{array.dtype}."
        )
    return check_int32(name, array)


def _quantiles(lengths, num_buckets):
    """Rising rows: lengths that the shares 1/n, 2/n, ..., 1 do not exceed."""
    check_integer("num_buckets", num_buckets, minimum=1)
    shares = np.arange(1, num_buckets + 1) / num_buckets
    limits = np.quantile(lengths, shares, axis=0, method="inverted_cdf")
    return np.unique(limits.astype(int), axis=0)


def _check_boundaries(boundaries, num_lists):
    given = boundaries if np.iterable(boundaries) else [boundaries]
    rows = [np.atleast_1d(row) for row in given]
    if any(row.shape not in ((1,), (num_lists,)) for row in rows):
        rows = []
    limits = np.array([np.broadcast_to(row, (num_lists,)) for row in rows])
    if not _rises(limits):
        raise ValueError(
            "`boundaries` must be rising lengths of at least 1, or tuples of "
            f"{num_lists} of them. Received: boundaries={boundaries!r}."
        )
    return limits


def _rises(limits):
    if limits.dtype.kind not in "iu" or limits.min() < 1:
        return False
    steps = np.diff(limits.astype("int64"), axis=0)
    return (steps >= 0).all() and steps.any(axis=1).all()


def _fill(lengths, limits):
    """Examples of each bucket, and its lengths; empty buckets are left out."""
    fits = (lengths[:, None, :] <= limits[None]).all(axis=2)
    outside = np.flatnonzero(~fits.any(axis=1))
    if outside.size:
        raise ValueError(
            "`boundaries` must end with lengths that every example fits in. "
            f"Received: {limits[-1].tolist()}, but example {outside[0]} has "
            f"{lengths[outside[0]].tolist()}."
        )
    bucket = fits.argmax(axis=1)
    filled = np.unique(bucket)
    return [np.flatnonzero(bucket == b) for b in filled], limits[filled]


def _rows(limits, batch_size, tokens_per_batch):
    """Number of examples in a batch of each bucket."""
    if (batch_size is None) == (tokens_per_batch is None):
        raise ValueError(
            "Give either `batch_size` or `tokens_per_batch`. Received: "
            f"batch_size={batch_size}, tokens_per_batch={tokens_per_batch}."
        )
    if batch_size is not None:
        check_integer("batch_size", batch_size, minimum=1)
        return [batch_size] * len(limits)
    widths = limits.sum(axis=1)
    least = int(widths.max())
    check_integer("tokens_per_batch", tokens_per_batch, minimum=least)
    return [int(tokens_per_batch // width) for width in widths]
