"""Batches for models that are trained to predict hidden tokens."""

import numpy as np

from keras_dl.checks import check_integer
from keras_dl.datasets import Batches
from keras_dl.text.examples.batch_parts import check_aligned, check_extras
from keras_dl.text.masking.masking import (
    Masking,
    check_vocabulary,
    masked_positions,
)
from keras_dl.text.masking.span_masking import span_boundaries
from keras_dl.text.packing.packing import Packed

_AT_ONCE = 1024  # Number of rows that are masked together, if not by batch.


class MaskedBatches(Batches):
    """Hides tokens of packed texts, batch by batch, for pre-training.

    An item is `(x, y)`, two dicts of `int32` arrays:

    | name               | shape            | what                             |
    |--------------------|------------------|----------------------------------|
    | **x**              |                  |                                  |
    | `token_ids`        | `(rows, time)`   | ids, some of them hidden         |
    | `segment_ids`      | `(rows, time)`   | which segment they belong to     |
    | `masked_positions` | `(rows, limit)`  | where tokens were chosen; then 0 |
    | `span_left`,       | `(rows, limit)`  | with `boundaries=True`: see      |
    | `span_right`,      |                  | `span_boundaries`; 0 in slots    |
    | `span_offset`      |                  | that are not used                |
    | **y**              |                  |                                  |
    | `masked_tokens`    | `(rows, limit)`  | the tokens that were chosen, and |
    |                    |                  | -1 in slots that are not used    |
    | `next_sentence`    | `(rows,)`        | the labels of pairs, if any      |

    and what `extras` add, such as `AttentionPatterns` or `EntityAlignments`.
    Keep slots that are not used out of the loss, for example with
    `keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)`.

    **Dynamic or static.** With `dynamic=True` (RoBERTa) each epoch hides other
    tokens: they depend on `(seed, epoch, position of the batch)`. With
    `dynamic=False` (BERT) there are `duplicates` versions of the texts, made
    from `(seed, version)`, and epoch `e` reads version `e % duplicates`; what
    is hidden in a text then does not depend on the batch that it is in. Extras
    are drawn anew for each batch in either case, and change no masks.

    For orders, epochs and resuming see `keras_dl.datasets.Batches`.

    Args:
        packed: What one of the `pack_` functions returned, or an array of ids
            `(rows, time)`, whose segment ids are 0.
        masking: `Masking`: which tokens are hidden, and how.
        vocabulary: The `Vocabulary` of the ids, the same as that of `masking`.
        batch_size: Number of rows in a batch.
        dynamic: Whether each epoch hides other tokens.
        duplicates: Number of versions if `dynamic` is `False`.
        shuffle: Whether to permute the rows in each epoch.
        seed: Integer from 0 to 2**32 - 1: where all randomness comes from.
        limit: Number of slots for chosen tokens. `None`: as many as a row may
            have chosen, `masking.limit(time)`.
        boundaries: Whether to give the boundaries of spans.
        units: For `PhraseMasking`: integers `(rows, time)`.
        drop_remainder: Whether to leave out a last, smaller batch.
        extras: List of what batches hold besides, each a `BatchPart`.

    Attributes:
        limit: Number of slots for chosen tokens.

    Raises:
        ValueError: If an argument is out of range, `limit` is too small, ids
            are not in the vocabulary, or the vocabulary is not that of
            `masking`, or one of the extras does not fit the texts.
        TypeError: If `masking` is no `Masking`, or an extra no `BatchPart`.

    Example:

    >>> vocabulary = keras_dl.text.WordVocabulary(list("abc"), ["[MASK]"])
    >>> masking = keras_dl.text.TokenMasking(vocabulary)
    >>> documents = [[vocabulary.encode("a b c " * 20)]] * 4
    >>> packed = keras_dl.text.pack_full_sentences(documents, vocabulary, 32)
    >>> batches = MaskedBatches(packed, masking, vocabulary, batch_size=4)
    >>> x, y = batches[0]
    >>> x["token_ids"].shape, y["masked_tokens"].shape
    ((4, 32), (4, 5))

    Reference:
        Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers
        for Language Understanding", 2019 (static, 10 duplicates); Liu et al.,
        "RoBERTa: A Robustly Optimized BERT Pretraining Approach", 2019
        (dynamic).
    """

    def __init__(
        self,
        packed,
        masking,
        vocabulary,
        batch_size=32,
        dynamic=True,
        duplicates=10,
        shuffle=True,
        seed=0,
        limit=None,
        boundaries=False,
        units=None,
        drop_remainder=False,
        extras=(),
    ):
        self.masking = _check_masking(masking, vocabulary)
        self._packed = _check_packed(packed, vocabulary)
        shape = self._packed.token_ids.shape
        self._parts = {}
        if units is not None:
            self._parts["units"] = check_aligned("units", units, shape)
        if masking.reads_segments:
            self._parts["segment_ids"] = self._packed.segment_ids
        self.extras = check_extras(extras, self._packed)
        most = masking.limit(shape[1])
        self.limit = most if limit is None else limit
        check_integer("limit", self.limit, minimum=most)
        self.dynamic = dynamic
        self.duplicates = check_integer("duplicates", duplicates, minimum=1)
        self.boundaries = boundaries
        self._version = None
        super().__init__(
            np.arange(shape[0]),
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            drop_remainder=drop_remainder,
        )

    def __getitem__(self, index):
        """The batch at position `index` of this epoch."""
        (rows,) = super().__getitem__(index)
        if self.dynamic:
            key = [self.seed, self.epoch, index]
            masked, groups = self._mask(rows, key)
        else:
            masked, groups = (part[rows] for part in self._whole_version())
        x, y = self._item(rows, masked, groups)
        for number, extra in enumerate(self.extras, 1):
            key = [self.seed, self.epoch, index, number]
            x, y = extra(x, y, rows, np.random.RandomState(key))
        return x, y

    def _mask(self, rows, key):
        """Ids with some hidden, and what belongs together, of these rows."""
        ids = self._packed.token_ids[rows]
        parts = {name: array[rows] for name, array in self._parts.items()}
        generator = np.random.RandomState(key)
        groups = self.masking.choose(ids, generator, **parts)
        masked = self.masking.replace(ids, groups, generator)
        return masked, groups.astype("int32")

    def _whole_version(self):
        """All rows, masked: made when an epoch first asks for it."""
        version = self.epoch % self.duplicates
        if self._version is None or self._version[0] != version:
            begins = range(0, self.num_examples, _AT_ONCE)
            parts = [
                self._mask(slice(b, b + _AT_ONCE), [self.seed, version, b])
                for b in begins
            ]
            arrays = map(np.concatenate, zip(*parts, strict=True))
            self._version = version, tuple(arrays)
        return self._version[1]

    def _item(self, rows, masked, groups):
        positions, weights = masked_positions(groups >= 0, self.limit)
        original = self._packed.token_ids[rows]
        used = weights > 0
        tokens = np.take_along_axis(original, positions, axis=1)
        x = {
            "token_ids": masked,
            "segment_ids": self._packed.segment_ids[rows],
            "masked_positions": positions,
        }
        y = {"masked_tokens": np.where(used, tokens, np.int32(-1))}
        if self.boundaries:
            names = ("span_left", "span_right", "span_offset")
            for name, of in zip(names, span_boundaries(groups), strict=True):
                of_slots = np.take_along_axis(of, positions, axis=1)
                x[name] = np.where(used, of_slots, np.int32(0))
        if self._packed.labels is not None:
            y["next_sentence"] = self._packed.labels[rows]
        return x, y


