"""Rows of whole sentences."""

import numpy as np
import pytest
from masks import END, PAD, START, vocabulary

from keras_dl.text import (
    Packed,
    WordVocabulary,
    pack_document_sentences,
    pack_full_sentences,
    pack_ordered_pairs,
    pack_pairs,
)

WORDS = vocabulary()
FOUR = [pack_pairs, pack_ordered_pairs, pack_full_sentences]
FOUR += [pack_document_sentences]


def documents(number, seed=0, longest=9):
    """Documents of sentences whose tokens count on from 5."""
    generator = np.random.RandomState(seed)
    made, first = [], 5
    for _ in range(number):
        sizes = generator.randint(1, longest, size=generator.randint(1, 8))
        ends = first + np.cumsum(sizes)
        made.append(
            [[*range(e - s, e)] for s, e in zip(sizes, ends, strict=True)]
        )
        first = int(ends[-1])
    return made


def stretches(row):
    """The pieces of a row between its marks."""
    row = [id for id in row if id != PAD]
    assert row[0] == START and row[-1] == END
    pieces = [[]]
    for id in row[1:-1]:
        if id == END:
            pieces.append([])
        else:
            pieces[-1].append(id)
    return pieces


def test_full_sentences():
    given = documents(100)
    ids, segment_ids, labels = pack_full_sentences(given, WORDS, length=24)
    assert labels is None and not segment_ids.any()
    assert ids.dtype == segment_ids.dtype == "int32"
    # In order, nothing lost and nothing twice.
    total = sum(len(s) for document in given for s in document)
    np.testing.assert_array_equal(ids[ids >= 5], np.arange(5, 5 + total))
    number = {s[0]: d for d, document in enumerate(given) for s in document}
    sizes = {s[0]: len(s) for document in given for s in document}
    for row, following in zip(ids, [*ids[1:], None], strict=True):
        pieces = stretches(row)
        assert all(pieces)
        # A separator exactly where a document ends within a row.
        firsts = [[number[i] for i in p if i in number] for p in pieces]
        assert all(len({*piece}) == 1 for piece in firsts)
        assert len({piece[0] for piece in firsts}) == len(pieces)
        # Sentences are whole, and the next one would not have fitted.
        assert row[1] in sizes
        if following is not None:
            new = number[following[1]] != firsts[-1][-1]
            used = np.count_nonzero(row) + new
            assert used + sizes[following[1]] > 24


def test_document_sentences():
    given = documents(100)
    ids, segment_ids, labels = pack_document_sentences(given, WORDS, length=24)
    assert labels is None and not segment_ids.any()
    expected = []
    for document in given:
        row = []
        for sentence in document:
            if len(row) + len(sentence) > 22:
                expected.append(row)
                row = []
            row = row + sentence
        expected.append(row)
    assert [stretches(row) for row in ids] == [[row] for row in expected]


@pytest.mark.parametrize("pack", FOUR[2:])
def test_a_long_sentence_is_cut_into_rows(pack):
    packed = pack([[[*range(5, 30)]]], WORDS, length=12)
    assert [stretches(row)[0][0] for row in packed.token_ids] == [5, 15, 25]
    np.testing.assert_array_equal(
        packed.token_ids[packed.token_ids >= 5], np.arange(5, 30)
    )


@pytest.mark.parametrize("pack", FOUR)
def test_empty_sentences_and_documents_are_passed_over(pack):
    given = [[[], [5, 6], [7]], [], [[]], [[8], [], [9, 10]]]
    without = [[[5, 6], [7]], [[8], [9, 10]]]
    for one, other in zip(
        pack(given, WORDS, length=9),
        pack(without, WORDS, length=9),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("pack", FOUR)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "`documents`"),
        ([[[]]], "`documents`"),
        ([[5, 6]], r"`documents\[0\]`.*one dimension"),
        ("ab", "`documents` must be a list of documents.*documents='ab'"),
        (7, "`documents`.*documents='7'"),
        ([5], r"`documents`.*documents\[0\]='5'"),
        ([[[5, 5000]]], r"`documents\[0\]`.*Received: 5000"),
    ],
)
def test_wrong_documents(pack, given, message):
    with pytest.raises(ValueError, match=message):
        pack(given, WORDS, length=9)


@pytest.mark.parametrize("pack", FOUR)
def test_wrong_lengths_and_types(pack):
    least = 5 if pack in FOUR[:2] else 3
    given = [[[5], [6]], [[7], [8]]]
    assert pack(given, WORDS, length=least).token_ids.shape[1] == least
    with pytest.raises(ValueError, match=f"`length`.*at least {least}"):
        pack(given, WORDS, length=least - 1)
    with pytest.raises(TypeError, match="`vocabulary`.*Received: list"):
        pack(given, ["a"], length=9)


def test_packed_has_names():
    packed = pack_full_sentences([[[5]]], WordVocabulary(["a", "b"]), length=4)
    assert isinstance(packed, Packed)
    assert packed.token_ids.tolist() == [[START, 5, END, PAD]]
    assert packed._fields == ("token_ids", "segment_ids", "labels")
