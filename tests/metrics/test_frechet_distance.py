"""FrechetDistance: SciPy's root of a matrix, in float64."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.linalg import sqrtm
from trainers import network

from keras_dl import Trainer
from keras_dl.metrics import FrechetDistance

SHIFT = np.float32([3, -1, 0, 0.5])


def examples(number=60, features=4, seed=0, offset=0.0):
    """Features that depend on each other, of different sizes."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(features, features)) / np.sqrt(features)
    x = rng.normal(size=(number, features)) * np.linspace(0.1, 2, features)
    return (x @ mixed + offset).astype("float32")


def exact(real, fake):
    real, fake = real.astype("float64"), fake.astype("float64")
    means = real.mean(axis=0) - fake.mean(axis=0)
    s_real, s_fake = np.cov(real.T), np.cov(fake.T)
    root = np.real(sqrtm(s_real @ s_fake))
    return means @ means + np.trace(s_real + s_fake - 2 * root)


def result(metric, real=None, fake=None, weights=None):
    metric.update_state(real, fake, weights)
    return float(metric.result())


def test_against_scipy():
    real, fake = examples(), examples(50, seed=1)
    metric = FrechetDistance(num_features=4)
    expected = exact(real, fake)
    assert expected > 0.1
    for _ in range(2):
        assert result(metric, real, fake) == pytest.approx(expected, rel=1e-5)
        metric.reset_state()
        # In batches, of one side or of both.
        metric.update_state(real[:50], fake[:10])
        metric.update_state(real=real[50:])
        for start in range(10, 50, 10):
            metric.update_state(fake=fake[start : start + 10])
        assert float(metric.result()) == pytest.approx(expected, rel=1e-5)
        metric.reset_state()


def test_the_same_and_shifted():
    """The covariance is that of the same set: what is left is the shift."""
    x = examples()
    metric = FrechetDistance(num_features=4)
    assert result(metric, x, x) == pytest.approx(0, abs=1e-5)
    for scale in (1, 2, 5):
        metric.reset_state()
        shift = scale * SHIFT
        found = result(metric, x, x + shift)
        assert found == pytest.approx(shift @ shift, rel=1e-5)


def test_one_feature():
    """(m_1 - m_2)^2 + (s_1 - s_2)^2."""
    x = examples(features=1)
    found = result(FrechetDistance(num_features=1), x, 3 * x + 1)
    mean, std = x.mean(), x.std(ddof=1)
    expected = (2 * mean + 1) ** 2 + 4 * std**2
    assert found == pytest.approx(expected, rel=1e-5)


def test_fewer_examples_than_features():
    """Covariances without full rank, where rounding fills the rest."""
    real, fake = examples(20, 48, offset=0.2), examples(30, 48, seed=1)
    found = result(FrechetDistance(num_features=48), real, fake)
    # SciPy has no root of a singular matrix; that of a product is as good.
    real, fake = real.astype("float64"), fake.astype("float64")
    factors = [
        (x - x.mean(axis=0)).T / np.sqrt(len(x) - 1) for x in (real, fake)
    ]
    values = np.linalg.svd(factors[0].T @ factors[1], compute_uv=False)
    means = real.mean(axis=0) - fake.mean(axis=0)
    traces = sum(np.sum(factor**2) for factor in factors)
    expected = means @ means + traces - 2 * values.sum()
    assert found == pytest.approx(expected, rel=1e-5)
    metric = FrechetDistance(num_features=48)
    assert result(metric, real, real) < 2e-6 * traces


def test_a_large_offset():
    real, fake = examples(offset=1e3), examples(seed=1, offset=1e3)
    metric = FrechetDistance(num_features=4)
    for start in range(0, 60, 15):
        part = slice(start, start + 15)
        metric.update_state(real[part], fake[part])
    expected = exact(real, fake)
    assert float(metric.result()) == pytest.approx(expected, rel=1e-3)


def test_weights_are_repetitions():
    real, fake = examples(), examples(seed=1)
    weights = np.random.default_rng(2).integers(4, size=60)
    expected = exact(*(np.repeat(x, weights, axis=0) for x in (real, fake)))
    real[weights == 0], fake[weights == 0] = np.nan, np.inf
    metric = FrechetDistance(num_features=4)
    metric.update_state(real[:30], fake[:30], weights[:30])
    found = result(metric, real[30:], fake[30:], weights[30:, None])
    assert found == pytest.approx(expected, rel=1e-5)


def test_not_defined():
    x = examples()
    metric = FrechetDistance(num_features=4)
    assert np.isnan(float(metric.result()))
    assert np.isnan(result(FrechetDistance(num_features=4), x[:1], x))
    assert np.isnan(result(metric, real=x))
    assert np.isnan(result(metric, fake=x[:1]))
    assert np.isfinite(result(metric, fake=x[1:2]))
    for bad in (np.nan, np.inf):
        broken = np.where(np.arange(60)[:, None] == 7, bad, x)
        assert np.isnan(result(metric, fake=broken))
        # The real ones can be kept.
        metric.fake.reset_state()
        assert result(metric, fake=x) == pytest.approx(0, abs=1e-5)


