"""Keras' own tests of its layers, with ours in their place.

A layer that stands in for one of Keras' owes all that Keras' tests of it ask:
quantization, low-rank updates, sparse inputs, files, errors. The tests lie in
Keras' package, and are run from there.
"""

import contextlib
import functools
import importlib.util
import pathlib
import types
import unittest
from unittest import mock

import keras
import pytest

from keras_dl import layers

pytestmark = pytest.mark.filterwarnings("default")  # They warn of their own.

FOLDER = pathlib.Path(keras.__file__).parent / "src" / "layers"
# Keras' test files, and our classes that they test.
FILES = {
    "core/dense_test.py": ["Dense"],
    "rnn/lstm_test.py": ["LSTM"],
    "rnn/gru_test.py": ["GRU"],
    "rnn/bidirectional_test.py": ["LSTM", "GRU"],
    "convolutional/conv_test.py": ["Conv2D"],
    "convolutional/conv_transpose_test.py": ["Conv2DTranspose"],
    "normalization/batch_normalization_test.py": ["BatchNormalization"],
    "reshaping/zero_padding2d_test.py": ["ZeroPadding2D"],
}
# Of what differs by backend, or is asked of others than PyTorch alone.
COMPILED = {
    "test_dense_sparse",
    "test_gptq_serialization",
    "test_quantize_float8_fitting",
    "test_quantize_int_int8",
    "test_stateful_with_symbolic_batch_size",
}
# Of kernels of Keras' own on GPUs, and of layers that are not ours.
OTHERS = (
    "test_torch_cudnn",
    "test_conv1d_transpose",
    "test_enable_lora_conv1d",
)
# It skips rows of arguments that go with no others, on every backend.
ROWS = "test_shape_inference_static_unknown_shape"


def with_ours(path, names):
    """A test file of Keras as a module, whose `layers` has our classes."""
    ours = {name: getattr(layers, name) for name in names}
    name = f"keras_{pathlib.Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, FOLDER / path)
    module = importlib.util.module_from_spec(spec)
    theirs = importlib.import_module("keras.src.layers")
    with mock.patch.multiple(theirs, **ours):  # Some are in decorators.
        spec.loader.exec_module(module)
        module.layers = types.SimpleNamespace(**vars(theirs))
    return module


def marked(name, test):
    """A test, in the lanes that it belongs to."""
    if name.startswith(ROWS):
        return without_skips(test)
    return pytest.mark.compiled(test) if name in COMPILED else test


def without_skips(test):
    @functools.wraps(test)
    def run(self):
        with contextlib.suppress(pytest.skip.Exception):
            test(self)

    return run


def collected():
    """The classes of tests, by the names of their files."""
    for path, names in FILES.items():
        for kind in list(vars(with_ours(path, names)).values()):
            if not isinstance(kind, type):
                continue
            if not issubclass(kind, unittest.TestCase):
                continue
            for name, test in list(vars(kind).items()):
                if name.startswith(OTHERS):
                    delattr(kind, name)
                elif name.startswith("test"):
                    setattr(kind, name, marked(name, test))
            yield f"{pathlib.Path(path).stem}_{kind.__name__}", kind


if (FOLDER / "core" / "dense_test.py").exists():
    globals().update(collected())


def test_they_come_with_keras():
    assert all((FOLDER / path).exists() for path in FILES), keras.__version__
