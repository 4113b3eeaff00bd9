"""PSNR and SSIM have the numbers of scikit-image."""

import keras
import numpy as np
import pytest
from keras import ops
from skimage import metrics as oracles
from trainers import normal

from keras_dl import grad
from keras_dl.metrics import PeakSignalNoiseRatio, StructuralSimilarity, ssim
from keras_dl.testing import check_metric

METRICS = [PeakSignalNoiseRatio, StructuralSimilarity]
both = pytest.mark.parametrize("metric_class", METRICS)


def images(number=5, side=16, channels=3, noise=0.1, seed=0):
    """Smooth images in [0, 1], and the same with noise of growing size."""
    rng = np.random.default_rng(seed)
    line = np.linspace(0, 3, side)
    waves = np.sin(line[:, None, None] + rng.uniform(0, 6, (channels,)))
    shape = (number, side, side, channels)
    true = 0.5 + 0.2 * (waves + np.cos(line[:, None])) + 0 * np.ones(shape)
    true = np.clip(true + 0.05 * rng.normal(size=shape), 0, 1)
    scale = noise * np.arange(1, number + 1)[:, None, None, None]
    pred = true + scale * rng.normal(size=shape)
    return true.astype("float32"), pred.astype("float32")


def exact(metric_class, true, pred, max_value=1.0, sigma=1.5):
    """The value of each image."""
    true, pred = true.astype("float64"), pred.astype("float64")
    if metric_class is PeakSignalNoiseRatio:
        oracle, settings = oracles.peak_signal_noise_ratio, {}
    else:
        oracle = oracles.structural_similarity
        settings = {
            "gaussian_weights": True,
            "sigma": sigma,
            "use_sample_covariance": False,
            "channel_axis": -1,
        }
    pairs = zip(true, pred, strict=True)
    values = [oracle(*pair, data_range=max_value, **settings) for pair in pairs]
    return np.array(values)


def result(metric, *args):
    metric.update_state(*args)
    return float(metric.result())


@both
@pytest.mark.parametrize("channels", [1, 3])
def test_contract(metric_class, channels):
    true, pred = images(channels=channels)
    expected = exact(metric_class, true, pred)
    batches = [(true[:3], pred[:3]), (true[3:], pred[3:])]
    check_metric(metric_class, batches, expected.mean(), tolerance=1e-5)


@both
def test_ranges(metric_class):
    """Bytes, and images in [-1, 1]."""
    true, pred = images()
    true, pred = (
        np.clip(255 * x, 0, 255).astype("uint8") for x in (true, pred)
    )
    expected = exact(metric_class, true, pred, 255).mean()
    found = result(metric_class(255), true, pred)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    found = result(metric_class(), true / 255, pred / 255)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    true, pred = true / 127.5 - 1, pred / 127.5 - 1
    expected = exact(metric_class, true, pred, 2).mean()
    found = result(metric_class(max_value=2.0), true, pred)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@both
def test_it_falls_with_noise(metric_class):
    true, _ = images()
    noise = np.random.default_rng(1).normal(size=true.shape)
    found = [
        result(metric_class(), true, true + scale * noise)
        for scale in (0.01, 0.03, 0.1, 0.3, 1.0)
    ]
    assert (np.diff(found) < 0).all()


@both
def test_weights(metric_class):
    true, pred = images()
    weights = np.array([1.0, 0.5, 0.0, 2.0, 1.0])
    expected = exact(metric_class, true, pred)
    expected = np.average(expected, weights=weights)
    # What does not count may be broken, or exact.
    for broken in (np.nan, np.inf, true[2]):
        pred[2] = broken
        for given in (weights, weights[:, None, None]):
            found = result(metric_class(), true, pred, given)
            np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert result(metric_class(), true, pred, np.zeros(5)) == 0
    assert float(metric_class().result()) == 0


