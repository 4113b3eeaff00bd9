"""Masks by pattern, against loops that say who sees whom."""

import keras
import numpy as np
import pytest
from keras import ops
from sequences import compiled

from keras_dl.layers import attention_pattern_mask
from keras_dl.layers.attention.attention_patterns import ATTENTION_PATTERNS

TARGET = np.array(5 * [[0, 0, 1, 1, 1]], bool)
SEES = {
    "bidirectional": lambda i, j: True,
    "left_to_right": lambda i, j: j <= i,
    "right_to_left": lambda i, j: j >= i,
    "seq2seq": lambda i, j: j < 2 or (i >= 2 and j <= i),
}


def expected(*names):
    rows = [
        [[SEES[name](i, j) for j in range(5)] for i in range(5)]
        for name in names
    ]
    return np.array(rows, bool)


def found(*args):
    return ops.convert_to_numpy(attention_pattern_mask(*args))


@pytest.mark.parametrize("number", range(4))
def test_each_pattern(number):
    mask = found(np.array([number]), 5, TARGET[:1])
    np.testing.assert_array_equal(mask, expected(ATTENTION_PATTERNS[number]))


def test_a_source_does_not_see_the_target_before_it():
    mask = found(np.array([3]), 3, np.array([[True, False, False]]))
    np.testing.assert_array_equal(
        mask, [[[True] * 3, [False, True, True], [False, True, True]]]
    )


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_each_row_has_its_own(shape):
    patterns = np.array([3, 0, 2, 1, 3], "int32").reshape(shape)
    names = [ATTENTION_PATTERNS[i] for i in patterns.ravel()]
    mask = found(patterns, 5, TARGET)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, expected(*names))


@pytest.mark.compiled
def test_compiled():
    """Patterns and targets may both be unknown when it is compiled."""

    def mask(patterns, target):
        return attention_pattern_mask(patterns, ops.shape(target)[1], target)

    run = compiled(keras.Layer(), mask)
    for patterns in ([3, 1, 0, 2, 3], [2, 2, 3, 0, 1]):
        names = [ATTENTION_PATTERNS[i] for i in patterns]
        np.testing.assert_array_equal(
            ops.convert_to_numpy(run(np.array(patterns, "int32"), TARGET)),
            expected(*names),
        )


def test_targets_of_different_lengths():
    target = np.array([[0, 1, 1, 1, 0], [0, 0, 0, 1, 1]], bool)
    mask = found(np.array([3, 3]), 5, target)
    assert mask[0, 2].tolist() == [True, True, True, False, True]
    for source in (0, 4):
        assert mask[0, source].tolist() == [True, False, False, False, True]
    assert mask[1, 0].tolist() == [True, True, True, False, False]
    assert mask[1, 3].tolist() == [True, True, True, True, False]


def test_without_a_target_all_is_source():
    assert found(np.array([3]), 3).all()


def test_a_pattern_that_there_is_not_allows_nothing():
    assert not found(np.array([4, -1]), 5, TARGET[:2]).any()
