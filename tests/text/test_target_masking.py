"""Masking of the second segment alone, its end included."""

import numpy as np
import pytest
from masks import END, MASK, PAD, texts, vocabulary

from keras_dl.text import MaskedBatches, Packed, TargetMasking

WORDS = vocabulary(200)


def pairs(rows=400, time=30):
    """Texts whose second segment begins behind the tenth token."""
    ids = texts(rows, time, shortest=14, size=200)
    ids[:, 10] = END
    return ids, np.where(np.arange(time) > 10, 1, 0) * (ids != PAD)


def chosen_of(masking, ids, segments, seed=0):
    generator = np.random.RandomState(seed)
    return masking.choose(ids, generator, segment_ids=segments) >= 0


def test_targets_alone_with_their_end():
    ids, segments = pairs()
    chosen = chosen_of(TargetMasking(WORDS), ids, segments)
    assert not chosen[segments == 0].any()
    ends = (ids == END) & (segments == 1)
    assert 0.6 < chosen[ends].mean() < 0.8
    target = segments == 1
    np.testing.assert_allclose(chosen[target].mean(), 0.7, atol=0.005)
    share = chosen.sum(1) / target.sum(1)
    assert np.abs(share * target.sum(1) - 0.7 * target.sum(1)).max() < 1


def test_odd_segments_are_the_target():
    ids, segments = pairs()
    one, other = (
        chosen_of(TargetMasking(WORDS), ids, s)
        for s in (segments, segments + 4)
    )
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dynamic", [True, False])
def test_in_batches(dynamic):
    ids, segments = pairs()
    masking = TargetMasking(WORDS, rate=0.5, mask=1.0, random=0.0)
    batches = MaskedBatches(
        Packed(ids, segments, None), masking, WORDS, dynamic=dynamic
    )
    hidden = 0
    for x, y in batches:
        masked = x["token_ids"] == MASK
        assert not masked[x["segment_ids"] == 0].any()
        assert (masked.sum(1) == (y["masked_tokens"] >= 0).sum(1)).all()
        hidden += masked.sum()
    np.testing.assert_allclose(hidden / (segments == 1).sum(), 0.5, atol=0.02)


def test_at_most_so_many():
    ids, segments = pairs()
    masking = TargetMasking(WORDS, max_predictions=3)
    assert chosen_of(masking, ids, segments).sum(1).max() == 3
