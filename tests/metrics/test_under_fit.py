"""Metrics beside one another, in a model that `fit` builds."""

import keras
import numpy as np
import pytest
from trainers import normal

from keras_dl import metrics

CLASSES = np.arange(8) % 2
ROWS = np.arange(24).reshape(8, 3) % 2
NUMBERS = CLASSES[:, None].astype("float32")
IMAGES = np.abs(normal(8, 12, 12, 1))
# Metric, input, targets.
CASES = [
    (metrics.BinaryF1, normal(8, 4), CLASSES),
    (lambda: metrics.EntityF1(["O", "B"]), normal(8, 3, 4), ROWS),
    (metrics.ExactMatch, normal(8, 3, 4), ROWS),
    (lambda: metrics.FrechetDistance(num_features=1), normal(8, 4), NUMBERS),
    (metrics.MatthewsCorrelation, normal(8, 4), CLASSES),
    (metrics.PearsonCorrelation, normal(8, 4), CLASSES.astype("float32")),
    (lambda: metrics.PeakSignalNoiseRatio(8.0), normal(8, 12, 12, 4), IMAGES),
    (metrics.Perplexity, normal(8, 3, 4), ROWS),
    (metrics.SpearmanCorrelation, normal(8, 4), CLASSES.astype("float32")),
    (lambda: metrics.StructuralSimilarity(8.0), normal(8, 12, 12, 4), IMAGES),
    (metrics.TokenAccuracy, normal(8, 3, 4), ROWS),
]


@pytest.mark.parametrize(("make", "x", "y"), CASES)
@pytest.mark.compiled("ExactMatch-x2-y2")
def test_beside_another(make, x, y):
    """What the other one keeps while Keras builds must do no harm."""
    numbers = y.dtype == "float32"
    other = metrics.PearsonCorrelation if numbers else metrics.TokenAccuracy
    model = keras.Sequential([keras.layers.Dense(1 if numbers else 2)])
    model.compile(
        keras.optimizers.SGD(0.0),
        loss="mse"
        if numbers
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[other(name="other"), make()],
    )
    logs = model.fit(x, y, verbose=0).history
    alone = [other(), make()]
    for metric in alone:
        metric.update_state(y, model.predict(x, verbose=0))
    expected = [float(metric.result()) for metric in alone]
    found = [logs[name][0] for name in ("other", alone[1].name)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
