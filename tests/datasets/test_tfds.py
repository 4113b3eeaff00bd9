"""TensorFlow Datasets by name: real ones, prepared on disk by the fixture."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from keras_dl import datasets

pytest.importorskip(
    "tensorflow_datasets", reason="reads datasets of tensorflow_datasets"
)
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip(
        "tensorflow_datasets needs tensorflow to prepare a dataset",
        allow_module_level=True,
    )

HERE = pathlib.Path(__file__).parent
TRAIN, TEST = range(20), range(100, 106)  # The values of the images.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the datasets of tiny_builders.py."""
    path = tmp_path_factory.mktemp("tfds")
    subprocess.run(
        [sys.executable, HERE / "tiny_builders.py", path],
        check=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )
    return path


def values(split):
    """The value of each image; all its pixels must have it."""
    first = split.x[:, 0, 0, 0]
    np.testing.assert_array_equal(
        split.x, np.broadcast_to(first[:, None, None, None], split.x.shape)
    )
    return first.astype(int)


@pytest.mark.parametrize("files", ["", "array_record", "tfrecord"])
def test_labelled_images(folder, files):
    data = datasets.load("tiny_images", data_dir=folder / files)
    assert data.train.x.shape == (18, 4, 4, 1)
    assert data.train.x.dtype == "uint8"
    assert data.train.y.dtype == "int32"
    np.testing.assert_array_equal(np.sort(values(data.test)), TEST)
    learned = [*values(data.train), *values(data.validation)]
    np.testing.assert_array_equal(np.sort(learned), TRAIN)
    for part in (data.train, data.validation, data.test):
        np.testing.assert_array_equal(part.y, values(part) % 2)
    np.testing.assert_array_equal(np.bincount(data.validation.y), [1, 1])
    assert data.info.task == "binary"
    assert data.info.class_names == ("even", "odd")


def test_seed_decides_what_is_carved_out(folder):
    def validation(seed):
        data = datasets.load(
            "tiny_images", data_dir=folder, validation=0.5, seed=seed
        )
        return values(data.validation).tolist()

    assert validation(1) == validation(1)
    assert sorted(validation(1)) != sorted(validation(2))


def test_own_splits_by_name_or_fraction(folder):
    def load(**arguments):
        return datasets.load("tiny_images", data_dir=folder, **arguments)

    by_name = load(validation="test", test=0)
    np.testing.assert_array_equal(np.sort(values(by_name.validation)), TEST)
    np.testing.assert_array_equal(np.sort(values(by_name.train)), TRAIN)
    assert len(by_name.test) == 0
    carved = load(validation=0, test=0.25)
    assert len(carved.test) == 5
    assert set(values(carved.test)) < set(TRAIN)


def test_regression(folder):
    data = datasets.load("tiny_prices", data_dir=folder)
    assert data.info.task == "regression"
    assert data.train.x.dtype == data.train.y.dtype == "float32"
    assert data.train.y.shape == (7, 1)
    np.testing.assert_allclose(data.train.y, 10 * data.train.x[:, :1])


def test_without_supervised_keys(folder):
    data = datasets.load("tiny_reviews", data_dir=folder, test="unlabelled")
    assert data.train.y is None
    assert data.info.task is None
    assert set(data.info.feature_names) == {"text", "by"}
    assert (len(data.train), len(data.validation), len(data.test)) == (9, 1, 3)
    for text, age in zip(
        data.train.x["text"], data.train.x["by"]["age"], strict=True
    ):
        assert text == f"ä{age}"


def test_array_records_are_read_without_tensorflow(folder, monkeypatch):
    builder = "tensorflow_datasets.core.DatasetBuilder.as_dataset"
    monkeypatch.setattr(builder, None)  # The way through TensorFlow.
    data = datasets.load("tiny_images", data_dir=folder / "array_record")
    assert len(data.train) == 18


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("tiny_images", {"test": "dev"}, "`test`.*'test', 'train'.*'dev'"),
        ("tiny_images", {"test": "train"}, "`test`.*other than 'train'"),
        ("tiny_images", {"validation": 1}, "`validation`.*validation=1"),
        ("tiny_images", {"seed": -1}, "`seed`.*seed=-1"),
        ("tiny_ragged", {}, "(?s)different shapes.*Image.*2 shapes"),
        ("tiny_test_only", {}, "no split 'train'.*'test'"),
        ("tiny_nothing", {}, "name='tiny_nothing'.*'digits'.*TensorFlow Data"),
    ],
)
def test_errors(folder, name, arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.load(name, data_dir=folder, **arguments)


def test_nothing_is_downloaded_unasked(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`download=True`.*`data_dir"):
        datasets.load("mnist", data_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match=r"'mnist'.*keras_dl\[datasets\]"):
        datasets.load("mnist")