@both
@pytest.mark.compiled
def test_in_a_compiled_model(metric_class, tmp_path):
    true, pred = images()
    weights = np.array([1.0, 0.5, 0.0, 2.0, 1.0], "float32")[:, None, None]
    model = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.Activation(None)]
    )
    metric = metric_class(max_value=2.0, name="quality")
    model.compile(loss="mse", weighted_metrics=[metric])
    arguments = {"batch_size": 2, "verbose": 0, "return_dict": True}
    arguments["sample_weight"] = weights
    logs = model.evaluate(pred, true, **arguments)
    expected = exact(metric_class, true, pred, 2)
    expected = np.average(expected, weights=weights.reshape(-1))
    np.testing.assert_allclose(logs["quality"], expected, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    again = copy.evaluate(pred, true, **arguments)
    assert again["quality"] == logs["quality"]


@both
def test_half_precision(metric_class):
    true, pred = (ops.cast(x, "bfloat16") for x in images())
    exactly = [
        ops.convert_to_numpy(ops.cast(x, "float32")) for x in (true, pred)
    ]
    expected = exact(metric_class, *exactly).mean()
    found = result(metric_class(), true, pred)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_exact_images():
    true, pred = images()
    assert result(StructuralSimilarity(), true, true) == pytest.approx(1)
    metric = PeakSignalNoiseRatio()
    pred[1] = true[1]
    assert result(metric, true, pred) == np.inf
    assert result(metric, true[2:], pred[2:]) == np.inf
    metric.reset_state()
    assert np.isfinite(result(metric, true[2:], pred[2:]))


def test_each_image_and_other_windows():
    true, pred = images(side=20)
    for size, sigma in ((11, 1.5), (9, 1.0), (15, 2.0)):
        found = ops.convert_to_numpy(ssim(true, pred, size=size, sigma=sigma))
        expected = exact(StructuralSimilarity, true, pred, sigma=sigma)
        assert found.shape == (5,)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_flat_bright_images():
    """Variances that are nothing beside their moments."""
    true, pred = images(noise=1e-3)
    true, pred = 0.95 + 0.01 * true, 0.95 + 0.01 * pred
    expected = exact(StructuralSimilarity, true, pred)
    found = ops.convert_to_numpy(ssim(true, pred))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_ssim_as_a_loss():
    """Its gradient is right, and following it brings an image back."""
    true, pred = images(2, side=13, channels=1)

    def loss(x):
        return ops.mean(1.0 - ssim(true, x))

    gradient = ops.convert_to_numpy(grad(loss)(ops.convert_to_tensor(pred)))
    direction = normal(*pred.shape)
    step = 1e-3 * direction
    difference = [
        1 - exact(StructuralSimilarity, true, pred + sign * step).mean()
        for sign in (1, -1)
    ]
    slope = (difference[0] - difference[1]) / 2e-3
    assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-2)
    assert slope != pytest.approx(0, abs=1e-3)

    model = keras.Sequential(
        [keras.Input((13, 13, 1)), keras.layers.Conv2D(1, 1)]
    )
    model.compile(
        keras.optimizers.Adam(0.02), loss=lambda a, b: 1.0 - ssim(a, b)
    )
    losses = model.fit(true, true, epochs=15, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


@both
def test_errors(metric_class):
    metric = metric_class()
    for true, pred in [((2, 16, 16, 3), (2, 16, 16, 1)), ((2, 9), (2, 9))]:
        with pytest.raises(ValueError, match=r"`y_true`.*same shape.*y_pred.s"):
            metric.update_state(np.zeros(true), np.zeros(pred))
    true, pred = images()
    with pytest.raises(ValueError, match=r"`sample_weight`.*\(3,\).*of 5"):
        metric.update_state(true, pred, np.ones(3))
    with pytest.raises(ValueError, match="`max_value`.*=0"):
        metric_class(max_value=0)


def test_errors_of_windows():
    with pytest.raises(ValueError, match="`size` must be odd.*=10"):
        StructuralSimilarity(size=10)
    for name in ("sigma", "k1", "k2"):
        with pytest.raises(ValueError, match=f"`{name}`.*=-1"):
            StructuralSimilarity(**{name: -1})
    with pytest.raises(ValueError, match="`size`=11.*10 x 16"):
        ssim(np.zeros((1, 10, 16, 1)), np.zeros((1, 10, 16, 1)))


def bytes_of(array):
    return np.round(255 * array).astype("uint8")


@both
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_bytes_need_their_range(metric_class, dtype):
    true, pred = (bytes_of(np.clip(x, 0, 1)).astype(dtype) for x in images())
    message = "`max_value` must be given.*Received: max_value=None, y_true"
    with pytest.raises(ValueError, match=message):
        result(metric_class(), true, pred)
    expected = exact(metric_class, true, pred, 255).mean()
    found = result(metric_class(max_value=255), true, pred)
    assert found == pytest.approx(expected, rel=1e-5)


@both
def test_of_tensors_with_others_nothing_is_known(metric_class):
    true, pred = map(ops.convert_to_tensor, images())
    assert np.isfinite(result(metric_class(), true, pred))
    for beyond in (255 * true, 2 * true - 1.5):
        assert np.isnan(result(metric_class(), beyond, pred))
    # Estimates may lie outside, as those of a linear layer do.
    assert np.isfinite(result(metric_class(), true, 3 * pred - 1))


def test_a_loss_of_bytes_is_an_error():
    with pytest.raises(ValueError, match="`max_value` must be given"):
        ssim(bytes_of(images()[0] / 2), images()[1])
