"""Each adapter stands on one specification, and its defaults are right."""

import ast
import inspect
import pathlib

import keras
import numpy as np
import pytest
from keras import ops
from sequences import normal, numpy

from keras_dl import backend
from keras_dl.backend import specification

pytestmark = pytest.mark.compiled

ADAPTERS = ("jax", "tensorflow", "torch")
ROOM = pathlib.Path(backend.__file__).parent
SPECIFIED = {
    name: function
    for name, function in vars(specification).items()
    if inspect.isfunction(function) and not name.startswith("_")
}


def defined(adapter):
    """The public names that the file of an adapter defines."""
    for node in ast.parse((ROOM / f"{adapter}.py").read_text()).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                for part in getattr(target, "elts", [target]):
                    yield part.id


def is_left_to_adapters(name):
    return "raise NotImplementedError" in inspect.getsource(SPECIFIED[name])


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_has_what_is_specified_and_no_more(adapter):
    public = {name for name in defined(adapter) if not name.startswith("_")}
    assert public <= {"name", *SPECIFIED}, public - set(SPECIFIED)
    lacking = {n for n in SPECIFIED if is_left_to_adapters(n)} - public
    assert not lacking, lacking


def test_all_that_is_specified_is_used():
    others = {"Scope", "differentiated_twice", "name", "substituted"}
    assert set(backend.__all__) == {*SPECIFIED, *others}


@pytest.mark.parametrize("name", SPECIFIED)
def test_arguments_are_named_alike(name):
    """An adapter may take more, where it says what it is by default."""
    expected = inspect.signature(SPECIFIED[name]).parameters
    found = inspect.signature(getattr(backend, name)).parameters
    if name == "run_step":  # Keras gives other things on each backend.
        return
    assert list(found)[: len(expected)] == list(expected)
    more = [found[key] for key in list(found)[len(expected) :]]
    assert all(p.default is not inspect.Parameter.empty for p in more)


X = normal(2, 5, 6, 3)
FIRST = np.ascontiguousarray(X.transpose(0, 3, 1, 2))
HALF = (3 + 200 * X).astype("float16")
IMAGES = {
    "convolve": lambda of: of.convolve(
        X, normal(3, 2, 3, 4), normal(4), (2, 1), "same", (1, 1), True
    ),
    "convolve_back": lambda of: of.convolve_back(
        X, normal(4, 4, 2, 3), normal(2), (2, 2), "same", True
    ),
    "convolve, channels first": lambda of: of.convolve(
        FIRST, normal(3, 2, 3, 4), normal(4), (2, 1), "same", (1, 1), False
    ),
    "convolve, groups": lambda of: of.convolve(
        X, normal(3, 3, 1, 6), None, (1, 1), "valid", (2, 1), True
    ),
    "convolve_back, channels first": lambda of: of.convolve_back(
        FIRST, normal(4, 4, 2, 3), None, (2, 2), "valid", False
    ),
    "convolve_back, uneven": lambda of: of.convolve_back(
        X, normal(3, 3, 2, 3), normal(2), (2, 2), "same", True
    ),
    "normalize_instances, channels first": lambda of: of.normalize_instances(
        FIRST, 1, None, normal(3), 1e-3, "float32"
    ),
    "normalize_instances, half": lambda of: of.normalize_instances(
        HALF, -1, normal(3), normal(3, seed=1), 1e-3, "float16"
    ),
    "normalize_batch, channels first": lambda of: of.normalize_batch(
        FIRST, 1, normal(3), None, 1e-3, "float32"
    ),
    "normalize_batch, half": lambda of: of.normalize_batch(
        HALF, -1, normal(3), normal(3, seed=1), 1e-3, "float16"
    ),
    "pad, channels first": lambda of: of.pad(
        FIRST, ((0, 2), (1, 0)), False, "reflect"
    ),
    "normalize_instances": lambda of: of.normalize_instances(
        X, -1, normal(3), normal(3, seed=1), 1e-3, "float32"
    ),
    "normalize_batch": lambda of: of.normalize_batch(
        X, -1, normal(3), normal(3, seed=1), 1e-3, "float32"
    ),
    "pad": lambda of: of.pad(X, ((1, 0), (2, 3)), True, "reflect"),
    "zeros": lambda of: of.pad(X, ((1, 0), (2, 3)), True, "constant"),
    "linear": lambda of: of.linear(X, normal(3, 4), normal(4)),
    "gather_last": lambda of: of.gather_last(
        X, np.zeros((2, 5, 6), "int32") + 2
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_an_adapters_own_way_gives_what_the_default_does(name):
    def tensors(of):
        return IMAGES[name](Given(of))

    for own, default in zip(
        numpy(tensors(backend)), numpy(tensors(specification)), strict=True
    ):
        assert own.dtype == default.dtype and np.isfinite(own).all()
        tolerance = 1e-5 if own.dtype == "float32" else 2e-3
        np.testing.assert_allclose(own, default, tolerance, tolerance)


class Given:
    """Functions of a module that take arrays for tensors."""

    def __init__(self, module):
        self.module = module

    def __getattr__(self, name):
        def call(*args):
            return getattr(self.module, name)(
                *(
                    ops.convert_to_tensor(x) if isinstance(x, np.ndarray) else x
                    for x in args
                )
            )

        return call


def test_single_operations_are_compiled_where_that_is_quicker():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    x = ops.convert_to_tensor(normal(4, 3))
    run = backend.at_once(lambda x: model(x) + 1.0)
    np.testing.assert_allclose(
        numpy(run(x))[0], numpy(model(x))[0] + 1.0, atol=1e-6
    )
    backend.forget_compiled()
    np.testing.assert_allclose(numpy(run(x))[0], numpy(model(x))[0] + 1.0)
