"""Matthews' correlation has the numbers of scikit-learn."""

import keras
import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from keras_dl.metrics import MatthewsCorrelation
from keras_dl.testing import check_metric


def examples(classes, number=200, seed=0):
    """Targets, and logits that are right more often than not."""
    rng = np.random.default_rng(seed)
    y_true = rng.integers(classes, size=number)
    logits = rng.normal(size=(number, classes)) + np.eye(classes)[y_true]
    return y_true, logits.astype("float32")


def result(y_true, y_pred, classes=2, **kwargs):
    metric = MatthewsCorrelation(classes)
    metric.update_state(y_true, y_pred, **kwargs)
    return float(metric.result())


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("indices", [False, True])
def test_contract(classes, column, indices):
    y_true, y_pred = examples(classes)
    expected = matthews_corrcoef(y_true, y_pred.argmax(-1))
    if indices:
        y_pred = y_pred.argmax(-1)
    if column:
        y_true = y_true[:, None]
        y_pred = y_pred[:, None] if indices else y_pred
    check_metric(
        lambda: MatthewsCorrelation(classes),
        [(y_true[:100], y_pred[:100]), (y_true[100:], y_pred[100:])],
        expected,
    )


@pytest.mark.parametrize("classes", [2, 4])
def test_weights(classes):
    y_true, y_pred = examples(classes)
    rng = np.random.default_rng(1)
    weights = rng.random(200) * rng.integers(2, size=200)
    # What does not count may be broken.
    y_true[weights == 0] = 99
    y_pred[weights == 0] = np.nan
    expected = matthews_corrcoef(
        y_true[weights > 0],
        y_pred[weights > 0].argmax(-1),
        sample_weight=weights[weights > 0],
    )
    for given in (weights, weights[:, None]):
        np.testing.assert_allclose(
            result(y_true, y_pred, classes, sample_weight=given),
            expected,
            rtol=1e-5,
        )


@pytest.mark.parametrize(
    ("y_true", "y_pred"),
    [
        ([0, 1, 1], [0, 1, 1]),
        ([0, 1, 1], [1, 0, 0]),
        ([0, 1, 1], [1, 1, 1]),
        ([1, 1, 1], [0, 1, 1]),
    ],
)
def test_extremes(y_true, y_pred):
    expected = matthews_corrcoef(y_true, y_pred)
    np.testing.assert_allclose(result(y_true, y_pred), expected, atol=1e-7)


def test_nothing_to_tell_apart():
    assert float(MatthewsCorrelation().result()) == 0.0
    assert result([0, 0], [0, 0]) == 0.0
    assert result([1, 0], [1, 0], sample_weight=np.zeros(2)) == 0.0


@pytest.mark.parametrize("classes", [2, 3])
def test_a_rare_class_among_many(classes):
    """Where squares of the counts leave nothing of the rare class."""
    counts = np.ones((classes, classes))
    counts[0, 0] = 1e7
    y_true, y_pred = np.indices(counts.shape).reshape(2, -1)
    expected = matthews_corrcoef(y_true, y_pred, sample_weight=counts.ravel())
    np.testing.assert_allclose(
        result(y_true, y_pred, classes, sample_weight=counts.ravel()),
        expected,
        rtol=1e-5,
    )


def test_counts_go_on_where_float32_ends():
    metric = MatthewsCorrelation()
    metric.update_state([0, 1], [0, 1], sample_weight=[2.0**24, 1.0])
    for _ in range(8):
        metric.update_state([0], [0])
    np.testing.assert_allclose(np.array(metric.sums)[0, 0], 2.0**24 + 8)


def test_sequences():
    y_true, y_pred = examples(3)
    np.testing.assert_allclose(
        result(y_true.reshape(20, 10), y_pred.reshape(20, 10, 3), 3),
        result(y_true, y_pred, 3),
    )


@pytest.mark.parametrize(
    ("y_true", "y_pred"),
    [([2, 0], [0, 1]), ([-1, 0], [0, 1]), ([0, 1], [0, 2]), ([0, 1], [0.7, 1])],
)
def test_no_class_is_nan(y_true, y_pred):
    assert np.isnan(result(y_true, y_pred))


@pytest.mark.compiled
def test_in_a_compiled_model(tmp_path):
    y_true, logits = examples(3, 20)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Activation(None)])
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[MatthewsCorrelation(3)],
        weighted_metrics=[MatthewsCorrelation(3, name="weighted")],
    )
    weights = np.arange(20) % 3
    arguments = {"batch_size": 8, "verbose": 0, "sample_weight": weights}
    logs = model.evaluate(logits, y_true, return_dict=True, **arguments)
    y_pred = logits.argmax(-1)
    np.testing.assert_allclose(
        logs["matthews_correlation"],
        matthews_corrcoef(y_true, y_pred),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        logs["weighted"],
        matthews_corrcoef(y_true, y_pred, sample_weight=weights),
        rtol=1e-5,
    )
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    again = copy.evaluate(logits, y_true, return_dict=True, **arguments)
    assert again["weighted"] == logs["weighted"]


def test_errors():
    with pytest.raises(ValueError, match="`num_classes`.*at least 2.*=1"):
        MatthewsCorrelation(1)
    metric = MatthewsCorrelation(3)
    for true, pred in [
        ((4,), (4, 2)),
        ((4,), (5,)),
        ((4,), (4, 1)),
        ((4,), ()),
    ]:
        with pytest.raises(ValueError, match=r"`y_pred`.*3 classes.*\(4,\)"):
            metric.update_state(np.zeros(true), np.zeros(pred))
    with pytest.raises(ValueError, match=r"`sample_weight`.*\(3,\)"):
        metric.update_state(np.zeros(4), np.zeros((4, 3)), np.ones(3))
