"""Tasks from TensorFlow Datasets: the same as from the published files."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import numpy as np
import published
import pytest
from published import EXPECTED, FOLDERS

from keras_dl import tasks
from keras_dl.text import CharacterVocabulary, WordVocabulary

pytest.importorskip(
    "tensorflow_datasets", reason="reads datasets of tensorflow_datasets"
)
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip(
        "tensorflow_datasets needs tensorflow to prepare a dataset",
        allow_module_level=True,
    )

HERE = pathlib.Path(__file__).parent
LETTERS = CharacterVocabulary(sorted(set("".join(map(str, EXPECTED.items())))))
WORDS = WordVocabulary.train([published.CONTEXT])
IN_DATASETS = [name for name in EXPECTED if name != "swag"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Published files, and what the builders of TFDS made of them."""
    files = tmp_path_factory.mktemp("files")
    data_dir = tmp_path_factory.mktemp("tfds")
    published.write(files)
    subprocess.run(
        [sys.executable, HERE / "prepare_tfds.py", files, data_dir],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
    )
    return files, data_dir


def in_order(split):
    """Inputs and target of each example."""
    columns = list(split.inputs.values())
    if split.targets is not None:
        columns.append(split.targets)
    return [
        [np.asarray(one).tolist() for one in row]
        for row in zip(*columns, strict=True)
    ]


@pytest.mark.parametrize("name", IN_DATASETS)
def test_the_same_as_from_files(name, folders):
    files, data_dir = folders
    own = tasks.load(name, LETTERS, 300, files=files / FOLDERS[name])
    theirs = tasks.load(name, LETTERS, 300, data_dir=data_dir)
    assert list(theirs.splits) == list(EXPECTED[name])
    for split in EXPECTED[name]:
        found, expected = in_order(theirs[split]), in_order(own[split])
        if not name.startswith("glue"):  # These have no order of their own.
            found, expected = sorted(found), sorted(expected)
        assert found == expected
        assert (theirs[split].targets is None) == (own[split].targets is None)
    assert theirs.labels == own.labels


@pytest.mark.parametrize("name", ["squad/v1.1", "squad/v2.0"])
def test_questions_are_the_same(name, folders):
    files, data_dir = folders
    own = tasks.load(name, WORDS, files=files / FOLDERS[name])["train"]
    theirs = tasks.load(name, WORDS, data_dir=data_dir)["train"]
    assert theirs.asked.references == own.asked.references
    assert sorted(zip(*theirs.asked[:3], strict=True)) == sorted(
        zip(*own.asked[:3], strict=True)
    )


def test_tags_are_the_same(folders):
    files, data_dir = folders
    own = tasks.load("conll2003", LETTERS, files=files / "conll")
    theirs = tasks.load("conll2003", LETTERS, data_dir=data_dir)
    assert sorted(theirs["train"].tags) == sorted(own["train"].tags)


def test_nothing_is_downloaded_unasked(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`download=True`.*`data_dir"):
        tasks.load("glue/rte", WORDS, data_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_swag_is_not_there():
    with pytest.raises(ValueError, match="Datasets has no 'swag'.*`files`"):
        tasks.load("swag", WORDS)
    import tensorflow_datasets as tfds

    assert "swag" not in tfds.list_builders(with_community_datasets=False)


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match=r"keras_dl\[datasets\]"):
        tasks.load("glue/rte", WORDS)
