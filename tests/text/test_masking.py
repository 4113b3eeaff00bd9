"""What all masking strategies promise, and the masking of single tokens."""

import functools

import numpy as np
import pytest
import scipy.stats
from masks import ALL, END, MASK, PAD, START, UNKNOWN, parts, texts, vocabulary

from keras_dl.text import (
    FragmentMasking,
    Masking,
    SpanMasking,
    TokenMasking,
    WordVocabulary,
    masked_positions,
)

strategies = pytest.mark.parametrize("strategy", ALL)
# Rows of words of one, two and three tokens, two texts, and padding.
ROWS = np.array(
    [
        [2, 5, 8, 6, 9, 12, 16, 7, 10, 11, 13, 3],
        [2, 5, 6, 7, 3, 9, 8, 10, 3, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
)
# What the seed 6 makes of the first two.
GOLDEN = {
    "TokenMasking": [
        [2, 16, 4, 6, 9, 11, 16, 7, 10, 11, 13, 3],
        [2, 4, 4, 7, 3, 9, 4, 10, 3, 0, 0, 0],
    ],
    "WholeWordMasking": [
        [2, 19, 4, 4, 9, 12, 16, 7, 10, 11, 13, 3],
        [2, 4, 6, 4, 3, 9, 8, 10, 3, 0, 0, 0],
    ],
    "PhraseMasking": [
        [2, 15, 13, 4, 9, 12, 16, 7, 10, 11, 13, 3],
        [2, 19, 11, 8, 3, 9, 8, 10, 3, 0, 0, 0],
    ],
    "NGramMasking": [
        [2, 4, 12, 6, 9, 12, 16, 7, 4, 4, 13, 3],
        [2, 7, 9, 7, 3, 9, 8, 4, 3, 0, 0, 0],
    ],
    "SpanMasking": [
        [2, 4, 4, 6, 9, 12, 16, 7, 7, 4, 13, 3],
        [2, 5, 6, 4, 3, 4, 4, 10, 3, 0, 0, 0],
    ],
    "FragmentMasking": [
        [2, 17, 4, 18, 4, 12, 16, 7, 10, 11, 13, 3],
        [2, 4, 15, 7, 3, 9, 8, 10, 3, 0, 0, 0],
    ],
}


@functools.cache
def million(strategy):
    """A million tokens, chosen from and hidden, by each strategy once."""
    ids = texts(9200, shortest=100)
    generator = np.random.RandomState(1)
    ids[generator.random_sample(ids.shape) < 0.005] = UNKNOWN
    ids[::2, 50] = END
    masking = strategy(vocabulary())
    groups = masking.choose(ids, generator, **parts(masking, ids))
    assert np.count_nonzero(ids >= 5) > 10**6
    return masking, ids, groups, masking.replace(ids, groups, generator)


@strategies
def test_share_of_tokens(strategy):
    masking, ids, groups, _ = million(strategy)
    real, chosen = ids >= 5, groups >= 0
    share = np.count_nonzero(chosen) / np.count_nonzero(real)
    assert abs(share - masking.rate) < 0.002
    per_row = np.count_nonzero(chosen, axis=1)
    exact = np.count_nonzero(real, axis=1) * masking.rate
    assert (per_row <= np.ceil(exact)).all()
    assert (per_row >= np.floor(exact) - 4).all()
    assert per_row.max() <= masking.limit(ids.shape[1])


@strategies
def test_what_becomes_of_chosen_tokens(strategy):
    _, ids, groups, masked = million(strategy)
    chosen = groups >= 0
    assert masked.dtype == "int32"
    np.testing.assert_array_equal(masked[~chosen], ids[~chosen])
    if strategy is SpanMasking:
        # The draws are independent for spans, not for tokens; there are fewer.
        new = np.ones(ids.shape, bool)
        new[:, 1:] = groups[:, 1:] != groups[:, :-1]
        chosen &= new
    hidden = np.mean(masked[chosen] == MASK)
    same = np.mean(masked[chosen] == ids[chosen])
    tolerance = 0.003 if strategy is not SpanMasking else 0.01
    assert abs(hidden - 0.8) < tolerance
    assert abs(same - 0.1) < tolerance
    assert abs(1 - hidden - same - 0.1) < tolerance


@strategies
def test_special_tokens_are_left_alone(strategy):
    _, ids, groups, masked = million(strategy)
    special = ids < 5
    assert special.sum() > 10000 and (groups[special] == -1).all()
    np.testing.assert_array_equal(masked[special], ids[special])
    assert set(masked[groups >= 0][masked[groups >= 0] < 5]) == {MASK}


@strategies
def test_random_tokens_are_uniform_and_never_special(strategy):
    masking = strategy(vocabulary(20), mask=0.0, random=1.0)
    ids = texts(2000, size=20)
    masked, chosen = masking(
        ids, np.random.RandomState(0), **parts(masking, ids)
    )
    counts = np.bincount(masked[chosen], minlength=20)
    assert counts[:5].sum() == 0
    assert scipy.stats.chisquare(counts[5:]).pvalue > 0.001


@strategies
def test_the_seed_decides(strategy):
    masking = strategy(vocabulary())
    ids = texts(20)

    def made(seed):
        generator = np.random.RandomState(seed)
        return masking(ids, generator, **parts(masking, ids))

    for one, again, other in zip(made(1), made(1), made(2), strict=True):
        np.testing.assert_array_equal(one, again)
        assert not np.array_equal(one, other)


@strategies
def test_masks_stay_the_same_for_ever(strategy):
    masking = strategy(vocabulary(20), rate=0.4, mask=0.6, random=0.3)
    generator = np.random.RandomState(6)
    masked, _ = masking(ROWS, generator, **parts(masking, ROWS))
    assert masked[:2].tolist() == GOLDEN[strategy.__name__]


@strategies
@pytest.mark.parametrize("ids", [np.zeros((0, 8), int), np.zeros((3, 0), int)])
def test_no_tokens(strategy, ids):
    masking = strategy(vocabulary())
    masked, chosen = masking(
        ids, np.random.RandomState(0), **parts(masking, ids)
    )
    assert masked.shape == chosen.shape == ids.shape
    assert chosen.dtype == bool


@strategies
def test_rows_of_special_tokens_alone(strategy):
    masking = strategy(vocabulary())
    ids = np.array([[PAD] * 6, [START, END, PAD, PAD, PAD, PAD]])
    masked, chosen = masking(
        ids, np.random.RandomState(0), **parts(masking, ids)
    )
    assert not chosen.any()
    np.testing.assert_array_equal(masked, ids)


@strategies
def test_one_token_is_chosen_where_there_is_one(strategy):
    masking = strategy(vocabulary())
    ids = np.tile([START, 5, END, PAD], (50, 1))
    groups = masking.choose(
        ids, np.random.RandomState(0), **parts(masking, ids)
    )
    np.testing.assert_array_equal(groups >= 0, ids == 5)


@strategies
def test_max_predictions(strategy):
    masking = strategy(vocabulary(), max_predictions=4)
    ids = texts(300)
    _, chosen = masking(ids, np.random.RandomState(0), **parts(masking, ids))
    assert np.count_nonzero(chosen, axis=1).max() == 4
    assert masking.limit(128) == 4 and masking.limit(1) == 1


@strategies
def test_what_comes_in_is_not_changed(strategy):
    masking, ids = strategy(vocabulary()), texts(9)
    before = ids.copy()
    masking(ids, np.random.RandomState(0), **parts(masking, ids))
    np.testing.assert_array_equal(ids, before)


@pytest.mark.parametrize("length", [7, 10, 17, 30])
def test_rounding_has_no_bias(length):
    """Rounded to the nearest number, 10 tokens would always give 2."""
    ids = np.full((20000, length), 5)
    _, chosen = TokenMasking(vocabulary())(ids, np.random.RandomState(0))
    per_row = np.count_nonzero(chosen, axis=1)
    exact = 0.15 * length
    assert {*per_row} <= {np.floor(exact), np.ceil(exact)}
    assert abs(per_row.mean() - exact) < 0.02


def test_single_tokens_are_chosen_everywhere_alike():
    _, ids, groups, _ = million(TokenMasking)
    full = (ids[:, 1:100] >= 5).all(axis=1)
    counts = np.count_nonzero(groups[full, 1:100] >= 0, axis=0)
    expected = counts.mean()
    # A little less than the spread of independent draws.
    assert (np.abs(counts - expected) < 5 * expected**0.5).all()
    assert counts.std() > 0.5 * expected**0.5


def test_tokens_are_their_own_groups():
    groups = TokenMasking(vocabulary(), rate=0.9).choose(
        ROWS, np.random.RandomState(0)
    )
    for row in groups:
        chosen = row[row >= 0]
        assert len({*chosen}) == len(chosen)


@pytest.mark.parametrize(("rate", "limit"), [(0.15, 20), (0.5, 64), (0.001, 1)])
def test_limit(rate, limit):
    assert TokenMasking(vocabulary(), rate).limit(128) == limit


def test_the_cls_and_sep_of_others_are_special():
    """Whatever the vocabulary calls special, wherever its ids are."""
    tokenizers = pytest.importorskip("tokenizers")
    from keras_dl.text import as_vocabulary

    words = {"a": 0, "[CLS]": 1, "b": 2, "[SEP]": 3, "[MASK]": 4, "[PAD]": 5}
    model = tokenizers.models.WordLevel({**words, "[UNK]": 6}, "[UNK]")
    found = as_vocabulary(tokenizers.Tokenizer(model))
    masking = TokenMasking(found, rate=0.99, mask=0.5, random=0.5)
    ids = np.tile([1, 0, 2, 0, 3, 5], (500, 1))
    masked, chosen = masking(ids, np.random.RandomState(0))
    np.testing.assert_array_equal(chosen.any(axis=0), [0, 1, 1, 1, 0, 0])
    assert {*masked[chosen]} == {0, 2, 4}


def test_masked_positions():
    chosen = np.random.RandomState(0).random_sample((40, 30)) < 0.2
    chosen[3] = False
    positions, weights = masked_positions(chosen, limit=15)
    assert positions.dtype == "int32" and weights.dtype == "float32"
    for row, got, weight in zip(chosen, positions, weights, strict=True):
        where = [at for at, yes in enumerate(row) if yes]
        rest = 15 - len(where)
        assert got.tolist() == where + [0] * rest
        assert weight.tolist() == [1] * len(where) + [0] * rest
    positions, weights = masked_positions(np.zeros((0, 7), bool), limit=2)
    assert positions.shape == weights.shape == (0, 2)


def test_too_many_positions():
    with pytest.raises(ValueError, match=r"`limit`.*at least 3.*limit=2"):
        masked_positions(np.ones((1, 3), bool), limit=2)


def test_the_base_chooses_nothing():
    with pytest.raises(NotImplementedError):
        Masking(vocabulary()).choose(ROWS, np.random.RandomState(0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": 0}, "`rate`.*above 0.*rate=0"),
        ({"rate": 1.0}, "`rate`.*below 1.*rate=1.0"),
        ({"rate": True}, "`rate`.*rate=True"),
        ({"mask": -0.1}, "`mask`.*mask=-0.1"),
        ({"random": "0.1"}, "`random`.*random='0.1'"),
        ({"mask": 0.8, "random": 0.3}, "`mask` and `random`.*random=0.3"),
        ({"max_predictions": 0}, "`max_predictions`.*max_predictions=0"),
        ({"vocabulary": WordVocabulary(["a"])}, r"\[MASK\].*mask_id=None"),
        (
            {"vocabulary": WordVocabulary([], special_tokens=["[MASK]"])},
            "`random`.*random=0.1",
        ),
    ],
)
@strategies
def test_wrong_arguments(strategy, arguments, message):
    with pytest.raises(ValueError, match=message):
        strategy(**{"vocabulary": vocabulary(20), **arguments})


def test_shares_that_add_up_to_one_are_right():
    assert TokenMasking(vocabulary(), mask=0.9, random=0.1).random == 0.1
    FragmentMasking(vocabulary(), at_start=0.7, at_end=0.3)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([5, 6], r"`ids`.*\(2,\)"),
        ([[5.0, 6.0]], "`ids`.*float64"),
        ([[5, 20]], "`ids`.*0 to 19. Received: 20"),
        ([[5, -1]], "`ids`.*Received: -1"),
    ],
)
def test_wrong_ids(ids, message):
    masking = TokenMasking(vocabulary(20))
    with pytest.raises(ValueError, match=message):
        masking(ids, np.random.RandomState(0))


def test_wrong_types():
    with pytest.raises(TypeError, match="`vocabulary`.*Received: list"):
        TokenMasking(["a"])
    for generator in (0, None, np.random.default_rng(0)):
        with pytest.raises(TypeError, match="`generator`.*RandomState"):
            TokenMasking(vocabulary())(ROWS, generator)
