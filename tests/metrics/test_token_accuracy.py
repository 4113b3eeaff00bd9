"""The share of tokens that are right."""

import numpy as np
import pytest

from keras_dl.metrics import TokenAccuracy
from keras_dl.testing import check_metric

Y_TRUE = np.array([[0, 1, -1], [2, 2, 1]])
RIGHT = np.array([[1, 0, 1], [1, 1, 0]])
LOGITS = (
    np.random.default_rng(0).random((2, 3, 3))
    + 3 * np.eye(3)[np.where(RIGHT, Y_TRUE, (Y_TRUE + 1) % 3)]
)


def test_contract():
    check_metric(
        lambda: TokenAccuracy(ignore_class=-1),
        [(Y_TRUE[:1], LOGITS[:1]), (Y_TRUE[1:], LOGITS[1:])],
        3 / 5,
    )


def test_every_class_counts_by_default():
    metric = TokenAccuracy()
    metric.update_state(np.abs(Y_TRUE), LOGITS)
    np.testing.assert_allclose(float(metric.result()), 3 / 6)


def test_one_hot_targets():
    one_hot = np.eye(3)[Y_TRUE] * (Y_TRUE >= 0)[..., None]
    metric = TokenAccuracy(ignore_class=-1)
    metric.update_state(one_hot, LOGITS)
    np.testing.assert_allclose(float(metric.result()), 3 / 5)
    metric = TokenAccuracy()
    metric.update_state(one_hot, LOGITS)  # One of them has no class.
    assert np.isnan(float(metric.result()))


def test_weights():
    metric = TokenAccuracy(ignore_class=-1)
    metric.update_state(Y_TRUE, LOGITS, sample_weight=[2.0, 0.0])
    np.testing.assert_allclose(float(metric.result()), 1 / 2)
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_bad_input():
    with pytest.raises(ValueError, match="`ignore_class` must be an integer"):
        TokenAccuracy(ignore_class=0.5)
    with pytest.raises(ValueError, match="`y_true` must hold class indices"):
        TokenAccuracy().update_state([[0, 1, 0]], [[0.0, 1.0]])
