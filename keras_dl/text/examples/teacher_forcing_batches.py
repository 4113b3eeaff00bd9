"""Batches for models that write one text from another."""

import numpy as np

from keras_dl.checks import check_integer
from keras_dl.datasets import BucketedBatches
from keras_dl.text.vocabularies.external_tokenizers import as_vocabulary
from keras_dl.text.vocabularies.vocabulary import check_texts


class TeacherForcingBatches(BucketedBatches):
    """Pairs of texts for an encoder and decoder, with the right answer at hand.

    While it is trained, the decoder reads the true tokens before each one that
    it is to predict (teacher forcing). An item is
    `((source, target_in), target_out)`:

        source     = s_1 ... s_m
        target_in  = start, t_1, ..., t_n
        target_out = t_1, ..., t_n, end

    **Shapes and padding.** `int32`, `(rows, length of the bucket)`: the two
    targets are equally long, the source has a length of its own. They are
    filled up with the `pad_id` of their vocabulary. To keep padding out of the
    loss, mask it (`keras.layers.Embedding(mask_zero=True)` where `pad_id` is
    0) or pass `ignore_class=target_vocabulary.pad_id` to
    `keras.losses.SparseCategoricalCrossentropy`.

    For buckets, orders, epochs and resuming see
    `keras_dl.datasets.BucketedBatches`, which this is.

    Args:
        sources: Texts that the encoder reads.
        targets: Texts that the decoder writes, one for each source.
        source_vocabulary: `Vocabulary`, or what `as_vocabulary` takes.
        target_vocabulary: Likewise; it needs a start and an end token.
        batch_size: Number of pairs in a batch; give this or
            `tokens_per_batch`.
        tokens_per_batch: Number of ids in a batch, padding, source and both
            targets included, that is not exceeded.
        boundaries: Rising pairs of lengths `(source, target)`, or integers for
            both, to pad to. A target of `n` tokens needs `n + 1`. The attribute
            `boundaries` has triples, which may be given too.
        num_buckets: If `boundaries` is `None`, number of buckets, chosen from
            quantiles of the lengths. With 1 all rows are equally long.
        max_length: Number of tokens after which texts are cut, before start
            and end are added. `None`: never.
        shuffle: Whether to permute examples and batches in each epoch.
        seed: Integer from 0 to 2**32 - 1: where the permutations come from.
        drop_remainder: Whether to leave out the last, smaller batch of each
            bucket.

    Raises:
        ValueError: If the texts are not aligned, a source is empty, or an
            argument is out of range.

    Example:

    >>> letters = keras_dl.text.CharacterVocabulary(["a", "b", "c"])
    >>> batches = TeacherForcingBatches(
    ...     ["ab", "c"], ["ba", "c"], letters, letters, batch_size=2
    ... )
    >>> batches.boundaries
    ((1, 2, 2), (2, 3, 3))
    >>> (source, target_in), target_out = batches[1]
    >>> source.tolist(), target_in.tolist(), target_out.tolist()
    ([[4, 5]], [[2, 5, 4]], [[5, 4, 3]])

    Reference:
        Williams and Zipser, "A Learning Algorithm for Continually Running
        Fully Recurrent Neural Networks", 1989; Sutskever, Vinyals and Le,
        "Sequence to Sequence Learning with Neural Networks", 2014.
    """

    def __init__(
        self,
        sources,
        targets,
        source_vocabulary,
        target_vocabulary,
        batch_size=None,
        tokens_per_batch=None,
        boundaries=None,
        num_buckets=4,
        max_length=None,
        shuffle=False,
        seed=0,
        drop_remainder=False,
    ):
        self.source_vocabulary = as_vocabulary(source_vocabulary)
        self.target_vocabulary = as_vocabulary(target_vocabulary)
        source = _encode("sources", sources, self.source_vocabulary, max_length)
        target = _encode("targets", targets, self.target_vocabulary, max_length)
        _check_aligned(source, target)
        start = self.target_vocabulary.special_id("start")
        end = self.target_vocabulary.special_id("end")
        target_pad = self.target_vocabulary.special_id("pad")
        super().__init__(
            (source, [[start, *ids] for ids in target]),
            [[*ids, end] for ids in target],
            batch_size=batch_size,
            tokens_per_batch=tokens_per_batch,
            boundaries=_for_both_targets(boundaries),
            num_buckets=num_buckets,
            shuffle=shuffle,
            seed=seed,
            drop_remainder=drop_remainder,
            x_pad=(self.source_vocabulary.special_id("pad"), target_pad),
            y_pad=target_pad,
        )


def _encode(name, texts, vocabulary, max_length):
    if max_length is not None:
        check_integer("max_length", max_length, minimum=1)
    texts = check_texts(name, texts)
    if not texts:
        raise ValueError(f"`{name}` must hold texts. Received: none.")
    return [ids[:max_length] for ids in vocabulary._many_to_ids(texts)]


def _check_aligned(source, target):
    if len(source) != len(target):
        raise ValueError(
            "`targets` must be as many as `sources`. Received: "
            f"{len(source)} sources, {len(target)} targets."
        )
    for i, ids in enumerate(source):
        if not ids:
            raise ValueError(
                "`sources` must be texts with at least one token. Received: "
                f"sources[{i}] without any."
            )


def _for_both_targets(boundaries):
    if not np.iterable(boundaries):
        return boundaries
    rows = [
        (*row, row[-1]) if np.iterable(row) and len(row) == 2 else row
        for row in boundaries
    ]
    for row in rows:
        if np.iterable(row) and len(row) == 3 and row[1] != row[2]:
            raise ValueError(
                "`boundaries` must be the same for what the decoder reads and "
                f"writes. Received: boundaries={boundaries!r}."
            )
    return rows
