"""ModeCoverage: counts on samples made by hand, and of real mixtures."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats
from trainers import network

from keras_dl import Trainer
from keras_dl.datasets import grid_of_gaussians, ring_of_gaussians
from keras_dl.metrics import ModeCoverage

CENTRES = np.float32([[0, 0], [10, 0], [0, 10], [10, 10]])
# Two of the first mode, one of the second, one of none, one of the fourth.
SAMPLES = np.float32([[0.2, 0], [0, -0.29], [10, 0.1], [5, 5], [9.8, 10.2]])


def result(metric, samples, weights=None):
    metric.update_state(samples, weights)
    return {k: float(v) for k, v in metric.result().items()}


def check(found, modes, quality, counts):
    """`counts` are those of the samples of high quality."""
    assert found["modes"] == modes
    assert found["quality"] == pytest.approx(quality)
    uniform = np.full(len(counts), 1 / len(counts))
    expected = stats.entropy(counts, uniform)
    assert found["reverse_kl"] == pytest.approx(expected, abs=1e-6)


def test_by_hand():
    check(result(ModeCoverage(CENTRES, 0.1), SAMPLES), 3, 0.8, [2, 1, 0, 1])
    # The border, at `distance * std`.
    near = ModeCoverage(CENTRES, 0.1, distance=2.5)
    check(result(near, SAMPLES), 2, 0.4, [1, 1, 0, 0])
    far = ModeCoverage(CENTRES, 1.0, distance=7.2)
    assert result(far, SAMPLES)["quality"] == 1


def test_batches_add_up_and_are_reset():
    metric = ModeCoverage(CENTRES, 0.1)
    for _ in range(2):
        for sample in SAMPLES:
            found = result(metric, sample[None])
        check(found, 3, 0.8, [2, 1, 0, 1])
        metric.reset_state()


@pytest.mark.parametrize("draw", [ring_of_gaussians, grid_of_gaussians])
def test_the_data_itself(draw):
    points, centres = draw(2500, std=0.05)
    found = result(ModeCoverage(centres, 0.05), points)
    # The share of a Gaussian in the plane within 3 deviations.
    within = stats.chi2(2).cdf(9)
    assert found["modes"] == len(centres)
    assert found["quality"] == pytest.approx(within, abs=0.01)
    assert found["reverse_kl"] < 0.02


def test_a_collapse():
    """One mode, all of high quality."""
    rng = np.random.default_rng(0)
    _, centres = ring_of_gaussians(1)
    samples = centres[3] + 0.005 * rng.normal(size=(200, 2))
    found = result(ModeCoverage(centres, 0.02), samples)
    assert found["modes"] == 1 and found["quality"] == 1
    assert found["reverse_kl"] == pytest.approx(np.log(8), rel=1e-6)


def test_nothing_good():
    metric = ModeCoverage(CENTRES, 0.1)
    for samples in (SAMPLES[:0], [[5.0, 5.0], [np.nan, 0], [np.inf, 0]]):
        found = result(metric, samples)
        assert found["modes"] == found["quality"] == 0
        assert np.isnan(found["reverse_kl"])
    assert result(metric, SAMPLES[:1])["quality"] == pytest.approx(1 / 4)


def test_weights():
    metric = ModeCoverage(CENTRES, 0.1)
    samples = SAMPLES.copy()
    samples[2] = np.nan
    for weights in (np.array([3, 1, 0, 2, 1]), np.array([[3, 1, 0, 2, 1]]).T):
        found = result(metric, samples, weights)
        check(found, 2, 5 / 7, [4, 0, 0, 1])
        metric.reset_state()


def test_other_dimensions_and_half_precision():
    centres = 4 * np.eye(5)
    samples = ops.cast(centres[:3] + 0.125, "bfloat16")
    found = result(ModeCoverage(centres, 0.1), samples)
    check(found, 3, 1, [1, 1, 1, 0, 0])


def test_config():
    metric = ModeCoverage(CENTRES, 0.1, distance=2.5, name="modes_found")
    config = keras.saving.serialize_keras_object(metric)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == metric.get_config()
    check(result(copy, SAMPLES), 2, 0.4, [1, 1, 0, 0])


class Generator(Trainer):
    """Evaluates what it makes of its input."""

    def __init__(self):
        super().__init__(network(inputs=2, outputs=2))
        self.coverage = ModeCoverage(CENTRES, 0.1)

    def training_step(self, data):
        loss = self.minimize(lambda: ops.mean(ops.square(self.network(data))))
        return {"loss": loss}

    def evaluation_step(self, data):
        self.coverage.update_state(self.network(data))
        return self.coverage.result()


@pytest.mark.compiled
def test_in_a_trainer():
    model = Generator()
    model.network.set_weights([np.eye(2), np.zeros(2)])
    model.compile(keras.optimizers.SGD(0.0))
    logs = model.evaluate(SAMPLES, batch_size=2, verbose=0, return_dict=True)
    check(logs, 3, 0.8, [2, 1, 0, 1])
    fit = {"validation_data": (SAMPLES,), "batch_size": 2, "verbose": 0}
    history = model.fit(SAMPLES, epochs=2, **fit).history
    assert history["val_modes"] == [3, 3]


def test_errors():
    for modes in (np.zeros(3), np.zeros((0, 2)), [[np.nan, 1.0]]):
        with pytest.raises(ValueError, match="`modes`.*finite.*shape"):
            ModeCoverage(modes, 0.1)
    with pytest.raises(ValueError, match="`std`.*=0"):
        ModeCoverage(CENTRES, 0)
    with pytest.raises(ValueError, match="`distance`.*=-1"):
        ModeCoverage(CENTRES, 0.1, distance=-1)
    metric = ModeCoverage(CENTRES, 0.1)
    for shape in ((3,), (4, 3), (4, 1, 2)):
        with pytest.raises(ValueError, match=r"`samples`.*`\(batch, 2\)`"):
            metric.update_state(np.zeros(shape))
    for shape in ((3,), (5, 2), (1,)):
        with pytest.raises(ValueError, match="`sample_weight`.*batch of 5"):
            metric.update_state(SAMPLES, np.ones(shape))
