"""Callbacks with `mode="auto"` know which way each metric is better."""

import keras
import numpy as np
import pytest

from keras_dl import metrics

CLASSES = np.array([0, 1, 1]), np.eye(2, dtype="float32")[[0, 1, 0]]
NUMBERS = np.float32([1, 2, 3]), np.float32([1, 3, 2])
ROWS = np.array([[0, 1], [1, 0]]), np.eye(2, dtype="float32")[[[0, 1], [1, 1]]]
VECTORS = np.eye(3, 2, dtype="float32"), np.eye(3, 2, 1, dtype="float32")
IMAGES = np.zeros((1, 11, 11, 1)), np.full((1, 11, 11, 1), 0.5)
CASES = [
    (metrics.BinaryF1, CLASSES, "max"),
    (lambda: metrics.EntityF1(["O", "B"]), ROWS, "max"),
    (lambda: metrics.EntityF1(["O", "B"], score="recall"), ROWS, "max"),
    (metrics.ExactMatch, ROWS, "max"),
    (lambda: metrics.FrechetDistance(num_features=2), VECTORS, "min"),
    (metrics.MatthewsCorrelation, CLASSES, "max"),
    (metrics.PeakSignalNoiseRatio, IMAGES, "max"),
    (metrics.PearsonCorrelation, NUMBERS, "max"),
    (metrics.Perplexity, ROWS, "min"),
    (metrics.SpearmanCorrelation, NUMBERS, "max"),
    (metrics.StructuralSimilarity, IMAGES, "max"),
    (metrics.TokenAccuracy, ROWS, "max"),
]


def test_every_metric_is_here():
    # Callbacks know those of `compile` alone, which these are not for.
    known = {type(make()) for make, _, _ in CASES}
    known |= {metrics.BLEU, metrics.ModeCoverage}
    public = {getattr(metrics, name) for name in metrics.__all__}
    classes = {thing for thing in public if isinstance(thing, type)}
    assert classes == known


@pytest.mark.parametrize(("make", "pair", "mode"), CASES)
@pytest.mark.parametrize("callback", ["stop", "save", "reduce"])
def test_auto(make, pair, mode, callback, tmp_path):
    metric = make()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(metrics=[metric])
    model.compute_metrics(None, *pair)
    name = f"val_{metric.name}"
    watching = {
        "stop": lambda: keras.callbacks.EarlyStopping(name),
        "save": lambda: keras.callbacks.ModelCheckpoint(
            tmp_path / "best.keras", name, save_best_only=True
        ),
        "reduce": lambda: keras.callbacks.ReduceLROnPlateau(name),
    }[callback]()
    watching.set_model(model)
    watching.on_train_begin()
    watching.on_epoch_begin(0)
    for epoch, value in enumerate([0.5, 0.7, 0.3, 0.6]):
        watching.on_epoch_end(epoch, {name: value})
    assert watching.best == {"max": 0.7, "min": 0.3}[mode]


def test_a_fit_stops_when_it_gets_worse():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    model.compile(
        keras.optimizers.SGD(0.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[metrics.TokenAccuracy(name="accuracy")],
    )
    stop = keras.callbacks.EarlyStopping("accuracy", patience=2)
    x, y = np.ones((4, 1), "float32"), np.array([0, 1, 1, 1])
    history = model.fit(x, y, epochs=9, callbacks=[stop], verbose=0)
    assert len(history.epoch) == 3
