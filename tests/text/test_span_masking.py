"""N-grams, spans and fragments: lengths, places, neighbours."""

import functools

import numpy as np
import pytest
import scipy.stats
from masks import END, MASK, START, texts, vocabulary

from keras_dl.text import (
    FragmentMasking,
    NGramMasking,
    SpanMasking,
    span_boundaries,
)

# SpanBERT: geometric, p = 0.2, cut off at 10 words and normalised.
SPANS = [
    *(0.224058, 0.179246, 0.143397, 0.114718, 0.091774),
    *(0.073419, 0.058735, 0.046988, 0.037591, 0.030073),
]
phrases = pytest.mark.parametrize("strategy", [NGramMasking, SpanMasking])


@functools.cache
def spans(strategy):
    """Texts of one piece each, and the phrases chosen in them."""
    ids = texts(8000)
    return ids, strategy(vocabulary()).choose(ids, np.random.RandomState(0))


def begins(ids):
    """Where words begin."""
    found = ids % 4 != 0
    found[:, 1] = True
    return found & (ids >= 5)


def words_in(ids, groups, number):
    """How many words the phrase of this number has in each row."""
    return np.count_nonzero(begins(ids) & (groups == number), axis=1)


@pytest.mark.parametrize(
    ("strategy", "expected", "mean"),
    [
        (SpanMasking, SPANS, 3.797),
        (NGramMasking, [6 / 11, 3 / 11, 2 / 11], 18 / 11),
    ],
)
def test_lengths(strategy, expected, mean):
    """The budget, 50 tokens here, never cuts what is drawn first."""
    masking = strategy(vocabulary(), rate=0.4)
    np.testing.assert_allclose(masking.probabilities, expected, atol=1e-6)
    ids = texts(8000)
    groups = masking.choose(ids, np.random.RandomState(0))
    lengths = words_in(ids, groups, 0)
    counts = np.bincount(lengths, minlength=len(expected) + 1)
    assert counts[0] == 0 and len(counts) == len(expected) + 1
    assert abs(lengths.mean() - mean) < 0.1
    test = scipy.stats.chisquare(
        counts[1:], np.array(expected) / sum(expected) * len(ids)
    )
    assert test.pvalue > 0.001


def test_other_lengths():
    masking = SpanMasking(vocabulary(), max_words=4, p=0.5)
    np.testing.assert_allclose(
        masking.probabilities, np.array([8, 4, 2, 1]) / 15
    )
    masking = NGramMasking(vocabulary(), max_words=2)
    np.testing.assert_allclose(masking.probabilities, [2 / 3, 1 / 3])
    ids = texts(300)
    groups = masking.choose(ids, np.random.RandomState(0))
    assert max(words_in(ids, groups, n).max() for n in range(5)) == 2


@phrases
def test_words_are_chosen_whole(strategy):
    ids, groups = spans(strategy)
    goes_on = ~begins(ids)[:, 1:] & (ids[:, 1:] >= 5)
    assert (groups[:, 1:] == groups[:, :-1])[goes_on].all()


@phrases
def test_phrases_are_in_one_piece(strategy):
    _, groups = spans(strategy)
    for number in range(groups.max()):
        inside = (groups == number).astype(int)
        begun = np.diff(inside, axis=1, prepend=0) == 1
        assert {*np.count_nonzero(begun, axis=1)} <= {0, 1}


@phrases
def test_short_texts_have_their_share(strategy):
    """Where the budget is small, it is not left unspent."""
    ids = texts(10000, time=32)
    _, chosen = strategy(vocabulary())(ids, np.random.RandomState(0))
    assert abs(chosen.sum() / np.count_nonzero(ids >= 5) - 0.15) < 0.002


def test_spans_do_not_touch():
    _, groups = spans(SpanMasking)
    left, right = groups[:, :-1], groups[:, 1:]
    assert not ((left >= 0) & (right >= 0) & (left != right)).any()
    _, groups = spans(NGramMasking)
    left, right = groups[:, :-1], groups[:, 1:]
    assert ((left >= 0) & (right >= 0) & (left != right)).any()


@phrases
def test_places_are_alike(strategy):
    _, groups = spans(strategy)
    shares = np.mean(groups >= 0, axis=0)
    assert shares[0] == shares[-1] == 0
    # The standard deviation of a share is 0.004.
    np.testing.assert_allclose(shares[14:-14], shares[14:-14].mean(), atol=0.02)
    assert shares[1] > 0.02 and shares[-2] > 0.02


@phrases
def test_the_order_of_drawing_is_not_that_of_places(strategy):
    _, groups = spans(strategy)
    first = np.argmax(groups == 0, axis=1)
    second = np.argmax(groups == 1, axis=1)
    assert abs(np.mean(first < second) - 0.5) < 0.03


def test_a_span_shares_one_fate():
    ids, groups = spans(SpanMasking)
    masked = SpanMasking(vocabulary()).replace(
        ids, groups, np.random.RandomState(0)
    )
    hidden, same = masked == MASK, masked == ids
    fates = np.zeros(3, int)
    for number in range(groups.max()):
        member = groups == number
        size = np.count_nonzero(member, axis=1)
        all_hidden = np.count_nonzero(hidden & member, axis=1) == size
        all_same = np.count_nonzero(same & member, axis=1) == size
        # A random token is now and then the one that it replaces.
        swapped = (member & (hidden | same)).mean(axis=1) < 0.02
        seen = size > 1
        assert (all_hidden | all_same | swapped)[seen].all()
        assert not (hidden & member)[~all_hidden].any()
        fates += [
            np.count_nonzero(a & seen) for a in (all_hidden, all_same, seen)
        ]
    np.testing.assert_allclose(fates[:2] / fates[2], [0.8, 0.1], atol=0.01)


