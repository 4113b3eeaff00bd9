"""The parts and the update rules of tutorial 1, against Keras and NumPy."""

import importlib.util
import pathlib
import struct

import keras
import numpy as np
import pytest
import scipy.special
from keras import ops

import keras_dl

ROOT = pathlib.Path(__file__).parents[2]
PICTURES = (
    "1_activations.png",
    "2_gradient_check.png",
    "3_learning_curve.png",
    "4_trajectories.png",
    "5_batches.png",
)


# Shapes are mostly (64, 10), as in the tutorial: some backends compile each
# operation anew for each shape, and this is what takes their time here.


def load_tutorial():
    path = ROOT / "tutorials" / "01_from_nothing.py"
    spec = importlib.util.spec_from_file_location("from_nothing", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tutorial = load_tutorial()


def numpy_tanh(x):
    return np.tanh(x)


def numpy_relu(x):
    return np.maximum(x, 0)


def numpy_softmax(x):
    return scipy.special.softmax(x, axis=-1)


ORACLES = {
    "sigmoid": scipy.special.expit,
    "tanh": numpy_tanh,
    "ReLU": numpy_relu,
    "softmax": numpy_softmax,
}

# The methods of the tutorial leave most hyper-parameters at their defaults.
# These set all of them, with an epsilon so coarse that it matters where it is.
COARSE = (
    tutorial.Method(
        "momentum, light",
        tutorial.momentum,
        keras.optimizers.SGD,
        {"learning_rate": 0.2, "momentum": 0.5},
    ),
    tutorial.Method(
        "Adagrad, coarse",
        tutorial.adagrad,
        keras.optimizers.Adagrad,
        {
            "learning_rate": 0.3,
            "initial_accumulator_value": 0.02,
            "epsilon": 0.1,
        },
    ),
    tutorial.Method(
        "RMSprop, coarse",
        tutorial.rmsprop,
        keras.optimizers.RMSprop,
        {"learning_rate": 0.05, "rho": 0.7, "epsilon": 0.1},
    ),
    tutorial.Method(
        "Adam, coarse",
        tutorial.adam,
        keras.optimizers.Adam,
        {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.1},
    ),
)


@pytest.mark.parametrize(
    "method",
    [*tutorial.METHODS, *COARSE],
    ids=lambda method: method.name.replace(" ", "-"),
)
def test_rule_takes_the_path_of_keras(method):
    """Over 50 steps, and it is a path: it moves, and it moves downhill."""
    x, y = tutorial.petals()
    ours, theirs = tutorial.trajectories(method, x, y, (0.0, 2.6), steps=50)
    assert ours.shape == theirs.shape == (51, 2)
    assert tutorial.largest_distance(ours, theirs) < tutorial.LIMIT
    assert (np.linalg.norm(np.diff(ours, axis=0), axis=-1) > 0).all()
    first, last = tutorial.excess_loss(ours[[0, -1]], x, y)
    assert last < 0.5 * first


def test_methods_are_the_six_with_matching_optimizers():
    names = [method.name for method in tutorial.METHODS]
    assert len(set(names)) == 6
    sizes = {method.batch_size for method in tutorial.METHODS}
    assert sizes == {None, 8}


@pytest.mark.parametrize("name", ORACLES)
def test_activation_equals_float64(name):
    x = np.random.default_rng(0).normal(0, 4, size=(64, 10)).astype("float32")
    ours = tutorial.ACTIVATIONS[name][0](ops.array(x))
    np.testing.assert_allclose(
        ops.convert_to_numpy(ours),
        ORACLES[name](x.astype("float64")),
        atol=5e-7,
    )


@pytest.mark.parametrize("name", ORACLES)
def test_activation_and_slope_survive_large_inputs(name):
    x = np.resize(np.float32([-1000, -100, 0, 100, 1000]), (64, 10))
    activation = tutorial.ACTIVATIONS[name][0]
    value = ops.convert_to_numpy(activation(ops.array(x)))
    expected = ORACLES[name](x.astype("float64"))
    np.testing.assert_allclose(value, expected, atol=1e-30)
    slope = keras_dl.grad(lambda x: ops.sum(activation(x)))(ops.array(x))
    zero = {"sigmoid": 0.25, "tanh": 1.0, "ReLU": 0.0, "softmax": 0.0}
    large = {"sigmoid": 0.0, "tanh": 0.0, "ReLU": 1.0, "softmax": 0.0}
    slopes = [0.0, 0.0, zero[name], large[name], large[name]]
    np.testing.assert_allclose(
        ops.convert_to_numpy(slope), np.resize(slopes, (64, 10)), atol=1e-6
    )


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_softmax_cross_entropy_equals_float64(scale):
    random = np.random.default_rng(0)
    logits = random.normal(0, scale, size=(64, 10)).astype("float32")
    labels = random.integers(0, 10, size=64)
    ours = tutorial.softmax_cross_entropy(ops.array(labels), ops.array(logits))
    log_p = scipy.special.log_softmax(logits.astype("float64"), axis=-1)
    expected = -log_p[np.arange(64), labels].mean()
    np.testing.assert_allclose(float(ours), expected, rtol=1e-6)


def test_mean_squared_error_equals_float64():
    y, p = np.random.default_rng(0).normal(size=(2, 64, 10)).astype("float32")
    ours = tutorial.mean_squared_error(ops.array(y), ops.array(p))
    expected = np.mean((p.astype("float64") - y) ** 2)
    np.testing.assert_allclose(float(ours), expected, rtol=1e-6)


def test_network_is_a_chain_of_affine_layers():
    parameters = tutorial.initial_parameters((10, 10, 10, 10))
    x = np.random.default_rng(0).normal(size=(64, 10))
    expected = x
    for i in range(0, 6, 2):
        weights, bias = map(ops.convert_to_numpy, parameters[i : i + 2])
        expected = expected @ weights + bias
        if i < 4:
            expected = np.maximum(expected, 0)
    ours = tutorial.network(parameters, tutorial.tensor(x))
    np.testing.assert_allclose(
        ops.convert_to_numpy(ours), expected, rtol=1e-5, atol=1e-6
    )


def test_batches_hold_no_example_twice_in_one_epoch():
    x = np.arange(10)
    batches = list(tutorial.draw_batches(x, -x, batch_size=3, updates=6))
    drawn = np.array([ops.convert_to_numpy(b) for b, _ in batches])
    assert drawn.shape == (6, 3)
    for epoch in (drawn[:3], drawn[3:]):
        assert len(set(epoch.ravel().tolist())) == 9
    assert all((ops.convert_to_numpy(b + t) == 0).all() for b, t in batches)


def test_excess_loss_is_loss_above_the_minimum():
    x, y = tutorial.petals()
    best, (residual,) = np.linalg.lstsq(x.astype("float64"), y)[:2]
    assert tutorial.excess_loss(best, x, y) == pytest.approx(0, abs=1e-12)
    line = tutorial.tensor([1.0, 2.0])
    loss = float(tutorial.line_loss([line], tutorial.tensor(x), ops.array(y)))
    excess = tutorial.excess_loss(np.array([1.0, 2.0]), x, y)
    assert excess == pytest.approx(loss - residual / len(y), rel=1e-5)


def is_picture(path, smallest_side=300):
    """Whether the file starts as a PNG of at least this size."""
    head = path.read_bytes()[:24]
    sides = struct.unpack(">II", head[16:24])
    return head[:8] == b"\x89PNG\r\n\x1a\n" and min(sides) > smallest_side


def test_digits_are_images_with_labels():
    (x, y), (test_x, test_y) = tutorial.digits()
    assert x.shape[1:] == test_x.shape[1:] == (64,)
    assert (len(y), len(test_y)) == (len(x), len(test_x)) == (1348, 449)
    assert (x.min(), x.max()) == (0, 1)
    assert set(y.tolist()) == set(test_y.tolist()) == set(range(10))


def test_main_tells_the_story_and_leaves_pictures(
    tmp_path, capsys, monkeypatch
):
    few = [(x[:64], y[:64]) for x, y in tutorial.digits()]
    monkeypatch.setattr(tutorial, "digits", lambda: few)
    arguments = ["--out", str(tmp_path), "--steps", "3", "--updates", "12"]
    assert tutorial.main(arguments) == 0
    printed = capsys.readouterr().out
    assert keras.backend.backend() in printed
    assert printed.count("   ok\n") == 7 + 2 + 6
    assert tuple(sorted(p.name for p in tmp_path.iterdir())) == PICTURES
    for name in PICTURES:
        assert is_picture(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 10_000


def test_a_wrong_rule_is_noticed(tmp_path, capsys, monkeypatch):
    def too_long(gradient, state, step, learning_rate):
        return -1.001 * learning_rate * gradient, state

    wrong = tutorial.METHODS[0]._replace(rule=too_long)
    monkeypatch.setattr(tutorial, "METHODS", [wrong])
    assert not tutorial.tell_trajectories(tmp_path, steps=3)
    assert capsys.readouterr().out.count("TOO FAR") == 1


@pytest.mark.parametrize("wrong", ["parts", "gradients", "trajectories"])
def test_exit_status_is_1_if_anything_is_wrong(
    wrong, tmp_path, capsys, monkeypatch
):
    for part in ("parts", "gradients", "learning", "trajectories", "batches"):
        monkeypatch.setattr(
            tutorial, f"tell_{part}", lambda *_, right=part != wrong: right
        )
    assert tutorial.main(["--out", str(tmp_path)]) == 1
    assert "TOO FAR" in capsys.readouterr().out


def test_nan_is_too_far(capsys):
    assert not tutorial.verdict("not a number", float("nan"), 1.0)
    assert "TOO FAR" in capsys.readouterr().out


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"sklearn.*keras_dl\[datasets\]"):
        tutorial.require_packages()
