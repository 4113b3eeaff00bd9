"""Pairs of segments: what follows what, what is cut, what is lost."""

import itertools

import numpy as np
import pytest
from masks import END, PAD, START, vocabulary

from keras_dl.text import pack_ordered_pairs, pack_pairs

SIZE = 50000
WORDS = vocabulary(SIZE)
both = pytest.mark.parametrize("pack", [pack_pairs, pack_ordered_pairs])
# What the seed 4 makes of two documents.
PAIRS = [[2, 5, 6, 7, 3, 9, 10, 3], [2, 11, 12, 3, 14, 15, 16, 3]]
PAIR_LABELS = [0, 0]
ORDERED = [[2, 5, 6, 7, 3, 9, 10, 3], [2, 11, 12, 3, 14, 15, 16, 3]]
ORDERED_LABELS = [0, 0]


def documents(number, sentences, tokens):
    """Documents of equal size whose tokens count on from 5."""
    shape = number, sentences, tokens
    ids = np.arange(5, 5 + np.prod(shape)).reshape(shape)
    return ids.tolist()


def segments(packed):
    """The two segments of each row, checked for marks and segment ids."""
    assert packed.token_ids.dtype == packed.segment_ids.dtype == "int32"
    for row, segment_ids in zip(
        packed.token_ids, packed.segment_ids, strict=True
    ):
        used = row[row != PAD].tolist()
        middle = used.index(END)
        assert used[0] == START and used[-1] == END
        first, second = used[1:middle], used[middle + 1 : -1]
        assert first and second
        assert segment_ids.tolist() == [0] * (middle + 1) + [1] * (
            len(second) + 1
        ) + [0] * (len(row) - len(used))
        yield first, second


def test_next_sentences():
    """Sentences fill the rows without a rest, so that nothing is cut."""
    given = documents(150, sentences=36, tokens=5)
    packed = pack_pairs(given, WORDS, length=63, seed=3, short_share=0.0)
    assert packed.labels.dtype == "int32"
    seen = []
    for (first, second), label in zip(
        segments(packed), packed.labels, strict=True
    ):
        assert first == [*range(first[0], first[0] + len(first))]
        assert second == [*range(second[0], second[0] + len(second))]
        near = second[0] == first[-1] + 1
        other = (second[0] - 5) // 180 != (first[0] - 5) // 180
        assert near == (label == 0) and other == (label == 1)
        seen += first + ([] if label else second)
    # Each token once, in order: unused ones were put back.
    assert seen == [*itertools.chain(*itertools.chain(*given))]
    assert abs(packed.labels.mean() - 0.5) < 0.06
    assert len(packed.labels) > 500


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_share_of_random_segments(share):
    given = documents(200, sentences=40, tokens=4)
    packed = pack_pairs(
        given, WORDS, length=23, random_share=share, short_share=0.0
    )
    labels = packed.labels
    # A last sentence that is left alone is followed by a random one.
    assert -0.01 < labels.mean() - share < 0.06
    assert len(labels) > 1000


def test_random_segments_come_from_everywhere():
    given = documents(10, sentences=4, tokens=2)
    firsts = set()
    for seed in range(40):
        packed = pack_pairs(given, WORDS, length=9, seed=seed, random_share=1.0)
        firsts |= {second[0] for _, second in segments(packed)}
    assert firsts >= {*range(5, 85, 2)}


def test_a_lonely_sentence_gets_a_random_partner():
    given = [[[5, 6]], [[7, 8]]]
    packed = pack_pairs(given, WORDS, length=9, random_share=0.0)
    assert packed.labels.tolist() == [1, 1]
    assert list(segments(packed)) == [([5, 6], [7, 8]), ([7, 8], [5, 6])]


@both
def test_the_longer_segment_is_cut_at_both_ends(pack):
    given = documents(100, sentences=2, tokens=40)
    packed = pack(given, WORDS, length=23, short_share=0.0)
    starts = []
    for pair in segments(packed):
        assert [len(part) for part in pair] == [10, 10]
        for part in pair:
            assert part == [*range(part[0], part[0] + 10)]
            starts.append((part[0] - 5) % 40)
    # Of 30 tokens too many, half are cut at the beginning.
    assert abs(np.mean(starts) - 15) < 1
    assert 2 < np.std(starts) < 4


