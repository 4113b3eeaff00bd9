"""The share of rows that are right as a whole."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import ExactMatch
from keras_dl.testing import check_metric

Y_TRUE = np.array([[1, 2, 3], [4, 0, 0], [0, 0, 0], [2, 2, 0], [3, 1, 4]])
# Right, right but for padding, only padding, wrong, wrong in one.
Y_PRED = np.array([[1, 2, 3], [4, 1, 2], [1, 0, 0], [1, 1, 0], [3, 1, 2]])


def result(metric):
    return float(metric.result())


def logits(indices):
    return (
        np.random.default_rng(0).random((*indices.shape, 5))
        + np.eye(5)[indices]
    )


@pytest.mark.parametrize("convert", [np.asarray, logits])
def test_contract(convert):
    y_pred = convert(Y_PRED)
    check_metric(
        lambda: ExactMatch(ignore_class=0),
        [(Y_TRUE[:2], y_pred[:2]), (Y_TRUE[2:], y_pred[2:])],
        2 / 4,
    )


def test_without_padding_every_token_counts():
    metric = ExactMatch()
    metric.update_state(Y_TRUE, Y_PRED.astype("float32"))
    np.testing.assert_allclose(result(metric), 1 / 5)
    metric.reset_state()
    assert result(metric) == 0.0


def test_more_axes_belong_to_the_row():
    metric = ExactMatch()
    metric.update_state(
        np.stack([Y_TRUE, Y_TRUE], axis=1), np.stack([Y_TRUE, Y_PRED], axis=1)
    )
    np.testing.assert_allclose(result(metric), 1 / 5)


def test_weights():
    metric = ExactMatch(ignore_class=0)
    rows = np.array([3.0, 1.0, 9.0, 0.0, 1.0])
    for weights in (rows, rows[:, None]):
        metric.reset_state()
        metric.update_state(Y_TRUE, Y_PRED, sample_weight=weights)
        np.testing.assert_allclose(result(metric), 4 / 5)
    tokens = np.ones((5, 3))
    tokens[4, 2] = 0.0  # Hides the only wrong token of the last row.
    metric.reset_state()
    metric.update_state(Y_TRUE, Y_PRED, sample_weight=tokens)
    np.testing.assert_allclose(result(metric), 3 / 4)


def test_weights_of_padding_may_be_broken():
    metric = ExactMatch(ignore_class=0)
    rows = np.array([1.0, 1.0, np.nan, 1.0, 1.0])  # The third is padding.
    metric.update_state(Y_TRUE, Y_PRED, sample_weight=rows)
    np.testing.assert_allclose(result(metric), 2 / 4)


@pytest.mark.compiled
def test_keras_mask_in_a_compiled_model(tmp_path):
    """The model repeats its input, so that padding decides."""
    model = keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            layers.Embedding(5, 5, mask_zero=True, weights=[np.eye(5)]),
            layers.Dense(5, kernel_initializer="identity"),
        ]
    )
    metric = ExactMatch(ignore_class=4)
    model.compile(
        keras.optimizers.SGD(0.0),
        LabelSmoothedCrossentropy(),
        metrics=[metric],
    )
    targets = np.where(Y_TRUE == 0, 1, Y_TRUE)  # Wrong where it is masked.
    targets[0, 0] = 4  # Wrong, but ignored.
    targets[3, 0] = 3  # Wrong.
    arguments = {"batch_size": 2, "verbose": 0, "return_dict": True}
    logs = model.evaluate(Y_TRUE, targets, **arguments)
    # Rows: right, all ignored, all masked, wrong, right.
    np.testing.assert_allclose(logs["exact_match"], 2 / 3, rtol=1e-6)
    model.train_on_batch(Y_TRUE, targets)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    again = copy.evaluate(Y_TRUE, targets, **arguments)
    assert again["exact_match"] == logs["exact_match"]


def test_errors():
    with pytest.raises(ValueError, match="`ignore_class`.*integer.*=1.5"):
        ExactMatch(ignore_class=1.5)
    metric = ExactMatch()
    with pytest.raises(ValueError, match=r"`y_true`.*\(5,\).*\(5, 3\)"):
        metric.update_state(Y_TRUE[:, 0], Y_PRED)
    with pytest.raises(ValueError, match=r"`y_pred`.*\(5, 3\).*\(5, 2\)"):
        metric.update_state(Y_TRUE, Y_PRED[:, :2])
    with pytest.raises(ValueError, match=r"`sample_weight`.*\(5, 3, 2\)"):
        metric.update_state(Y_TRUE, Y_PRED, np.ones((5, 3, 2)))
    for shape in [(4,), (4, 1), (5, 2)]:
        with pytest.raises(ValueError, match=r"`sample_weight`.*\(5, 3\)"):
            metric.update_state(Y_TRUE, Y_PRED, np.ones(shape))
