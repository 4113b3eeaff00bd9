"""Entities of texts for pre-training: corruption, candidates, targets."""

import numpy as np
import pytest
from masks import texts, vocabulary

from keras_dl.text import EntityAlignments, MaskedBatches, TokenMasking

WORDS = vocabulary(200)


def alignments(rows=40, time=24, share=0.2, entities=30, seed=0):
    generator = np.random.RandomState(seed)
    there = generator.random_sample((rows, time)) < share
    ids = generator.randint(0, entities, (rows, time))
    return np.where(there, ids, -1).astype("int32")


def batches(ids, extra=None, **arguments):
    extra = EntityAlignments(ids) if extra is None else extra
    given = texts(*ids.shape, size=200)
    masking = TokenMasking(WORDS)
    return MaskedBatches(given, masking, WORDS, extras=[extra], **arguments)


def whole(ids, **arguments):
    """All rows in their order, as one batch."""
    extra = EntityAlignments(ids, **arguments)
    return batches(ids, extra, batch_size=len(ids), shuffle=False)[0]


def test_what_is_in_a_batch():
    ids = alignments()
    data = batches(ids, shuffle=False, batch_size=16)
    rows = np.split(ids, [16, 32])
    for (x, y), original in zip(data, rows, strict=True):
        count, limit = len(original), (ids >= 0).sum(1).max()
        shapes = {
            "entity_ids": (count, 24),
            "entity_positions": (count, limit),
            "entity_candidates": (count, 64),
        }
        assert {name: x[name].shape for name in shapes} == shapes
        assert y["entities"].shape == (count, limit)
        assert {x[n].dtype.name for n in shapes} == {"int32"}
        assert y["entities"].dtype == "int32"
        used = y["entities"] >= 0
        np.testing.assert_array_equal(used.sum(1), (original >= 0).sum(1))
        # What the targets point to are the entities at these positions.
        target = np.take_along_axis(
            x["entity_candidates"], np.maximum(y["entities"], 0), 1
        )
        there = np.take_along_axis(original, x["entity_positions"], 1)
        np.testing.assert_array_equal(target[used], there[used])
        assert not x["entity_positions"][~used].any()


@pytest.mark.parametrize("num_candidates", [12, 20, 50])
def test_candidates(num_candidates):
    """Those of the row, then others of the batch, each once."""
    ids = alignments()
    x, _ = whole(ids, num_candidates=num_candidates)
    everything = set(ids[ids >= 0])
    for row, candidates in zip(ids, x["entity_candidates"], strict=True):
        found = candidates[candidates >= 0]
        own = set(row[row >= 0])
        assert len({*found}) == len(found) == min(num_candidates, 30)
        assert set(found[: len(own)]) == own and set(found) <= everything
        assert (candidates[len(found) :] == -1).all()


def test_corruption():
    ids = alignments(rows=5000, share=0.9, entities=50)
    x, _ = whole(ids)
    there, found = ids >= 0, x["entity_ids"]
    assert (found[~there] == -1).all()
    hidden = found[there] == -1
    np.testing.assert_allclose(hidden.mean(), 0.15, atol=0.003)
    replaced = ~hidden & (found[there] != ids[there])
    np.testing.assert_allclose(replaced.mean(), 0.05, atol=0.002)
    counts = np.bincount(found[there][replaced], minlength=50)
    assert counts.min() > 0.6 * counts.mean()


@pytest.mark.parametrize(
    ("replaced", "hidden", "expected"),
    [(0.0, 0.0, "kept"), (0.0, 1.0, "hidden"), (1.0, 0.0, "replaced")],
)
def test_corruption_at_its_ends(replaced, hidden, expected):
    ids = alignments()
    x, _ = whole(ids, replaced=replaced, hidden=hidden)
    found, there = x["entity_ids"], ids >= 0
    if expected == "kept":
        np.testing.assert_array_equal(found, ids)
    elif expected == "hidden":
        assert (found == -1).all()
    else:
        assert (found[there] >= 0).all()
        assert (found[there] != ids[there]).all()


def test_a_single_entity_cannot_be_replaced():
    ids = np.where(alignments() >= 0, 7, -1)
    x, y = whole(ids, replaced=1.0, hidden=0.0)
    np.testing.assert_array_equal(x["entity_ids"], ids)
    assert set(np.unique(y["entities"])) == {-1, 0}


def test_texts_without_entities():
    ids = np.full((10, 24), -1)
    x, y = whole(ids)
    for array in (x["entity_ids"], x["entity_candidates"], y["entities"]):
        assert (array == -1).all()


@pytest.mark.parametrize("dynamic", [True, False])
def test_seeds_epochs_and_resuming(dynamic):
    ids = alignments()

    def epoch(data):
        found = b"".join(x["entity_ids"].tobytes() for x, _ in data)
        data.on_epoch_end()
        return found

    def made(seed):
        return batches(ids, dynamic=dynamic, seed=seed, shuffle=False)

    one, again, other = made(1), made(1), made(2)
    first = [epoch(one) for _ in range(3)]
    assert first == [epoch(again) for _ in range(3)]
    assert len({*first, *(epoch(other) for _ in range(3))}) == 6
    resumed = made(1)
    resumed.epoch = 2
    assert epoch(resumed) == first[2]


def test_the_same_on_every_platform():
    ids = np.array([[3, -1, 5, 8], [-1, 8, -1, 9]])
    extra = EntityAlignments(ids, 0.3, 0.3, num_candidates=5)
    generator = np.random.RandomState(3)
    x, y = extra({}, {}, np.arange(2), generator)
    assert x["entity_ids"].tolist() == [[5, -1, 5, 3], [-1, 8, -1, 9]]
    candidates = [[8, 3, 5, 9, -1], [8, 9, 3, 5, -1]]
    assert x["entity_candidates"].tolist() == candidates
    assert y["entities"].tolist() == [[1, 2, 0], [0, 1, -1]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"entity_ids": [1, 2]}, r"`entity_ids` must be integers.*\(2,\)"),
        ({"entity_ids": [[0.5]]}, "`entity_ids` must be integers.*float64"),
        ({"entity_ids": [[-2]]}, "`entity_ids` must be ids.*Received: -2"),
        ({"replaced": 1.5}, "`replaced` must be a number from 0 to 1"),
        ({"replaced": 0.6, "hidden": 0.6}, "sum of at most 1"),
        ({"num_candidates": 2}, "`num_candidates`.*at least 3"),
    ],
)
def test_arguments(arguments, message):
    given = {"entity_ids": [[0, 1, 2], [2, 2, 2]], **arguments}
    with pytest.raises(ValueError, match=message):
        EntityAlignments(**given)


def test_texts_of_another_shape():
    extra = EntityAlignments(alignments())
    with pytest.raises(ValueError, match=r"`entity_ids`.*\(40, 23\)"):
        batches(alignments(time=23), extra)
