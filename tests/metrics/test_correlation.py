"""Correlations over an epoch have the numbers of SciPy."""

import keras
import numpy as np
import pytest
from scipy import stats

from keras_dl.metrics import PearsonCorrelation, SpearmanCorrelation
from keras_dl.testing import check_metric

BOTH = [
    (PearsonCorrelation, stats.pearsonr),
    (SpearmanCorrelation, stats.spearmanr),
]
both = pytest.mark.parametrize(("metric_class", "oracle"), BOTH)


def examples(number=200, offset=0.0, noise=1.0, seed=0):
    """Numbers as float32 holds them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=number)
    y = x + noise * rng.normal(size=number)
    return (x + offset).astype("float32"), (y - offset).astype("float32")


def exact(oracle, x, y):
    return oracle(x.astype("float64"), y.astype("float64")).statistic


def batches(x, y, size=100):
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]


def result(metric, x, y, size=100, weights=None):
    for i in range(0, len(x), size):
        part = slice(i, i + size)
        weight = None if weights is None else weights[part]
        metric.update_state(x[part], y[part], weight)
    return float(metric.result())


@both
@pytest.mark.parametrize("noise", [0.1, 1.0, 30.0])
def test_contract(metric_class, oracle, noise):
    x, y = examples(noise=noise)
    expected = exact(oracle, x, y)
    check_metric(metric_class, batches(x, y), expected, tolerance=5e-6)
    check_metric(metric_class, batches(x, -y), -expected, tolerance=5e-6)


@both
@pytest.mark.parametrize(("number", "size"), [(30, 1), (200, 100)])
def test_ties_and_small_batches(metric_class, oracle, number, size):
    """Scores as STS-B has them: in steps, and far from normal."""
    x, y = examples(number)
    x, y = np.round(np.exp(x)), np.round(2 * np.exp(y)) / 2
    np.testing.assert_allclose(
        result(metric_class(), x, y, size), exact(oracle, x, y), rtol=1e-5
    )


@both
def test_integer_weights_are_repetitions(metric_class, oracle):
    x, y = examples()
    x, y = np.round(2 * x), np.round(2 * y)
    weights = np.random.default_rng(1).integers(4, size=200)
    expected = exact(oracle, np.repeat(x, weights), np.repeat(y, weights))
    # What does not count may be broken.
    x[weights == 0], y[weights == 0] = np.nan, np.inf
    for given in (weights, weights[:, None]):
        found = result(metric_class(), x, y, weights=given)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    # And weights of any scale.
    found = result(metric_class(), x, y, weights=weights / 7)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@both
def test_nothing_at_first(metric_class, oracle):
    """Weights of 0 before the first example, and after the last one."""
    x, y = examples(400, offset=1e6)
    weights = np.repeat([0, 1, 0], [120, 150, 130])
    found = result(metric_class(), x, y, weights=weights)
    expected = exact(oracle, x[120:270], y[120:270])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("offset", [1e4, -1e5])
@pytest.mark.parametrize("size", [20, 100])
def test_a_large_offset(offset, size):
    x, y = examples(200, offset, noise=0.5)
    found = result(PearsonCorrelation(), x, y, size)
    np.testing.assert_allclose(found, exact(stats.pearsonr, x, y), rtol=1e-5)


def test_sorted_numbers():
    """Each batch has its own mean, far from that of the first."""
    x, y = examples(noise=0.5)
    order = np.argsort(x)
    x, y = x[order] + np.float32(100), y[order]
    found = result(PearsonCorrelation(), x, y, 20)
    np.testing.assert_allclose(found, exact(stats.pearsonr, x, y), rtol=1e-5)


@both
def test_any_scale(metric_class, oracle):
    x, y = examples()
    np.testing.assert_allclose(
        result(metric_class(), 1e-12 * x, 1e12 * y),
        exact(oracle, x, y),
        rtol=1e-5,
    )


@both
def test_not_defined(metric_class, oracle):
    assert np.isnan(float(metric_class().result()))
    x, constant = np.arange(200.0), np.full(200, 0.1)
    assert np.isnan(result(metric_class(), x[:1], x[:1]))
    assert np.isnan(result(metric_class(), x, constant))
    assert np.isnan(result(metric_class(), constant, x))
    broken = np.where(x == 7, np.nan, x)
    assert np.isnan(result(metric_class(), broken, x))
    assert np.isnan(result(metric_class(), x, broken))


@both
def test_shapes(metric_class, oracle):
    x, y = examples()
    expected = exact(oracle, x, y)
    for true, pred in [
        ((200,), (200, 1)),
        ((200, 1), (200,)),
        ((200, 1), (200, 1)),
        ((100, 2), (100, 2)),
    ]:
        found = result(metric_class(), x.reshape(true), y.reshape(pred))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert result(metric_class(), [1, 2, 4], [[1], [2], [4]]) > 0.99999


def test_capacity():
    x, y = examples(30)
    weights = np.tile([1, 0, 1], 10)
    counted = weights > 0
    metric = SpearmanCorrelation(capacity=20)
    expected = exact(stats.spearmanr, x[counted], y[counted])
    found = result(metric, x, y, 10, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for _ in range(2):
        metric.update_state(x[:1], y[:1])
        assert np.isnan(float(metric.result()))
    metric.reset_state()
    found = result(metric, x[:20], y[:20], 10)
    expected = exact(stats.spearmanr, x[:20], y[:20])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.isnan(result(SpearmanCorrelation(20), x, y, 30))


def test_only_the_order_matters_to_ranks():
    x, _ = examples()
    found = result(SpearmanCorrelation(), x, np.exp(3 * x) - 1e3)
    assert found == pytest.approx(1.0, abs=1e-6)
    assert result(PearsonCorrelation(), x, np.exp(3 * x)) < 0.9


@both
@pytest.mark.compiled
def test_in_a_compiled_model(metric_class, oracle, tmp_path):
    x, y = examples(50)
    weights = (np.arange(50) % 3).astype("float32")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Activation(None)])
    model.compile(loss="mse", weighted_metrics=[metric_class(name="r")])
    arguments = {"batch_size": 16, "verbose": 0, "sample_weight": weights}
    logs = model.evaluate(y[:, None], x, return_dict=True, **arguments)
    times = weights.astype(int)
    expected = exact(oracle, np.repeat(x, times), np.repeat(y, times))
    np.testing.assert_allclose(logs["r"], expected, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    again = copy.evaluate(y[:, None], x, return_dict=True, **arguments)
    assert again["r"] == logs["r"]


def test_bfloat16_predictions():
    x, y = examples()
    y = keras.ops.cast(y, "bfloat16")
    for metric_class, oracle in BOTH:
        metric = metric_class()
        metric.update_state(x, y)
        expected = exact(oracle, x, np.array(keras.ops.cast(y, "float32")))
        np.testing.assert_allclose(float(metric.result()), expected, rtol=1e-5)


@both
def test_errors(metric_class, oracle):
    metric = metric_class()
    for true, pred in [((4,), (5,)), ((4,), (4, 2)), ((4, 1), (2, 2, 1))]:
        with pytest.raises(ValueError, match=r"`y_true`.*same shape.*\(4,"):
            metric.update_state(np.zeros(true), np.zeros(pred))
    with pytest.raises(ValueError, match=r"`sample_weight`.*\(3,\)"):
        metric.update_state(np.zeros(4), np.zeros(4), np.ones(3))
    with pytest.raises(ValueError, match="`capacity`.*at least 2.*=1"):
        SpearmanCorrelation(1)


@pytest.mark.parametrize("metric", [PearsonCorrelation, SpearmanCorrelation])
def test_an_empty_batch_changes_nothing(metric):
    empty = np.zeros((0,), "float32")
    found = metric()
    found.update_state(empty, empty)
    assert np.isnan(float(found.result()))
    found.update_state([1.0, 2.0, 3.0], [1.0, 3.0, 2.0])
    before = float(found.result())
    found.update_state(empty, empty)
    assert float(found.result()) == before == pytest.approx(0.5)
