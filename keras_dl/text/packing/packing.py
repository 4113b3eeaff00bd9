"""Documents cut into rows of one length for pre-training."""

from typing import NamedTuple

import numpy as np

from keras_dl.checks import check_integer
from keras_dl.text.masking.masking import check_vocabulary


class Packed(NamedTuple):
    """Rows of ids for pre-training, as the `pack_` functions return them.

    Attributes:
        token_ids: `int32` `(rows, length)`, filled up with padding.
        segment_ids: `int32` `(rows, length)`: 0 for the first segment and its
            marks, and for padding; 1 for the second and its mark.
        labels: `int32` `(rows,)`, one for each pair, or `None`.

    Example:

    >>> letters = keras_dl.text.WordVocabulary(list("abcdefg"))
    >>> packed = pack_full_sentences([[[4, 5], [6]]], letters, length=6)
    >>> packed.token_ids.tolist(), packed.labels
    ([[2, 4, 5, 6, 3, 0]], None)
    """

    token_ids: np.ndarray
    segment_ids: np.ndarray
    labels: np.ndarray | None = None


def pack_full_sentences(documents, vocabulary, length):
    """Rows filled with whole sentences, across documents (RoBERTa).

        [CLS] s_1 s_2 ... [SEP] s_1 s_2 ... [SEP]

    A row takes sentences as long as they fit, and goes on with the next
    document behind a separator. A sentence that is longer than a row is cut
    into several. All segment ids are 0, and there are no labels.

    Args:
        documents: List of documents, each a list of sentences, each a list of
            ids. Those without tokens are passed over.
        vocabulary: `Vocabulary`; its start token is `[CLS]`, its end token
            `[SEP]`.
        length: Number of columns, at least 3.

    Returns:
        A named tuple `Packed(token_ids, segment_ids, labels=None)`.

    Raises:
        ValueError: If there are no tokens, an id is not in the vocabulary, or
            `length` is too small.

    Example:

    >>> letters = keras_dl.text.WordVocabulary(list("abcdefg"))
    >>> documents = [[[4, 5], [6]], [[7], [8, 9, 10]]]
    >>> pack_full_sentences(documents, letters, length=8).token_ids.tolist()
    [[2, 4, 5, 6, 3, 7, 3, 0], [2, 8, 9, 10, 3, 0, 0, 0]]

    Reference:
        Liu et al., "RoBERTa: A Robustly Optimized BERT Pretraining Approach",
        2019, FULL-SENTENCES.
    """
    documents = check_documents(documents, vocabulary)
    return _pack_sentences([documents], vocabulary, length)


def pack_document_sentences(documents, vocabulary, length):
    """Rows filled with whole sentences, each row from one document (RoBERTa).

        [CLS] s_1 s_2 ... [SEP]

    Like `pack_full_sentences`, but each document begins a new row. So more of
    the rows is padding.

    Args:
        documents: List of documents, each a list of sentences, each a list of
            ids.
        vocabulary: `Vocabulary` with a start, an end and a padding token.
        length: Number of columns, at least 3.

    Returns:
        A named tuple `Packed(token_ids, segment_ids, labels=None)`.

    Raises:
        ValueError: As `pack_full_sentences`.

    Example:

    >>> letters = keras_dl.text.WordVocabulary(list("abcdefg"))
    >>> documents = [[[4, 5], [6]], [[7], [8, 9, 10]]]
    >>> packed = pack_document_sentences(documents, letters, length=8)
    >>> packed.token_ids.tolist()
    [[2, 4, 5, 6, 3, 0, 0, 0], [2, 7, 8, 9, 10, 3, 0, 0]]

    Reference:
        Liu et al., "RoBERTa: A Robustly Optimized BERT Pretraining Approach",
        2019, DOC-SENTENCES. Where it differs: the authors enlarge the batch
        where rows are short, so that batches have a like number of tokens.
    """
    documents = check_documents(documents, vocabulary)
    groups = [[document] for document in documents]
    return _pack_sentences(groups, vocabulary, length)


def join(sentences):
    return [id for sentence in sentences for id in sentence]


def _pack_sentences(groups, vocabulary, length):
    """Rows of sentences; each of the groups of documents begins a new one."""
    room = check_integer("length", length, minimum=3) - 2
    separator = vocabulary.special_id("end")
    rows = []
    for documents in groups:
        row = []
        for document in documents:
            between = [separator] if row else []
            for piece in _pieces(document, room):
                if len(row) + len(between) + len(piece) > room:
                    rows.append([row])
                    row, between = [], []
                row = row + between + piece
                between = []
        if row:
            rows.append([row])
    if not rows:
        raise ValueError("`documents` must hold tokens. Received: none.")
    return pack_rows(rows, None, vocabulary, length)


def _pieces(document, room):
    for sentence in document:
        for begin in range(0, len(sentence), room):
            yield sentence[begin : begin + room]


def pack_rows(rows, labels, vocabulary, length):
    """Puts segments between their marks, and rows into arrays."""
    start, end = vocabulary.special_id("start"), vocabulary.special_id("end")
    ids = [join([[start], *([*segment, end] for segment in r)]) for r in rows]
    first = np.array([[len(segments[0]) + 2] for segments in rows])
    last = np.array([[len(row)] for row in ids])
    at = np.arange(length)
    segment_ids = ((at >= first) & (at < last)).astype("int32")
    return Packed(vocabulary.pad(ids, length, "error"), segment_ids, labels)


def check_documents(documents, vocabulary):
    """Returns documents as lists of lists of ids, without empty ones."""
    check_vocabulary(vocabulary)
    checked = []
    for i, document in enumerate(_check_several("documents", documents)):
        name = f"documents[{i}]"
        sentences = [
            vocabulary._check_ids(name, sentence)
            for sentence in _check_several(name, document)
        ]
        checked.append([sentence for sentence in sentences if sentence])
    return [document for document in checked if document]


def _check_several(name, value):
    if isinstance(value, (str, bytes)) or not np.iterable(value):
        raise ValueError(
            "`documents` must be a list of documents, each a list of "
            f"sentences of ids. Received: {name}={str(value)[:40]!r}."
        )
    return value
