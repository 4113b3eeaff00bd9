"""What is no class is never taken for one: the result is NaN."""

import keras
import numpy as np
import pytest
from keras import ops
from sequences import normal

from keras_dl import losses, metrics

LOGITS = normal(2, 3, 4)
ROWS = np.array([[0, 1, 2], [3, 1, 0]])
CASES = {
    "TokenAccuracy": (metrics.TokenAccuracy, ROWS, LOGITS),
    "Perplexity": (metrics.Perplexity, ROWS, LOGITS),
    "ExactMatch of logits": (metrics.ExactMatch, ROWS, LOGITS),
    "ExactMatch of indices": (metrics.ExactMatch, ROWS, ROWS),
    "EntityF1": (
        lambda: metrics.EntityF1(["O", "B-a", "I-a", "B-b"]),
        ROWS,
        LOGITS,
    ),
    "BinaryF1": (metrics.BinaryF1, ROWS[0] % 2, LOGITS[0, :, :2]),
    "BinaryF1 of indices": (metrics.BinaryF1, ROWS[0] % 2, ROWS[0] % 2),
    "MatthewsCorrelation": (
        lambda: metrics.MatthewsCorrelation(4),
        ROWS[0],
        LOGITS[0],
    ),
    "MatthewsCorrelation of indices": (
        lambda: metrics.MatthewsCorrelation(4),
        ROWS[1],
        ROWS[1],
    ),
}
NONE = [0.7, np.nan, np.inf, -np.inf, 1e12, -7.0]


def value(make, y_true, y_pred, weights=None):
    metric = make()
    metric.update_state(
        ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred), weights
    )
    return float(ops.convert_to_numpy(metric.result()))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("wrong", NONE)
@pytest.mark.compiled(*(f"{bad}-TokenAccuracy" for bad in NONE))
def test_of_metrics(name, wrong):
    make, y_true, y_pred = CASES[name]
    floats = y_true.astype("float32")
    good = value(make, y_true, y_pred)
    assert np.isfinite(good) and value(make, floats, y_pred) == good
    floats[..., 0] = wrong
    assert np.isnan(value(make, floats, y_pred))
    # Where it does not count it is not looked at.
    weights = np.ones(y_true.shape, "float32")
    weights[..., 0] = 0.0
    assert np.isfinite(value(make, floats, y_pred, weights))


@pytest.mark.parametrize("name", [n for n in CASES if n.endswith("indices")])
def test_probabilities_are_no_indices(name):
    make, y_true, y_pred = CASES[name]
    probabilities = (0.2 + 0.1 * y_pred).astype("float32")
    assert np.isnan(value(make, y_true, probabilities))


@pytest.mark.parametrize("wrong", NONE)
@pytest.mark.compiled
def test_of_the_loss(wrong):
    floats = ROWS.astype("float32")
    loss = losses.LabelSmoothedCrossentropy()
    good = float(ops.convert_to_numpy(loss(floats, LOGITS)))
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert good == pytest.approx(float(expected(ROWS, LOGITS)), rel=1e-5)
    floats[1, 2] = wrong
    assert np.isnan(float(ops.convert_to_numpy(loss(floats, LOGITS))))