@phrases
def test_high_rates_fill_the_row(strategy):
    """Where there are too few words for gaps, there are none."""
    ids = texts(200, shortest=20)
    _, chosen = strategy(vocabulary(), rate=0.95)(ids, np.random.RandomState(0))
    real = ids >= 5
    assert abs(chosen.sum() / real.sum() - 0.95) < 0.01


@phrases
def test_two_texts_in_a_row(strategy):
    """A phrase that meets a special token goes on behind it."""
    ids = np.tile([START, 5, 6, 7, END, 9, 10, 11, END], (3000, 1))
    masking = strategy(vocabulary(), rate=0.5)
    groups = masking.choose(ids, np.random.RandomState(0))
    assert not (groups >= 0)[ids < 5].any()
    assert set(np.count_nonzero(groups >= 0, axis=1)) == {3}
    assert ((groups[:, 3] == groups[:, 5]) & (groups[:, 3] >= 0)).any()


def test_fragments():
    ids = np.tile([START, *range(5, 26), END, 0, 0], (20000, 1))
    masking = FragmentMasking(vocabulary(), rate=10 / 21)
    masked, chosen = masking(ids, np.random.RandomState(0))
    assert (np.count_nonzero(chosen, axis=1) == 10).all()
    first = np.argmax(chosen, axis=1)
    last = chosen.shape[1] - 1 - np.argmax(chosen[:, ::-1], axis=1)
    assert (last - first == 9).all()
    counts = np.bincount(first, minlength=13)[1:13]
    anywhere = np.full(12, 0.6 / 12)
    anywhere[[0, -1]] += 0.2
    test = scipy.stats.chisquare(counts, anywhere * len(ids))
    assert test.pvalue > 0.001
    assert abs(np.mean(masked[chosen] == MASK) - 0.8) < 0.01


def test_half_of_each_row_by_default():
    ids = texts(500, shortest=4)
    _, chosen = FragmentMasking(vocabulary())(ids, np.random.RandomState(0))
    half = np.count_nonzero(ids >= 5, axis=1) / 2
    count = np.count_nonzero(chosen, axis=1)
    assert ((count == np.floor(half)) | (count == np.ceil(half))).all()


@pytest.mark.parametrize(
    ("at_start", "at_end", "first"), [(1.0, 0.0, {1}), (0.0, 1.0, {3})]
)
def test_where_fragments_are(at_start, at_end, first):
    ids = np.tile([START, 5, 6, 7, 8, END], (50, 1))
    masking = FragmentMasking(vocabulary(), at_start=at_start, at_end=at_end)
    _, chosen = masking(ids, np.random.RandomState(0))
    assert {*np.argmax(chosen, axis=1)} == first


def test_boundaries():
    ids, groups = (part[:200] for part in spans(SpanMasking))
    found = span_boundaries(groups)
    assert all(part.dtype == "int32" for part in found)
    for row, *parts in zip(groups >= 0, *found, strict=True):
        for t, chosen in enumerate(row):
            if not chosen:
                assert [part[t] for part in parts] == [0, 0, 0]
                continue
            left, right = t, t
            while row[left]:
                left -= 1
            while row[right]:
                right += 1
            assert [part[t] for part in parts] == [left, right, t - left - 1]
    left, right, _ = found
    at = groups >= 0
    rows = np.nonzero(at)[0]
    assert not at[rows, left[at]].any() and not at[rows, right[at]].any()
    assert ids[rows, left[at]].min() >= 2


def test_boundaries_of_spans_that_touch_and_at_the_edge():
    left, right, offset = span_boundaries([[3, 1, 1, -1, -1, 0]])
    assert left.tolist() == [[0, 0, 0, 0, 0, 4]]
    assert right.tolist() == [[3, 3, 3, 0, 0, 5]]
    assert offset.tolist() == [[0, 1, 2, 0, 0, 0]]
    assert span_boundaries(np.zeros((0, 4), int))[0].shape == (0, 4)
    assert span_boundaries(np.zeros((4, 0), int))[0].shape == (4, 0)


@pytest.mark.parametrize(
    ("strategy", "arguments", "message"),
    [
        (NGramMasking, {"max_words": 0}, "`max_words`.*max_words=0"),
        (SpanMasking, {"max_words": 2.0}, "`max_words`.*max_words=2.0"),
        (SpanMasking, {"p": 0}, "`p`.*above 0.*p=0"),
        (SpanMasking, {"p": 1.5}, "`p`.*p=1.5"),
        (FragmentMasking, {"at_start": -1}, "`at_start`.*at_start=-1"),
        (FragmentMasking, {"at_end": 0.9}, "`at_start` and `at_end`.*0.9"),
    ],
)
def test_wrong_arguments(strategy, arguments, message):
    with pytest.raises(ValueError, match=message):
        strategy(vocabulary(), **arguments)
