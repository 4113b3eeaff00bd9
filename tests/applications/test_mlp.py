"""The multilayer perceptron, against scikit-learn and on its own terms."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from sklearn import metrics as oracle
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from keras_dl import applications

MLP = applications.MLP
NUM_OUTPUTS = {"binary": 1, "multiclass": 3, "multilabel": 2, "regression": 2}
TASKS = list(NUM_OUTPUTS)
CLASSIFICATION = TASKS[:3]


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


def make(task="multiclass", **arguments):
    arguments = {"units": (8, 6), **arguments}
    return MLP(task=task, num_outputs=NUM_OUTPUTS[task], **arguments)


def examples(task="multiclass", num_examples=64):
    """Inputs of very different scales, and targets that depend on them."""
    generator = np.random.default_rng(1)
    z = generator.normal(size=(num_examples, 4))
    x = (z * [1, 100, 0.01, 5] + [0, 1000, 0, -3]).astype("float32")
    targets = {
        "binary": (z[:, 0] > 0).astype("int32"),
        "multiclass": np.digitize(z[:, 0] + z[:, 1], [-1, 1]).astype("int32"),
        "multilabel": (z[:, :2] > 0).astype("int32"),
        "regression": (z[:, :2] + z[:, 2:]).astype("float32"),
    }
    return x, targets[task]


def adapted(task="multiclass", **arguments):
    """A compiled model that has seen the scales of the inputs."""
    model = make(task, normalizer=keras.layers.Normalization(), **arguments)
    model.adapt(examples(task)[0])
    model.build((None, 4))
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    return model


def arrays(variables):
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def dense_layers(model):
    layers = [*model.hidden, model.head]
    return [layer for layer in layers if isinstance(layer, keras.layers.Dense)]


def scikit_model(model, x, y):
    """A model of scikit-learn, in float64, with the weights of `model`."""
    regression = model.task == "regression"
    kind = MLPRegressor if regression else MLPClassifier
    peer = kind(hidden_layer_sizes=model.units)
    classes = {} if regression else {"classes": np.unique(y)}
    peer.partial_fit(x, y, **classes)
    layers = dense_layers(model)
    kernels = arrays(layer.kernel for layer in layers)
    biases = arrays(layer.bias for layer in layers)
    peer.coefs_ = [kernel.astype("float64") for kernel in kernels]
    peer.intercepts_ = [bias.astype("float64") for bias in biases]
    return peer.predict if regression else peer.predict_proba


@pytest.mark.parametrize("task", TASKS)
def test_predictions_agree_with_scikit_learn(task):
    x, y = examples(task)
    model = adapted(task)
    for layer in dense_layers(model):
        layer.bias.assign(np.linspace(-1, 1, layer.units))
    scaled = StandardScaler().fit_transform(x.astype("float64"))
    expected = scikit_model(model, scaled, y)(scaled)
    if task == "binary":
        expected = expected[:, 1:]
    predictions = model.predict(x, verbose=0)
    assert predictions.dtype == "float32"
    np.testing.assert_allclose(predictions, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.predict_on_batch(x), predictions, 1e-5)


def expected_results(task, y, predictions):
    """Loss and metrics, from what `predict` gives, by scikit-learn."""
    if task == "regression":
        return {
            "loss": oracle.mean_squared_error(y, predictions),
            "mae": oracle.mean_absolute_error(y, predictions),
        }
    if task == "multiclass":
        labels = predictions.argmax(axis=1)
        return {
            "loss": oracle.log_loss(y, predictions),
            "accuracy": oracle.accuracy_score(y, labels),
        }
    flat = y.reshape(-1)
    return {
        "loss": oracle.log_loss(flat, predictions.reshape(-1)),
        "accuracy": np.mean(flat == (predictions.reshape(-1) > 0.5)),
        "auc": oracle.roc_auc_score(y, predictions),
    }


@pytest.mark.parametrize("task", TASKS)
def test_loss_and_metrics_agree_with_scikit_learn(task):
    x, y = examples(task)
    model = adapted(task)
    results = model.evaluate(x, y, verbose=0, return_dict=True)
    expected = expected_results(task, y, model.predict(x, verbose=0))
    assert set(results) == set(expected)
    for name, value in expected.items():
        # Keras integrates the curve over 200 thresholds.
        tolerance = {"atol": 0.02} if name == "auc" else {"rtol": 1e-4}
        np.testing.assert_allclose(results[name], value, **tolerance)


@pytest.mark.parametrize("task", TASKS)
def test_fit_lowers_the_loss_and_changes_every_weight(task):
    x, y = examples(task)
    model = adapted(task, batch_norm=True)
    before = arrays(model.trainable_variables)
    history = model.fit(x, y, epochs=10, batch_size=16, verbose=0).history
    assert float(history["loss"][-1]) < 0.8 * float(history["loss"][0])
    after = arrays(model.trainable_variables)
    assert len(after) == 8  # two kernels, gammas, betas; the head's two
    for old, new in zip(before, after, strict=True):
        assert np.all(np.any(old != new, axis=-1))


def test_fit_is_in_training_mode():
    """Statistics are gathered, and outputs dropped, also before the layers."""
    x, y = examples()
    noise = keras.Sequential([keras.layers.GaussianNoise(1.0)])
    model = make(batch_norm=True, dropout=0.5, normalizer=noise)
    model.build((None, 4))
    model.compile(keras.optimizers.SGD(0.0))
    statistics = [w for w in model.variables if "moving" in w.path]
    before = arrays(statistics)
    history = model.fit(x, y, epochs=2, shuffle=False, verbose=0).history
    moved = map(np.not_equal, before, arrays(statistics))
    assert len(before) == 4 and all(map(np.any, moved))
    assert history["loss"][0] != history["loss"][1]  # Though none has learnt.
    without = make(dropout=0.5)
    without.compile(keras.optimizers.SGD(0.0))
    history = without.fit(x, y, epochs=2, shuffle=False, verbose=0).history
    assert history["loss"][0] != history["loss"][1]


def test_loss_is_exact_where_probabilities_round_to_zero():
    model = make("binary", units=())
    model.compile()
    model.build((None, 1))
    model.head.kernel.assign([[1.0]])
    x, y = np.array([[-200.0]], "float32"), np.array([1])
    assert model.predict(x, verbose=0) == 0
    results = model.evaluate(x, y, verbose=0, return_dict=True)
    np.testing.assert_allclose(float(results["loss"]), 200.0, rtol=1e-6)


def test_compile_takes_what_it_is_given():
    x, y = examples("binary")
    model = adapted("binary")
    model.compile(
        optimizer=keras.optimizers.SGD(0.5),
        loss=keras.losses.BinaryFocalCrossentropy(from_logits=True),
        metrics=[keras.metrics.MeanSquaredError(name="brier")],
    )
    results = model.evaluate(x, y, verbose=0, return_dict=True)
    brier = oracle.brier_score_loss(y, model.predict(x, verbose=0)[:, 0])
    assert set(results) == {"loss", "brier"}
    np.testing.assert_allclose(float(results["brier"]), brier, rtol=1e-5)
    assert isinstance(model.optimizer, keras.optimizers.SGD)


def test_no_metrics_if_none_are_wanted():
    model = adapted()
    model.compile(metrics=[])
    assert set(model.evaluate(*examples(), verbose=0, return_dict=True)) == {
        "loss"
    }


def test_adapting_again_takes_effect():
    x, _ = examples()
    model = adapted()
    before = model.predict(x, verbose=0)
    model.adapt(x * 3 + 1)
    assert np.abs(model.predict(x, verbose=0) - before).max() > 1e-3


def test_dropout_and_regularizer():
    x, y = examples()
    model = adapted(dropout=0.5, kernel_regularizer=keras.regularizers.L2(0.1))
    kernels = [w for w in model.trainable_variables if w.name == "kernel"]
    assert len(kernels) == 3
    penalty = sum(0.1 * np.sum(kernel**2) for kernel in arrays(kernels))
    loss = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    data_loss = oracle.log_loss(y, model.predict(x, verbose=0))
    np.testing.assert_allclose(float(loss), data_loss + penalty, rtol=1e-4)
    quiet, noisy = arrays([model(x), model(x, training=True)])
    np.testing.assert_array_equal(quiet, arrays([model(x)])[0])
    assert not np.allclose(quiet, noisy)


@pytest.mark.parametrize("shape", [(None, 4), (None, 5, 4)])
def test_shapes(shape):
    model = make(units=[3])
    assert model.compute_output_shape(shape) == (*shape[:-1], 3)
    outputs = model(keras.Input(shape[1:]))
    assert outputs.shape == (*shape[:-1], 3)
    for batch in (1, 7):
        assert model(np.ones((batch, *shape[1:]), "float32")).shape[0] == batch


def test_integers_are_taken_as_numbers():
    model = make()
    pixels = np.array([[0, 1, 2, 255]], "uint8")
    np.testing.assert_allclose(
        *arrays([model(pixels), model(pixels.astype("float32"))]), rtol=1e-6
    )


@pytest.mark.compiled
def test_mask_reaches_statistics_and_loss():
    x = np.zeros((2, 3, 4), "float32")
    x[:, 1:] = keras.layers.Masking().mask_value + 5.0
    masked = x.copy()
    masked[:, 0] = 0.0
    model = make(units=(4,), batch_norm=True)
    inputs = keras.Input((3, 4))
    whole = keras.Model(inputs, model(keras.layers.Masking()(inputs)))
    model(np.zeros((1, 1, 4), "float32"))
    whole(x, training=True)
    mean = arrays(model.hidden[1].weights)[2]
    dense = arrays([model.hidden[0](x)])[0]
    np.testing.assert_allclose(
        mean, 0.01 * dense[:, 1:].mean(axis=(0, 1)), rtol=1e-4
    )


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    x, y = examples()
    model = adapted(dtype=policy)
    history = model.fit(x, y, epochs=10, verbose=0).history
    assert float(history["loss"][-1]) < float(history["loss"][0])
    assert model.hidden[0].compute_dtype == policy.removeprefix("mixed_")
    assert model.head.compute_dtype == "float32"
    logits = model(x)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    clone = MLP.from_config(model.get_config())
    assert clone.dtype_policy.name == policy


@pytest.mark.compiled
def test_large_inputs_survive_half_precision():
    x = examples()[0] * 1000  # up to a million: inf in float16
    model = make(normalizer=keras.layers.Normalization(), dtype="mixed_float16")
    model.adapt(x)
    assert np.all(np.isfinite(model.predict(x, verbose=0)))


def test_config_round_trip():
    model = adapted(
        "multilabel",
        activation="gelu",
        dropout=0.25,
        batch_norm=True,
        kernel_regularizer="l2",
        name="judge",
    )
    config = model.get_config()
    clone = MLP.from_config(config)
    assert keras.saving.serialize_keras_object(
        clone.get_config()
    ) == keras.saving.serialize_keras_object(config)
    clone.build((None, 4))
    assert [w.shape for w in clone.weights] == [w.shape for w in model.weights]


RELOAD = """
import sys, keras, keras_dl.applications, numpy as np
folder = sys.argv[1]
data = np.load(folder + "/data.npz")
model = keras.saving.load_model(folder + "/model.keras")
reloaded = model.predict(data["x"], verbose=0)
model.fit(data["x"], data["y"], epochs=2, shuffle=False, verbose=0)
trained = model.predict(data["x"], verbose=0)
np.savez(folder + "/result.npz", reloaded=reloaded, trained=trained)
"""


def test_reload_in_a_fresh_process_and_train_on(tmp_path):
    x, y = examples()
    model = adapted(batch_norm=True)
    # Its settings and its moments must survive, and it must not be the default.
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True))
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "data.npz", x=x, y=y)
    root = pathlib.Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-c", RELOAD, str(tmp_path)],
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    result = np.load(tmp_path / "result.npz")
    np.testing.assert_allclose(
        result["reloaded"], model.predict(x, verbose=0), atol=1e-6
    )
    # The same further steps: optimizer, its moments and the loss came along.
    model.fit(x, y, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_allclose(
        result["trained"], model.predict(x, verbose=0), atol=1e-5
    )


@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.compiled
def test_reload_leaves_compilation_to_the_backend(jit_compile):
    model = adapted()
    automatic = model.jit_compile
    config = {**model.get_compile_config(), "jit_compile": jit_compile}
    model.compile_from_config(config)
    assert model.jit_compile == (automatic if jit_compile else False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 64}, r"`units`.*list or tuple.*units=64"),
        ({"units": (8, 0)}, r"`units`.*at least 1.*\(8, 0\)"),
        ({"units": (2.5,)}, r"`units`.*integers.*2\.5"),
        ({"task": "rank"}, r"`task`.*'binary'.*task='rank'"),
        ({"num_outputs": None}, r"`num_outputs`.*at least 2.*None"),
        ({"num_outputs": 1}, r"`num_outputs`.*at least 2.*num_outputs=1"),
        ({"task": "binary", "num_outputs": 2}, r"`num_outputs` must be 1.*=2"),
        ({"task": "multilabel", "num_outputs": None}, r"`num_outputs`.*None"),
        ({"dropout": 1.0}, r"`dropout`.*below 1.*dropout=1\.0"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        MLP(**{"num_outputs": 3, **arguments})


def test_normalizer_must_be_a_layer():
    with pytest.raises(TypeError, match=r"`normalizer`.*layer.*True"):
        MLP(num_outputs=3, normalizer=True)


def test_normalizer_must_be_adapted_first():
    model = make(normalizer=keras.layers.Normalization())
    model.compile()
    with pytest.raises(ValueError, match=r"`normalizer`.*model\.adapt\(x\)"):
        model.fit(*examples(), verbose=0)


def test_adapt_needs_a_normalizer():
    for normalizer in (None, keras.layers.Rescaling(0.5)):
        with pytest.raises(ValueError, match=r"`adapt`.*`normalizer`"):
            make(normalizer=normalizer).adapt(examples()[0])


@pytest.mark.parametrize(
    "loss",
    [
        "binary_crossentropy",
        keras.losses.BinaryCrossentropy(),
        keras.losses.binary_focal_crossentropy,
    ],
)
@pytest.mark.parametrize("task", CLASSIFICATION)
def test_loss_of_probabilities_is_refused(task, loss):
    with pytest.raises(ValueError, match=r"`loss`.*from_logits=True"):
        make(task).compile(loss=loss)


def test_labels_of_each_step():
    """Accuracy and AUC of all steps, as of examples of their own."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 5, 3)).astype("float32")
    y = (x[..., :2] + rng.normal(size=(4, 5, 2)) > 0).astype("int32")
    model = MLP((4,), task="multilabel", num_outputs=2)
    model.compile("sgd")
    weights = np.array([1.0, 2.0, 0.0, 1.0])
    found = model.evaluate(
        x, y, sample_weight=weights, verbose=0, return_dict=True
    )
    flat = model.evaluate(
        x.reshape(20, 3),
        y.reshape(20, 2),
        sample_weight=weights.repeat(5),
        verbose=0,
        return_dict=True,
    )
    assert found == pytest.approx(flat, rel=1e-5)
