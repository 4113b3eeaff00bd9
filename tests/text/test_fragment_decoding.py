"""What a decoder reads and writes of hidden fragments."""

import numpy as np
import pytest
from masks import END, MASK, PAD, START, texts, vocabulary

from keras_dl.text import (
    FragmentDecoding,
    FragmentMasking,
    MaskedBatches,
    SpanMasking,
    WordVocabulary,
)

WORDS = vocabulary(200)


def made(given, masking=None, batch_size=64, part=None, **arguments):
    masking = FragmentMasking(WORDS) if masking is None else masking
    part = FragmentDecoding(WORDS) if part is None else part
    return MaskedBatches(
        given, masking, WORDS, batch_size, extras=[part], **arguments
    )


@pytest.mark.parametrize(
    ("where", "hidden", "read", "positions", "written"),
    [
        ("at_start", [2, 4, 4, 7, 8, 3], [2, 5], [0, 1], [5, 6]),
        ("at_end", [2, 5, 6, 4, 4, 3], [6, 7], [2, 3], [7, 8]),
    ],
)
def test_an_example(where, hidden, read, positions, written):
    ids = np.array([[START, 5, 6, 7, 8, END, PAD, PAD]])
    shares = {"at_start": 0.0, "at_end": 0.0, where: 1.0}
    masking = FragmentMasking(WORDS, mask=1.0, random=0.0, **shares)
    x, y = made(ids, masking)[0]
    visible = [id != MASK for id in hidden]
    expected = {
        "token_ids": [*hidden, PAD, PAD],
        "segment_ids": 8 * [0],
        "decoder_ids": [*read, PAD, PAD],
        "decoder_positions": [*positions, 0, 0],
        "memory_mask": [*visible, True, True],
    }
    assert {name: array[0].tolist() for name, array in x.items()} == expected
    assert {k: v.tolist() for k, v in y.items()} == {
        "fragment": [[*written, PAD, PAD]]
    }
    dtypes = {name: array.dtype.name for name, array in (x | y).items()}
    assert dtypes.pop("memory_mask") == "bool"
    assert {*dtypes.values()} == {"int32"}


def test_what_is_hidden_in_pieces():
    """Two texts in a row; one hidden token stays, one becomes another."""
    x = {
        "token_ids": np.array([[START, 5, 6, END, 99, MASK, 9, END]], "int32"),
        "masked_positions": np.array([[2, 4, 5, 0]], "int32"),
    }
    y = {"masked_tokens": np.array([[6, 7, 8, -1]], "int32")}
    part = FragmentDecoding(WORDS, masked_tokens=True)
    found, targets = part(x, y, np.arange(1), None)
    assert found["decoder_ids"].tolist() == [[5, END, 7, PAD]]
    assert found["decoder_positions"].tolist() == [[1, 3, 4, 0]]
    assert targets["fragment"].tolist() == [[6, 7, 8, PAD]]
    assert (~found["memory_mask"]).nonzero()[1].tolist() == [5]
    # What was there stays as it was.
    assert set(found) - set(x) == {
        "decoder_ids",
        "decoder_positions",
        "memory_mask",
    }
    assert x["token_ids"][0, 4] == 99
    np.testing.assert_array_equal(targets["masked_tokens"], y["masked_tokens"])


def test_the_last_token_is_only_written():
    """Neither the encoder nor the decoder gets to know it."""
    masking = FragmentMasking(WORDS, mask=1.0, random=0.0, at_end=0.8)
    one = texts(1, 12, size=200)
    place = made(one, masking)[0][0]["decoder_positions"].max() + 1
    other = one.copy()
    other[0, place] = 5 if one[0, place] != 5 else 6
    (x, y), (same, changed) = (made(ids, masking)[0] for ids in (one, other))
    for name, array in x.items():
        np.testing.assert_array_equal(array, same[name])
    assert np.count_nonzero(y["fragment"] != changed["fragment"]) == 1


def test_the_decoder_may_see_masks():
    part = FragmentDecoding(WORDS, hides_masks=False)
    x, _ = made(texts(3, 12, size=200), part=part)[0]
    assert "memory_mask" not in x


@pytest.mark.parametrize("strategy", [FragmentMasking, SpanMasking])
def test_each_token_is_read_after_it_is_written(strategy):
    """And the first of each piece is one that the encoder sees."""
    given = texts(200, 24, shortest=8, size=200)
    x, y = made(given, strategy(WORDS), 200, shuffle=False)[0]
    used = y["fragment"] != PAD
    rows, slots = np.nonzero(used)
    places = x["decoder_positions"][used]
    np.testing.assert_array_equal(x["decoder_ids"][used], given[rows, places])
    np.testing.assert_array_equal(y["fragment"][used], given[rows, places + 1])
    later = (slots > 0) & (
        places == x["decoder_positions"][rows, np.maximum(slots - 1, 0)] + 1
    )
    written = y["fragment"][rows[later], slots[later] - 1]
    np.testing.assert_array_equal(x["decoder_ids"][used][later], written)
    seen = x["token_ids"][rows, places]
    np.testing.assert_array_equal(seen[~later], x["decoder_ids"][used][~later])
    assert later.any() and (~later).any()
    if strategy is FragmentMasking:
        assert np.count_nonzero(~later) == 200
    for name in ("decoder_ids", "decoder_positions"):
        assert not x[name][~used].any()


def test_one_token_is_told_from_the_encoder_alone():
    """The paper's case k = 1: the decoder reads nothing that is hidden."""
    masking = FragmentMasking(WORDS, max_predictions=1, mask=1.0, random=0.0)
    x, y = made(texts(50, 24, size=200), masking)[0]
    assert (y["fragment"] != PAD).all() and y["fragment"].shape == (50, 1)
    seen = np.take_along_axis(x["token_ids"], x["decoder_positions"], 1)
    np.testing.assert_array_equal(x["decoder_ids"], seen)
    assert (seen != MASK).all()


def test_shares():
    """Half of each text; 20 % at each end; 80, 10 and 10 %."""
    given = texts(8000, size=200)
    x, y = made(given, batch_size=8000, shuffle=False)[0]
    used = y["fragment"] != PAD
    assert (used.sum(1) == 63).all()
    first = x["decoder_positions"][:, 0]
    assert first.min() == 0 and first.max() == 63
    expected = 0.2 + 0.6 / 64
    for place in (0, 63):
        assert abs(np.mean(first == place) - expected) < 0.015
    rows = np.nonzero(used)[0]
    shown = x["token_ids"][rows, x["decoder_positions"][used] + 1]
    assert len(shown) > 500_000
    same = np.mean(shown == y["fragment"][used])
    assert abs(np.mean(shown == MASK) - 0.8) < 0.003
    # A random token is one time in 195 the one that it replaces.
    assert abs(same - 0.1 - 0.1 / 195) < 0.003


def test_the_same_after_resuming():
    def epoch(number):
        batches = made(texts(50, 24, size=200), batch_size=16, seed=3)
        batches.epoch = number
        return [part for x, y in batches for part in (x | y).values()]

    for one, other in zip(epoch(2), epoch(2), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(epoch(1)[0], epoch(2)[0])


def test_bad_input():
    with pytest.raises(TypeError, match="`vocabulary`"):
        FragmentDecoding(["a"])
    with pytest.raises(ValueError, match="mask"):
        FragmentDecoding(WordVocabulary(["a"]))
    with pytest.raises(
        ValueError, match="`packed`.*row 1, which begins with 7"
    ):
        made(np.array([[START, 5, 6], [7, 8, 9]]))
