"""Patterns drawn for the rows of batches: shares, segments, seeds."""

import numpy as np
import pytest
from masks import PAD, texts, vocabulary

from keras_dl.text import (
    AttentionPatterns,
    BatchPart,
    MaskedBatches,
    Packed,
    TokenMasking,
)

WORDS = vocabulary(200)
NAMES = "bidirectional", "left_to_right", "right_to_left", "seq2seq"
SHARES = 1 / 3, 1 / 6, 1 / 6, 1 / 3


def packed(rows=50, time=24):
    ids = texts(rows, time, shortest=16, size=200)
    segments = np.where(np.arange(time) > 12, 1, 0) * (ids != PAD)
    return Packed(ids, segments, np.arange(rows) % 2)


def batches(*extras, given=None, **arguments):
    given = packed() if given is None else given
    masking = TokenMasking(WORDS)
    return MaskedBatches(given, masking, WORDS, extras=extras, **arguments)


def drawn(data, epochs=1):
    """The patterns of some epochs, batch by batch."""
    for _ in range(epochs):
        yield [x["attention_pattern"].tolist() for x, _ in data]
        data.on_epoch_end()


def shares_of(ids):
    return np.bincount(np.ravel(ids), minlength=4) / np.size(ids)


def test_shares():
    generator = np.random.RandomState(0)
    ids = AttentionPatterns().draw(10**6, generator)
    assert ids.dtype == "int32" and ids.shape == (10**6,)
    np.testing.assert_allclose(shares_of(ids), SHARES, atol=0.002)
    some = {"right_to_left": 0.25, "seq2seq": 0.75}
    ids = AttentionPatterns(some).draw(10**6, generator)
    np.testing.assert_allclose(shares_of(ids), [0, 0, 0.25, 0.75], atol=0.002)


@pytest.mark.parametrize("number", range(4))
def test_a_single_pattern(number):
    ids = AttentionPatterns({NAMES[number]: 1}).draw(
        1000, np.random.RandomState(0)
    )
    assert (ids == number).all()


def test_one_pattern_for_a_whole_batch():
    patterns, generator = (
        AttentionPatterns(by="batch"),
        np.random.RandomState(0),
    )
    rows = [patterns.draw(3, generator) for _ in range(20000)]
    assert (np.ptp(rows, axis=1) == 0).all()
    firsts = [row[0] for row in rows]
    np.testing.assert_allclose(shares_of(firsts), SHARES, atol=0.015)


def test_the_same_on_every_platform():
    ids = AttentionPatterns().draw(12, np.random.RandomState(3))
    assert ids.tolist() == [2, 3, 0, 2, 3, 3, 0, 0, 0, 1, 0, 1]


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("by", ["row", "batch"])
def test_seeds_epochs_and_resuming(dynamic, by):
    def made(seed=1):
        data = batches(
            AttentionPatterns(by=by), dynamic=dynamic, seed=seed, batch_size=2
        )
        data.duplicates = 2
        return data

    one, again, other = (list(drawn(made(seed), 3)) for seed in (1, 1, 2))
    assert one == again
    assert len({str(epoch) for epoch in one + other}) == 6
    assert len({str(batch) for batch in one[0]}) > 2
    resumed = made()
    resumed.epoch = 2
    assert list(drawn(resumed)) == one[2:]


@pytest.mark.parametrize("dynamic", [True, False])
def test_masks_and_targets_stay_as_they_are(dynamic):
    plain = batches(dynamic=dynamic)
    more = batches(AttentionPatterns(), dynamic=dynamic)
    for (x, y), (others, targets) in zip(plain, more, strict=True):
        assert set(others) == {*x, "attention_pattern"}
        assert others["attention_pattern"].dtype == "int32"
        assert others["attention_pattern"].shape == (len(x["token_ids"]),)
        for name in ("token_ids", "masked_positions"):
            np.testing.assert_array_equal(others[name], x[name])
        assert set(targets) == set(y)
        for name in y:
            np.testing.assert_array_equal(targets[name], y[name])


def test_segments_of_their_own():
    patterns = AttentionPatterns()
    assert patterns.num_segments == 6
    ((x, _), (plain, _)) = (
        batches(*extras, batch_size=50)[0] for extras in ([patterns], [])
    )
    assert x["segment_ids"].dtype == "int32"
    first = plain["segment_ids"] == 0
    ids = {0: (0, 1), 1: (2, 2), 2: (3, 3), 3: (4, 5)}
    for row, pattern in enumerate(x["attention_pattern"]):
        expected = np.where(first[row], *ids[pattern])
        np.testing.assert_array_equal(x["segment_ids"][row], expected)
    assert set(x["attention_pattern"]) == {0, 1, 2, 3}


def test_segments_in_common():
    patterns = AttentionPatterns(distinct_segments=False)
    assert patterns.num_segments == 2
    x, _ = batches(patterns, shuffle=False, batch_size=50)[0]
    np.testing.assert_array_equal(x["segment_ids"], packed().segment_ids)


def test_a_part_of_ones_own():
    """Each part has random numbers of its own."""

    class Noise(BatchPart):
        def __init__(self, name):
            self.name = name

        def __call__(self, x, y, rows, generator):
            return {**x, self.name: generator.random_sample(3)}, {
                **y,
                "r": rows,
            }

    data = batches(Noise("a"), Noise("b"), shuffle=False)
    x, y = data[0]
    np.testing.assert_array_equal(y["r"], np.arange(32))
    values = [*x["a"], *x["b"], *data[1][0]["a"]]
    assert len({*values}) == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shares": {"sideways": 1}}, "`shares` must be one of.*sideways"),
        ({"shares": {"seq2seq": 0.5}}, "`shares` must have the sum 1"),
        (
            {"shares": {"seq2seq": 1.5, "bidirectional": -0.5}},
            "from 0 to 1. Received: shares\\['seq2seq'\\]=1.5",
        ),
        ({"by": "word"}, "`by` must be one of.*'word'"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttentionPatterns(**arguments)


def test_texts_that_do_not_fit():
    ids, segments, _ = packed()
    segments[7] = 0
    with pytest.raises(ValueError, match="two segments.*row 7 with one"):
        batches(AttentionPatterns(), given=Packed(ids, segments, None))
    alone = AttentionPatterns({"left_to_right": 1})
    batches(alone, given=Packed(ids, segments, None))
    with pytest.raises(ValueError, match="segment ids 0 and 1.*Received: 2"):
        batches(alone, given=Packed(ids, 2 * segments, None))
    with pytest.raises(TypeError, match="`extras` must be.*Received: 'l2r'"):
        batches("l2r")