@both
def test_a_short_segment_is_not_cut(pack):
    given = [[[*range(5, 9)], [*range(10, 60)]]] * 2
    packed = pack(given, WORDS, length=23, short_share=0.0)
    for pair, label in zip(segments(packed), packed.labels, strict=True):
        sizes = sorted(map(len, pair))
        if pack is pack_ordered_pairs or not label:
            assert sizes == [4, 16]


@both
def test_short_rows(pack):
    given = documents(10, sentences=600, tokens=1)
    full = pack(given, WORDS, length=23, short_share=0.0)
    lengths = np.count_nonzero(full.token_ids, axis=1) - 3
    assert np.mean(lengths == 20) > 0.8
    some = pack(given, WORDS, length=23, short_share=1.0)
    lengths = np.count_nonzero(some.token_ids, axis=1) - 3
    assert {*lengths} == {*range(2, 21)}
    usual = pack(given, WORDS, length=23)
    lengths = np.count_nonzero(usual.token_ids, axis=1) - 3
    assert 0.7 < np.mean(lengths == 20) < 0.97


def test_sentence_order():
    given = documents(150, sentences=36, tokens=5)
    packed = pack_ordered_pairs(given, WORDS, length=63, short_share=0.0)
    seen = []
    for pair, label in zip(segments(packed), packed.labels, strict=True):
        first, second = pair[::-1] if label else pair
        assert second[0] == first[-1] + 1
        assert (first[0] - 5) // 180 == (second[-1] - 5) // 180
        seen += first + second
    assert seen == [*itertools.chain(*itertools.chain(*given))]
    assert abs(packed.labels.mean() - 0.5) < 0.08


def test_segments_are_cut_at_every_place():
    given = documents(300, sentences=4, tokens=2)
    packed = pack_ordered_pairs(given, WORDS, length=11, short_share=0.0)
    sizes = [len(first) for first, _ in segments(packed)]
    counts = np.bincount(sizes, minlength=7)[2::2]
    assert (np.abs(counts - 100) < 40).all() and sum(counts) == len(sizes)


def test_a_last_sentence_takes_the_one_before_it_along():
    given = [[[5], [6], [7], [8], [9]], [[10]]]
    packed = pack_ordered_pairs(given, WORDS, length=7, short_share=0.0)
    rows = [sorted(first + second) for first, second in segments(packed)]
    assert rows == [[5, 6, 7, 8], [8, 9]]
    long = [[[*range(5, 15)], [*range(15, 25)], [*range(25, 35)]]]
    packed = pack_ordered_pairs(long, WORDS, length=13, short_share=0.0)
    numbers = [
        {(id - 5) // 10 for id in first + second}
        for first, second in segments(packed)
    ]
    assert numbers == [{0, 1}, {1, 2}]


@both
def test_the_seed_decides(pack):
    given = documents(20, sentences=9, tokens=3)
    one, again, other = (
        pack(given, WORDS, length=20, seed=seed) for seed in (1, 1, 2)
    )
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.token_ids[:20], other.token_ids[:20])


def test_rows_stay_the_same_for_ever():
    given = documents(2, sentences=3, tokens=2)
    packed = pack_pairs(given, WORDS, length=8, seed=4)
    assert packed.token_ids.tolist() == PAIRS
    assert packed.labels.tolist() == PAIR_LABELS
    packed = pack_ordered_pairs(given, WORDS, length=8, seed=4)
    assert packed.token_ids.tolist() == ORDERED
    assert packed.labels.tolist() == ORDERED_LABELS


@both
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "`seed`.*seed=-1"),
        ({"short_share": 2}, "`short_share`.*short_share=2"),
    ],
)
def test_wrong_arguments(pack, arguments, message):
    with pytest.raises(ValueError, match=message):
        pack(documents(2, 2, 2), WORDS, length=9, **arguments)


def test_too_few_documents():
    with pytest.raises(ValueError, match="at least 2 with tokens.*Received: 1"):
        pack_pairs([[[5], [6]], []], WORDS, length=9)
    with pytest.raises(ValueError, match="at least two sentences"):
        pack_ordered_pairs([[[5]], [[6]]], WORDS, length=9)
    with pytest.raises(ValueError, match="`random_share`.*random_share=-1"):
        pack_pairs(documents(2, 2, 2), WORDS, length=9, random_share=-1)