def colour(images):
    return ops.mean(ops.cast(images, "float32"), axis=(1, 2))


def image_pair():
    rng = np.random.default_rng(0)
    real = rng.integers(256, size=(30, 2, 2, 3)).astype("uint8")
    return real, (real // 2).astype("uint8")


def test_feature_models():
    real, fake = image_pair()
    by_hand = exact(
        *(x.astype("float64").mean(axis=(1, 2)) for x in (real, fake))
    )
    pooling = keras.Sequential(
        [keras.Input((2, 2, 3)), keras.layers.GlobalAveragePooling2D()]
    )
    for metric in (
        FrechetDistance(colour, num_features=3),
        FrechetDistance(pooling),
        FrechetDistance(keras.layers.GlobalAveragePooling2D(), 3),
    ):
        found = result(metric, real.astype("float32"), fake.astype("float32"))
        assert found == pytest.approx(by_hand, rel=1e-4)


def test_a_feature_model_does_not_train():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
        ]
    )
    before = model.get_weights()
    x = examples()
    metric = FrechetDistance(model)
    assert result(metric, x, x + SHIFT) == pytest.approx(
        SHIFT @ SHIFT / 1.001, rel=1e-4
    )
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_features(policy):
    model = keras.layers.Activation(None, dtype=policy)
    real, fake = examples(), examples(seed=1)
    found = result(FrechetDistance(model, 4), real, fake)
    assert found == pytest.approx(exact(real, fake), rel=2e-2)


def test_config():
    keras.saving.register_keras_serializable("keras_dl_tests")(colour)
    plain = FrechetDistance(num_features=4, name="fid")
    weightless = FrechetDistance(colour, 3)
    trained = FrechetDistance(network(inputs=4, outputs=2))
    for metric in (plain, weightless, trained):
        config = keras.saving.serialize_keras_object(metric)
        copy = keras.saving.deserialize_keras_object(config)
        assert copy.get_config() == metric.get_config()
        assert copy.name == metric.name
    copy = FrechetDistance.from_config(weightless.get_config())
    real, fake = image_pair()
    assert result(copy, real, fake) == result(weightless, real, fake)
    # Weights are not in a config: no wrong number, but an error.
    copy = FrechetDistance.from_config(trained.get_config())
    with pytest.raises(ValueError, match="`feature_model`"):
        copy.update_state(examples())
    copy.feature_model = trained.feature_model
    x, y = examples(), examples(seed=1)
    assert result(copy, x, y) == pytest.approx(result(trained, x, y), rel=1e-4)


class Generator(Trainer):
    """Compares what it makes with the data."""

    def __init__(self):
        super().__init__(network(inputs=4, outputs=4))
        features = network(8, inputs=4, outputs=3)
        self.fid = FrechetDistance(features, name="fid")

    def training_step(self, data):
        loss = self.minimize(lambda: ops.mean(ops.square(self.network(data))))
        return {"loss": loss}

    def evaluation_step(self, data):
        self.fid.update_state(data, self.network(data))
        return {"fid": self.fid.result()}


@pytest.mark.compiled
def test_in_a_trainer():
    model, x = Generator(), examples()
    model.compile(keras.optimizers.SGD(0.1))
    fit = {"validation_data": (x,), "batch_size": 25, "verbose": 0}
    history = model.fit(x, epochs=2, **fit).history
    features = [
        model.fid.feature_model.predict(y, verbose=0)
        for y in (x, model.predict(x, verbose=0))
    ]
    assert history["val_fid"][1] == pytest.approx(exact(*features), rel=1e-3)
    assert history["val_fid"][0] != history["val_fid"][1]


@pytest.mark.compiled
def test_in_a_compiled_model(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Rescaling(0.5)])
    model.compile(loss="mse", metrics=[FrechetDistance(num_features=4)])
    x, y = examples(), examples(seed=1)
    model.save(tmp_path / "model.keras")
    for each in (model, keras.models.load_model(tmp_path / "model.keras")):
        logs = each.evaluate(x, y, batch_size=25, verbose=0, return_dict=True)
        expected = exact(y, x / 2)
        found = logs["frechet_distance"]
        assert found == pytest.approx(expected, rel=1e-5)


def test_errors():
    for model in (None, colour, keras.Sequential([keras.layers.Dense(3)])):
        with pytest.raises(ValueError, match="`num_features` must be given"):
            FrechetDistance(model)
    with pytest.raises(ValueError, match="`num_features`.*=0"):
        FrechetDistance(num_features=0)
    with pytest.raises(TypeError, match="`feature_model` must be a function"):
        FrechetDistance("inception", 2048)
    metric = FrechetDistance(num_features=4)
    with pytest.raises(ValueError, match="not both be None"):
        metric.update_state()
    with pytest.raises(ValueError, match=r"`fake`.*\(batch, 4\).*\(9, 3\)"):
        metric.update_state(fake=np.zeros((9, 3)))
    with pytest.raises(ValueError, match="`sample_weight`.*batch of 9"):
        metric.update_state(np.zeros((9, 4)), sample_weight=np.ones(8))
