"""MaskedBatches: what is in them, which masks they have, and `fit`."""

import keras
import numpy as np
import pytest
from masks import MASK, PAD, texts, units, vocabulary

from keras_dl.text import (
    MaskedBatches,
    Packed,
    PhraseMasking,
    SpanMasking,
    TokenMasking,
    WholeWordMasking,
    WordVocabulary,
    masked_positions,
    span_boundaries,
)

WORDS = vocabulary(200)


def packed(rows=50, time=24):
    ids = texts(rows, time, shortest=8, size=200)
    segments = np.where(np.arange(time) > 12, 1, 0) * (ids != PAD)
    return Packed(ids, segments, np.arange(rows) % 2)


def made(masking=TokenMasking, given=None, **arguments):
    given = packed() if given is None else given
    masking = masking(WORDS) if isinstance(masking, type) else masking
    return MaskedBatches(given, masking, WORDS, **arguments)


def epochs(batches, number):
    """The hidden ids of some epochs."""
    for _ in range(number):
        yield np.concatenate([x["token_ids"] for x, _ in batches])
        batches.on_epoch_end()


def restored(x, y):
    """The ids before some were hidden, and which were."""
    ids, chosen = x["token_ids"].copy(), np.zeros(x["token_ids"].shape, bool)
    rows, slots = np.nonzero(y["masked_tokens"] != -1)
    places = x["masked_positions"][rows, slots]
    ids[rows, places] = y["masked_tokens"][rows, slots]
    chosen[rows, places] = True
    return ids, chosen


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("shuffle", [True, False])
def test_what_is_in_a_batch(dynamic, shuffle):
    given = packed()
    batches = made(dynamic=dynamic, shuffle=shuffle, batch_size=16)
    found = []
    for x, y in batches:
        rows = len(x["token_ids"])
        assert {k: v.shape for k, v in x.items()} == {
            "token_ids": (rows, 24),
            "segment_ids": (rows, 24),
            "masked_positions": (rows, 4),
        }
        assert {k: v.shape for k, v in y.items()} == {
            "masked_tokens": (rows, 4),
            "next_sentence": (rows,),
        }
        assert {v.dtype.name for v in [*x.values(), *y.values()]} == {"int32"}
        ids, chosen = restored(x, y)
        assert (x["token_ids"][~chosen] == ids[~chosen]).all()
        assert (ids[chosen] >= 5).all()
        positions, weights = masked_positions(chosen, limit=4)
        np.testing.assert_array_equal(x["masked_positions"], positions)
        np.testing.assert_array_equal(y["masked_tokens"] != -1, weights > 0)
        assert chosen.any(axis=1).all()
        found += zip(
            ids.tolist(),
            x["segment_ids"].tolist(),
            y["next_sentence"].tolist(),
            strict=True,
        )
    expected = [*zip(*(part.tolist() for part in given), strict=True)]
    assert (found == expected) == (not shuffle)
    assert sorted(found) == sorted(expected)


