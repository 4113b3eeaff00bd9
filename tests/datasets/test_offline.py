"""The offline datasets: what they hold, and how they are split."""

import os
import pydoc_data.topics
import subprocess
import sys

import numpy as np
import pytest
import sklearn.datasets

from keras_dl import datasets

CLASSIFICATION = ("breast_cancer", "digits", "iris", "wine")
TABLES = (*CLASSIFICATION, "diabetes")


def parts(data):
    return data.train, data.validation, data.test


def rows(split):
    """Examples and targets as sorted rows: to compare regardless of order."""
    table = np.column_stack([split.x, split.y])
    return table[np.lexsort(table.T)]


def whole(name):
    """All examples, as scikit-learn gives them."""
    options = {"scaled": False} if name == "diabetes" else {}
    loader = getattr(sklearn.datasets, f"load_{name}")
    return datasets.Split(*loader(return_X_y=True, **options))


def test_names():
    expected = {*TABLES, "photographs", "python_topics"}
    assert set(datasets.names()) == expected


@pytest.mark.parametrize("name", TABLES)
def test_splits_hold_every_example_once(name):
    data = datasets.load(name, seed=3)
    together = np.concatenate([rows(part) for part in parts(data)])
    together = together[np.lexsort(together.T)]
    np.testing.assert_allclose(together, rows(whole(name)), rtol=1e-6)


@pytest.mark.parametrize("name", TABLES)
def test_sizes_and_types(name):
    data = datasets.load(name)
    assert isinstance(data, datasets.Splits)
    assert isinstance(data.info, datasets.Info)
    total = len(whole(name).x)
    assert len(data.validation) == round(0.1 * total)
    assert len(data.test) == round(0.2 * total)
    for part in parts(data):
        assert part.x.dtype == "float32"
        assert part.x.shape == (len(part), len(data.info.feature_names))
        regression = data.info.task == "regression"
        assert part.y.dtype == ("float32" if regression else "int32")
        assert part.y.shape == ((len(part), 1) if regression else (len(part),))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", CLASSIFICATION)
def test_classes_keep_their_proportions(name, seed):
    data = datasets.load(name, seed=seed)
    sizes = np.bincount(whole(name).y)
    assert data.info.num_classes == len(data.info.class_names) == len(sizes)
    assert data.info.task == ("binary" if len(sizes) == 2 else "multiclass")
    for part in parts(data):
        expected = sizes * len(part) / sizes.sum()
        actual = np.bincount(part.y, minlength=len(sizes))
        assert np.all(np.abs(actual - expected) < 1)


@pytest.mark.parametrize("name", [*TABLES, "python_topics"])
def test_seed_decides_the_split(name):
    first, again, other = (datasets.load(name, seed=s) for s in (7, 7, 8))
    for a, b, c in zip(*map(parts, (first, again, other)), strict=True):
        np.testing.assert_array_equal(a.x, b.x)
        np.testing.assert_array_equal(a.y, b.y)
        assert not np.array_equal(a.x, c.x)


def test_split_is_the_same_on_every_platform():
    data = datasets.load("iris", seed=0)
    first_rows = [part.x[0].tolist() for part in parts(data)]
    expected = [
        [6.1, 2.9, 4.7, 1.4],
        [5.5, 4.2, 1.4, 0.2],
        [5.5, 3.5, 1.3, 0.2],
    ]
    np.testing.assert_allclose(first_rows, expected, rtol=1e-6)


def test_fractions():
    data = datasets.load("wine", validation=0, test=0.5)
    assert [len(part) for part in parts(data)] == [89, 0, 89]
    assert data.validation.x.shape == (0, 13)


def test_splits_smaller_than_the_number_of_classes():
    data = datasets.load("digits", validation=0.001, test=0.002)
    assert [len(part) for part in parts(data)] == [1791, 2, 4]


def test_photographs():
    data = datasets.load("photographs")
    assert data.train.x.shape == (2, 427, 640, 3)
    assert data.train.x.dtype == "uint8"
    assert [len(part) for part in parts(data)] == [2, 0, 0]
    china = sklearn.datasets.load_sample_image("china.jpg")
    position = list(data.train.y).index(data.info.class_names.index("china"))
    np.testing.assert_array_equal(data.train.x[position], china)


def test_python_topics():
    data = datasets.load("python_topics")
    documents = {}
    for part in parts(data):
        assert list(part.y) == sorted(part.y)
        documents.update(zip(part.y, part.x, strict=True))
    assert documents == pydoc_data.topics.topics
    assert sum(map(len, parts(data))) == len(documents)


def test_python_topics_as_one_string():
    text = datasets.load("python_topics", validation=0, test=0).train.text
    topics = pydoc_data.topics.topics
    assert text == "\n\n".join(topics[name] for name in sorted(topics))


def test_text_of_numbers_is_refused():
    with pytest.raises(TypeError, match="strings"):
        _ = datasets.load("iris").train.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"validation": 1.0}, r"`validation`.*below 1.*validation=1\.0"),
        ({"validation": -0.1}, r"`validation`.*validation=-0\.1"),
        ({"test": "train"}, r"`test`.*a number.*test='train'"),
        ({"test": True}, r"`test`.*test=True"),
        ({"validation": 0.5, "test": 0.5}, r"nothing to train on"),
        ({"seed": -1}, r"`seed`.*seed=-1"),
        ({"seed": 0.5}, r"`seed`.*integer.*seed=0\.5"),
        ({"data_dir": "data"}, r"`data_dir`.*TensorFlow Datasets.*'iris:"),
        ({"download": True}, r"`download`.*download=True"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        datasets.load("iris", **arguments)


def test_import_is_light():
    code = (
        "import sys, keras; before = set(sys.modules);"
        "import keras_dl.datasets; print(*(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    loaded = {module.split(".")[0] for module in done.stdout.split()}
    assert "keras_dl" in loaded
    assert not loaded & {"sklearn", "tensorflow", "tensorflow_datasets"}
