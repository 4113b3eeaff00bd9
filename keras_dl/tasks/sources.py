"""Where the splits of a task come from: files, or TensorFlow Datasets."""

import pathlib

import numpy as np

from keras_dl.datasets import from_tfds


def file_paths(task, splits, files):
    """The path of each split's file, all of which exist.

    Args:
        task: A `Task`.
        splits: Names of splits.
        files: Path of a folder, or dict of paths by split.

    Returns:
        A dict of paths by split.
    """
    paths, missing = {}, []
    for split in splits:
        if isinstance(files, dict):
            names = [pathlib.Path(files[split])]
        else:
            names = [pathlib.Path(files) / name for name in task.files[split]]
        found = [path for path in names if path.is_file()]
        if len(found) > 1:
            raise ValueError(
                f"`files` must hold one file for the split {split!r}. "
                f"Received: {[str(path) for path in found]}."
            )
        if not found:
            missing.append(f"{split}: {' or '.join(map(str, names))}")
        paths[split] = found[0] if found else None
    if missing:
        raise FileNotFoundError(
            f"`files` must hold the files of {task.name!r}; those splits that "
            "are there can be named by `splits`. Missing: "
            f"{'; '.join(missing)}."
        )
    return paths


def check_splits(task, splits, files):
    """The names of the splits to load."""
    if isinstance(files, dict) and splits is None:
        splits = tuple(files)
    known = tuple(task.files)
    splits = known if splits is None else splits
    if isinstance(splits, str) or not splits or not set(splits) <= set(known):
        raise ValueError(
            f"`splits` must be some of {known}, the splits of {task.name!r}. "
            f"Received: {splits!r}."
        )
    if isinstance(files, dict) and not set(splits) <= set(files):
        raise ValueError(
            "`files` must have a file for each of `splits`. Received: "
            f"files={files!r}, splits={splits!r}."
        )
    return tuple(splits)


class FromDatasets:
    """The splits of a task in TensorFlow Datasets, as dictionaries.

    Raises:
        ValueError: If TensorFlow Datasets has no such task.
        FileNotFoundError: If it is not on this disk, and not to be downloaded.
        ImportError: If TensorFlow Datasets is not installed.
    """

    def __init__(self, task, data_dir, download):
        if task.tfds is None:
            raise ValueError(
                f"TensorFlow Datasets has no {task.name!r}: pass `files`, the "
                "folder with its files. Received: files=None."
            )
        self._task = task
        self._builder = from_tfds.prepared_builder(
            task.name, data_dir, download
        )

    def examples(self, split):
        """The examples of a split, in their order before they were stored."""
        examples = from_tfds.examples(self._builder, self._task.tfds[split])
        features = self._builder.info.features
        plain = [_plain(features, example) for example in examples]
        return sorted(plain, key=lambda example: example.get("idx", 0))


def _plain(feature, value):
    """Strings, names and numbers of Python in place of those of a dataset."""
    import tensorflow_datasets as tfds

    if isinstance(value, dict):
        inner = getattr(feature, "feature", feature)  # of a Sequence of dicts
        return {key: _plain(inner[key], value[key]) for key in value}
    if isinstance(value, (list, np.ndarray)):
        inner = getattr(feature, "feature", feature)
        return [_plain(inner, one) for one in value]
    if isinstance(feature, tfds.features.ClassLabel):
        return feature.names[value] if value >= 0 else None
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return value.item() if isinstance(value, np.generic) else value
