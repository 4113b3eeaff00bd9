"""F1 of the positive class has the numbers of scikit-learn."""

import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score

from keras_dl.metrics import BinaryF1
from keras_dl.testing import check_metric

RNG = np.random.default_rng(0)
Y_TRUE = RNG.integers(2, size=100)
LOGITS = RNG.normal(size=(100, 2)) + np.eye(2)[Y_TRUE]
Y_PRED = LOGITS.argmax(-1)
WEIGHTS = RNG.random(100) * RNG.integers(2, size=100)


@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize("y_pred", [LOGITS, Y_PRED], ids=["logits", "indices"])
def test_contract(positive, y_pred):
    check_metric(
        lambda: BinaryF1(positive),
        [(Y_TRUE[:30], y_pred[:30]), (Y_TRUE[30:], y_pred[30:])],
        f1_score(Y_TRUE, Y_PRED, pos_label=positive),
    )


@pytest.mark.parametrize("positive", [0, 1])
def test_weights(positive):
    metric = BinaryF1(positive)
    y_true = np.where(WEIGHTS == 0, -100, Y_TRUE)
    metric.update_state(y_true[:, None], LOGITS, WEIGHTS)
    expected = f1_score(
        Y_TRUE, Y_PRED, pos_label=positive, sample_weight=WEIGHTS
    )
    np.testing.assert_allclose(float(metric.result()), expected, rtol=1e-6)


def test_extremes():
    metric = BinaryF1()
    for y_true, y_pred, expected in [
        ([0, 0], [0, 0], 0.0),
        ([1, 0], [0, 1], 0.0),
        ([1, 0], [1, 0], 1.0),
        ([1, 2], [1, 0], np.nan),
    ]:
        metric.reset_state()
        assert float(metric.result()) == 0.0
        metric.update_state(y_true, y_pred)
        np.testing.assert_equal(float(metric.result()), expected)


@pytest.mark.compiled
def test_in_a_compiled_model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Activation(None)])
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=[BinaryF1()],
    )
    logs = model.evaluate(
        LOGITS,
        Y_TRUE,
        batch_size=32,
        sample_weight=WEIGHTS,
        verbose=0,
        return_dict=True,
    )
    expected = f1_score(Y_TRUE, Y_PRED, sample_weight=WEIGHTS)
    np.testing.assert_allclose(logs["binary_f1"], expected, rtol=1e-5)


def test_errors():
    with pytest.raises(ValueError, match=r"`positive`.*\[0, 1\].*=2"):
        BinaryF1(2)
    with pytest.raises(ValueError, match=r"`y_pred`.*2 classes.*\(4, 3\)"):
        BinaryF1().update_state(np.zeros(4), np.zeros((4, 3)))
