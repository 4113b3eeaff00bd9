"""Perplexity over an epoch, per real token."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import Perplexity
from keras_dl.testing import check_metric

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(6, 4, 5)).astype("float32") * 2
TARGETS = RNG.integers(1, 5, size=(6, 4))
PADDED = np.where(np.arange(4) < [[4], [2], [1], [4], [0], [3]], TARGETS, 0)


def losses(targets, logits):
    """The negative log likelihood of each target, in float64."""
    logits = logits.astype("float64")
    logits = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return -np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]


def result(metric):
    return float(metric.result())


def test_contract():
    real = PADDED != 0
    check_metric(
        lambda: Perplexity(ignore_class=0),
        [(PADDED[:3], LOGITS[:3]), (PADDED[3:], LOGITS[3:])],
        np.exp(losses(PADDED, LOGITS)[real].mean()),
        tolerance=2e-6,
    )


def test_guessing_and_knowing():
    metric = Perplexity()
    metric.update_state(TARGETS, np.zeros_like(LOGITS))
    np.testing.assert_allclose(result(metric), 5.0, rtol=1e-6)
    metric.reset_state()
    metric.update_state(TARGETS, 100 * np.eye(5)[TARGETS])
    np.testing.assert_allclose(result(metric), 1.0, rtol=1e-6)


def test_nothing_is_zero():
    metric = Perplexity(ignore_class=0)
    assert result(metric) == 0.0
    metric.update_state(np.zeros((6, 4)), np.full_like(LOGITS, np.nan))
    assert result(metric) == 0.0


def test_probabilities():
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)
    metric = Perplexity(from_logits=False)
    metric.update_state(TARGETS[..., None], probabilities)
    expected = np.exp(losses(TARGETS, LOGITS).mean())
    np.testing.assert_allclose(result(metric), expected, rtol=2e-6)


def test_weights():
    weights = RNG.integers(0, 3, size=(6, 4)).astype("float32")
    broken = np.where(weights[..., None] == 0, np.nan, LOGITS)
    expected = np.average(losses(TARGETS, LOGITS), weights=weights)
    metric = Perplexity()
    metric.update_state(TARGETS, broken, sample_weight=weights)
    np.testing.assert_allclose(result(metric), np.exp(expected), rtol=2e-6)
    rows = np.arange(6.0)
    expected = np.average(losses(TARGETS, LOGITS).mean(axis=1), weights=rows)
    metric.reset_state()
    metric.update_state(TARGETS, LOGITS, sample_weight=rows)
    np.testing.assert_allclose(result(metric), np.exp(expected), rtol=2e-6)


def test_target_that_is_no_class():
    metric = Perplexity(ignore_class=-1)
    metric.update_state(np.where(PADDED == 0, -1, TARGETS), LOGITS)
    assert np.isfinite(result(metric))
    metric.update_state(np.where(PADDED == 0, 5, TARGETS), LOGITS)
    assert np.isnan(result(metric))


def test_small_batches_are_not_lost():
    """After 2^25 tokens float32 no longer sees a single one."""
    x = np.tile(np.array([[0.0, 0.0]], "float32"), (200, 1))
    x[1:, 0] = -1000.0
    y = np.zeros(200, "int32")
    weights = np.ones(200, "float32")
    weights[0] = 2.0**25
    model = keras.Sequential([keras.Input((2,)), layers.Identity()])
    model.compile(
        loss=LabelSmoothedCrossentropy(), weighted_metrics=[Perplexity()]
    )
    logs = model.evaluate(
        x, y, sample_weight=weights, batch_size=1, verbose=0, return_dict=True
    )
    expected = np.exp(np.average(losses(y, x), weights=weights))
    np.testing.assert_allclose(logs["perplexity"], expected, rtol=1e-6)
    assert abs(np.log(2) - np.log(expected)) > 1e-3


@pytest.mark.compiled
def test_keras_mask_in_a_compiled_model(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((4,), dtype="int32"),
            layers.Embedding(5, 8, mask_zero=True),
            layers.Dense(5, dtype="mixed_float16"),
        ]
    )
    metric = Perplexity(ignore_class=3)
    model.compile(
        keras.optimizers.SGD(0.0),
        LabelSmoothedCrossentropy(),
        metrics=[metric],
    )
    logits = model.predict(PADDED, verbose=0)
    real = (PADDED != 0) & (TARGETS != 3)
    expected = np.exp(losses(TARGETS, logits)[real].mean())
    actual = model.evaluate(
        PADDED, TARGETS, batch_size=4, verbose=0, return_dict=True
    )
    np.testing.assert_allclose(actual["perplexity"], expected, rtol=1e-3)
    model.train_on_batch(PADDED, TARGETS)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    again = copy.evaluate(
        PADDED, TARGETS, batch_size=4, verbose=0, return_dict=True
    )
    np.testing.assert_allclose(
        again["perplexity"], actual["perplexity"], rtol=1e-6
    )


def test_half_precision_is_computed_in_float32():
    y_pred = ops.cast(LOGITS, "bfloat16")
    rounded = ops.convert_to_numpy(ops.cast(y_pred, "float32"))
    metric = Perplexity()
    metric.update_state(TARGETS, y_pred)
    expected = np.exp(losses(TARGETS, rounded).mean())
    np.testing.assert_allclose(result(metric), expected, rtol=2e-6)


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="JAX has no float64 by default"
)
@pytest.mark.compiled
def test_float64_is_kept():
    y_pred = np.array([[1e9, 1e9 + 1]])  # The same number in float32.
    metric = Perplexity()
    metric.update_state([1], y_pred)
    expected = np.exp(losses(np.array([1]), y_pred - 1e9)[0])
    np.testing.assert_allclose(result(metric), expected, rtol=1e-6)


def test_infinity_stays():
    metric = Perplexity()
    metric.update_state([0], [[-np.inf, 0.0]])
    for _ in range(2):
        assert result(metric) == np.inf
        metric.update_state([0], [[0.0, 0.0]])


def test_errors():
    with pytest.raises(ValueError, match="`ignore_class`.*integer.*='pad'"):
        Perplexity(ignore_class="pad")
    with pytest.raises(ValueError, match=r"`y_true`.*\(6,\).*\(6, 4, 5\)"):
        Perplexity().update_state(TARGETS[:, 0], LOGITS)