def test_dynamic_masks_change_with_epoch_and_seed():
    one, again, other = (
        [*epochs(made(shuffle=False, seed=seed), 3)] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    everything = [e.tobytes() for e in [*one, *other]]
    assert len({*everything}) == 6
    resumed = made(shuffle=False, seed=1)
    resumed.epoch = 2
    np.testing.assert_array_equal(next(epochs(resumed, 1)), one[2])


def test_batches_of_an_epoch_have_masks_of_their_own():
    same = Packed(np.tile(packed().token_ids[:1], (20, 1)), None, None)
    (one, _), (other, _) = made(given=same, batch_size=10, shuffle=False)
    assert not np.array_equal(one["token_ids"], other["token_ids"])


def test_static_masks_come_again():
    batches = made(dynamic=False, duplicates=3, shuffle=False)
    found = [e.tobytes() for e in epochs(batches, 7)]
    assert found[:3] == found[3:6] and found[6] == found[0]
    assert len({*found}) == 3
    other = made(dynamic=False, duplicates=3, shuffle=False, seed=1)
    assert not {e.tobytes() for e in epochs(other, 3)} & {*found}


def test_static_masks_do_not_depend_on_batches():
    def by_text(**arguments):
        batches = made(dynamic=False, duplicates=2, **arguments)
        batches.epoch = 3
        return sorted(
            (ids.tolist(), hidden.tolist())
            for x, y in batches
            for ids, hidden in zip(
                restored(x, y)[0], x["token_ids"], strict=True
            )
        )

    expected = by_text(batch_size=50, shuffle=False)
    assert by_text(batch_size=7, shuffle=True) == expected
    assert by_text(batch_size=13, shuffle=False) == expected


def test_static_masks_of_many_rows():
    """More rows than are masked together."""
    given = np.tile(packed().token_ids[:1], (3000, 1))
    x, y = made(given=given, dynamic=False, batch_size=3000, shuffle=False)[0]
    ids, chosen = restored(x, y)
    np.testing.assert_array_equal(ids, given)
    assert not np.array_equal(chosen[:1024], chosen[1024:2048])
    assert not np.array_equal(chosen[:952], chosen[2048:])


def test_an_array_of_ids():
    ids = packed().token_ids
    x, y = made(given=ids, batch_size=50, shuffle=False)[0]
    assert not x["segment_ids"].any() and x["segment_ids"].shape == ids.shape
    assert set(y) == {"masked_tokens"}
    np.testing.assert_array_equal(restored(x, y)[0], ids)


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("first", [0, 1])
def test_boundaries(dynamic, first):
    """Also where the first token of a row may be chosen."""
    given = packed(time=60).token_ids[:, first:]
    masking = SpanMasking(WORDS, mask=1.0, random=0.0)
    batches = made(masking, given, boundaries=True, dynamic=dynamic, seed=2)
    for x, y in batches:
        chosen = x["token_ids"] == MASK
        used = y["masked_tokens"] != -1
        parts = span_boundaries(np.where(chosen, 0, -1))
        names = "span_left", "span_right", "span_offset"
        for name, part in zip(names, parts, strict=True):
            assert x[name].dtype == "int32" and x[name].shape == used.shape
            np.testing.assert_array_equal(x[name][used], part[chosen])
            assert not x[name][~used].any()
        assert x["span_offset"].max() > 2


@pytest.mark.parametrize("dynamic", [True, False])
def test_units(dynamic):
    given = packed()
    numbers = units(given.token_ids)
    batches = made(PhraseMasking, units=numbers, dynamic=dynamic, shuffle=True)
    order = {row.tobytes(): i for i, row in enumerate(given.token_ids)}
    chosen_sizes = set()
    for x, y in batches:
        ids, chosen = restored(x, y)
        for row, yes in zip(ids, chosen, strict=True):
            number = numbers[order[row.tobytes()]]
            for unit in {*number[yes]}:
                assert yes[number == unit].all()
                chosen_sizes.add(np.count_nonzero(number == unit))
    assert {1, 2} <= chosen_sizes


def test_limit():
    assert made().limit == 4
    assert made(limit=9)[0][1]["masked_tokens"].shape == (32, 9)
    assert made(TokenMasking(WORDS, max_predictions=2)).limit == 2
    with pytest.raises(ValueError, match="`limit`.*at least 4.*limit=3"):
        made(limit=3)


def test_drop_remainder():
    assert [len(y["masked_tokens"]) for _, y in made(drop_remainder=True)] == [
        32
    ]


def test_fit_learns_to_fill_in():
    """Each token is its neighbours' number: what is hidden can be told."""
    ids = np.repeat(np.arange(5, 25), 6)[:, None] * np.ones(12, int)
    batches = made(WholeWordMasking(WORDS, 0.3, 1.0, 0.0), ids, batch_size=40)
    inputs = {
        name: keras.Input((size,), dtype="int32", name=name)
        for name, size in {
            "token_ids": 12,
            "segment_ids": 12,
            "masked_positions": batches.limit,
        }.items()
    }
    vectors = keras.layers.Embedding(200, 16)(inputs["token_ids"])
    context = keras.layers.GlobalAveragePooling1D()(vectors)
    logits = keras.layers.Dense(200)(context)
    outputs = keras.layers.RepeatVector(batches.limit)(logits)
    model = keras.Model(inputs, {"masked_tokens": outputs})
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=-1
    )
    model.compile(keras.optimizers.Adam(0.1), {"masked_tokens": loss})
    losses = model.fit(batches, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < 0.3 < 2 < losses[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"masking": "span"}, TypeError, "`masking`.*Received: 'span'"),
        ({"vocabulary": ["a"]}, TypeError, "`vocabulary`.*list"),
        (
            {"vocabulary": WordVocabulary(["a"])},
            ValueError,
            "`vocabulary`.*5 tokens, other than the 200",
        ),
        ({"packed": [5, 6]}, ValueError, r"`packed`.*\(2,\)"),
        ({"packed": [[0.5]]}, ValueError, "`packed`.*float64"),
        ({"packed": [[5, 200]]}, ValueError, "`packed`.*199. Received: 200"),
        ({"packed": np.zeros((3, 0), int)}, ValueError, r"`packed`.*\(3, 0\)"),
        ({"packed": np.zeros((0, 3), int)}, ValueError, "not a single batch"),
        (
            {"packed": Packed(np.full((2, 3), 5), np.zeros((2, 2), int), None)},
            ValueError,
            r"`segment_ids`.*\(2, 3\).*\(2, 2\)",
        ),
        (
            {"packed": Packed(np.full((2, 3), 5), None, [0.5, 1])},
            ValueError,
            "`labels`.*float64",
        ),
        (
            {"units": np.zeros((50, 23), int)},
            ValueError,
            r"`units`.*\(50, 24\)",
        ),
        ({"duplicates": 0}, ValueError, "`duplicates`.*duplicates=0"),
        ({"batch_size": 0}, ValueError, "`batch_size`.*batch_size=0"),
        ({"seed": -1}, ValueError, "`seed`.*seed=-1"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    given = {
        "packed": packed(),
        "masking": TokenMasking(WORDS),
        "vocabulary": WORDS,
        **arguments,
    }
    with pytest.raises(error, match=message):
        MaskedBatches(**given)


def test_an_equal_vocabulary_will_do():
    MaskedBatches(packed(), TokenMasking(WORDS), vocabulary(200))