def _check_masking(masking, vocabulary):
    if not isinstance(masking, Masking):
        raise TypeError(
            "`masking` must be a Masking, such as TokenMasking(vocabulary). "
            f"Received: {masking!r}."
        )
    theirs = masking.vocabulary
    check_vocabulary(vocabulary)
    if vocabulary is not theirs and vocabulary.tokens != theirs.tokens:
        raise ValueError(
            "`vocabulary` must have the tokens of that of `masking`. Received: "
            f"{vocabulary.size} tokens, other than the {theirs.size} there."
        )
    return masking


def _check_packed(packed, vocabulary):
    """Returns a `Packed` of checked arrays."""
    if not isinstance(packed, Packed):
        packed = Packed(packed, None, None)
    ids = np.asarray(packed.token_ids)
    if ids.ndim != 2 or not ids.shape[1] or ids.dtype.kind not in "iu":
        raise ValueError(
            "`packed` must be a Packed, or integers of shape (rows, time). "
            f"Received: shape {ids.shape}, dtype {ids.dtype}."
        )
    for id in (ids.min(initial=0), ids.max(initial=0)):
        if not 0 <= id < vocabulary.size:
            raise ValueError(
                "`packed` must hold ids of the vocabulary, from 0 to "
                f"{vocabulary.size - 1}. Received: {id}."
            )
    segments = check_aligned("segment_ids", packed.segment_ids, ids.shape)
    if segments is None:
        segments = np.zeros(ids.shape, "int32")
    labels = check_aligned("labels", packed.labels, ids.shape[:1])
    return Packed(ids.astype("int32"), segments, labels)
