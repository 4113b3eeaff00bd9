"""Pairs of segments of documents, for pre-training."""

import numpy as np

from keras_dl.checks import check_integer, check_seed
from keras_dl.text.masking.masking import check_share
from keras_dl.text.packing.packing import check_documents, join, pack_rows


def pack_pairs(
    documents, vocabulary, length, seed=0, random_share=0.5, short_share=0.1
):
    """Pairs of segments for the prediction of the next sentence (BERT).

        [CLS] A [SEP] B [SEP]

    Sentences are taken together until a row is full. `A` is the first few of
    them; `B` is what follows, label 0, or sentences from another document,
    label 1; then the ones that should have followed begin the next row. So
    each sentence is in some row.

    Where a single sentence is left, `B` is always random, so that the share of
    random rows is a little above `random_share`, with short documents much.

    A pair that is too long is cut: token by token from the longer segment, at
    its beginning or at its end with the same probability.

    Args:
        documents: List of documents, each a list of sentences, each a list of
            ids. Those without tokens are passed over.
        vocabulary: `Vocabulary`; its start token is `[CLS]`, its end token
            `[SEP]`.
        length: Number of columns, at least 5.
        seed: Integer from 0 to 2**32 - 1. The same one gives the same rows.
        random_share: Probability that `B` is random.
        short_share: Probability that a row aims at fewer tokens, from 2 on, so
            that the model sees short texts, too.

    Returns:
        A named tuple `Packed(token_ids, segment_ids, labels)`, `int32`, of
        shapes `(rows, length)`, `(rows, length)` and `(rows,)`.

    Raises:
        ValueError: If there are fewer than two documents, an id is not in the
            vocabulary, or a number is out of range.

    Example:

    >>> letters = keras_dl.text.WordVocabulary(list("abcdefg"))
    >>> packed = pack_pairs([[[4, 5], [6]], [[7, 8]]], letters, length=8)
    >>> packed.token_ids.tolist(), packed.labels.tolist()
    ([[2, 4, 5, 3, 6, 3, 0, 0], [2, 7, 8, 3, 6, 3, 0, 0]], [0, 1])

    Reference:
        Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers
        for Language Understanding", 2019. The labels are those of its code and
        of Hugging Face. Where it differs: whether a row is short is drawn for
        each row, not for each document, and a random segment is never from the
        same document.
    """
    documents = check_documents(documents, vocabulary)
    if len(documents) < 2:
        raise ValueError(
            "`documents` must be at least 2 with tokens: random segments come "
            f"from another one. Received: {len(documents)}."
        )
    maker = _PairMaker(vocabulary, length, seed, short_share)
    check_share("random_share", random_share)
    for number, document in enumerate(documents):
        begin = 0
        while begin < len(document):
            target = maker.target()
            chunk = _take(document, begin, target)
            cut = maker.cut(chunk)
            first, second = join(chunk[:cut]), join(chunk[cut:])
            unrelated = maker.happens(random_share) or not second
            if unrelated:
                other = documents[maker.other(number, len(documents))]
                place = maker.below(len(other))
                room = max(1, target - len(first))
                second = join(_take(other, place, room))
            maker.add(first, second, label=unrelated)
            begin += cut if unrelated else len(chunk)
    return maker.packed()


def pack_ordered_pairs(documents, vocabulary, length, seed=0, short_share=0.1):
    """Pairs of segments for the prediction of their order (ALBERT).

        [CLS] A [SEP] B [SEP]

    `A` and `B` are neighbours in one document: label 0 in their own order,
    label 1 swapped, with the same probability. Each sentence is in some row:
    a last one that would stand alone takes the one before it along once more.
    A document of one sentence has no order, and is passed over.

    Arguments, cutting, `Returns` and errors: see `pack_pairs`.

    Args:
        documents: List of documents, each a list of sentences, each a list of
            ids.
        vocabulary: `Vocabulary` with a start, an end and a padding token.
        length: Number of columns, at least 5.
        seed: Integer from 0 to 2**32 - 1.
        short_share: Probability that a row aims at fewer tokens.

    Raises:
        ValueError: If no document has two sentences, or as `pack_pairs`.

    Example:

    >>> letters = keras_dl.text.WordVocabulary(list("abcdefg"))
    >>> packed = pack_ordered_pairs([[[4, 5], [6]]], letters, length=8)
    >>> packed.token_ids.tolist(), packed.labels.tolist()
    ([[2, 4, 5, 3, 6, 3, 0, 0]], [0])

    Reference:
        Lan et al., "ALBERT: A Lite BERT for Self-supervised Learning of
        Language Representations", 2020. Where it differs: the authors' code
        gives a sentence that stands alone a random partner, with label 1.
    """
    documents = check_documents(documents, vocabulary)
    maker = _PairMaker(vocabulary, length, seed, short_share)
    documents = [d for d in documents if len(d) > 1]
    if not documents:
        raise ValueError(
            "`documents` must hold one of at least two sentences. Received: "
            "none."
        )
    for document in documents:
        begin = 0
        while begin < len(document):
            begin = min(begin, len(document) - 2)
            chunk = _take(document, begin, maker.target(), least=2)
            cut = maker.cut(chunk)
            pair = join(chunk[:cut]), join(chunk[cut:])
            swapped = maker.happens(0.5)
            maker.add(*(pair[::-1] if swapped else pair), label=swapped)
            begin += len(chunk)
    return maker.packed()


class _PairMaker:
    """Draws what is random in pairs, and collects them."""

    def __init__(self, vocabulary, length, seed, short_share):
        self._vocabulary = vocabulary
        self._room = check_integer("length", length, minimum=5) - 3
        self._generator = np.random.RandomState(check_seed(seed))
        self._short_share = check_share("short_share", short_share)
        self._pairs, self._labels = [], []

    def happens(self, probability):
        return self._generator.random_sample() < probability

    def below(self, number):
        """An integer from 0 to `number - 1`."""
        return int(self._generator.random_sample() * number)

    def other(self, number, size):
        """An integer from 0 to `size - 1` that is not `number`."""
        return (number + 1 + self.below(size - 1)) % size

    def target(self):
        """How many tokens a pair is to have."""
        if self.happens(self._short_share):
            return 2 + self.below(self._room - 1)
        return self._room

    def cut(self, chunk):
        """How many of its sentences are in the first segment."""
        return 1 + self.below(max(1, len(chunk) - 1))

    def add(self, first, second, label):
        self._pairs.append(self._truncated([first, second]))
        self._labels.append(label)

    def packed(self):
        length = self._room + 3
        labels = np.array(self._labels, "int32")
        return pack_rows(self._pairs, labels, self._vocabulary, length)

    def _truncated(self, pair):
        """The pair without as many tokens as it has too many."""
        ends = [[0, len(tokens)] for tokens in pair]
        sizes = [len(tokens) for tokens in pair]
        while sum(sizes) > self._room:
            longer = int(sizes[1] >= sizes[0])
            sizes[longer] -= 1
            if self.happens(0.5):
                ends[longer][0] += 1
            else:
                ends[longer][1] -= 1
        return [ids[slice(*end)] for ids, end in zip(pair, ends, strict=True)]


def _take(document, begin, target, least=1):
    """Sentences from `begin` on that reach `target` tokens, if there are."""
    total, end = 0, begin
    while end < len(document) and (total < target or end - begin < least):
        total += len(document[end])
        end += 1
    return document[begin:end]
