"""One door to all datasets."""

import numpy as np

from keras_dl.datasets import offline
from keras_dl.datasets.partition import DEFAULT_FRACTIONS, partition
from keras_dl.datasets.splits import Splits


def names():
    """Names of the datasets that work offline.

    Returns:
        A tuple of strings, sorted. Any other name that `load` is given is
        looked up in TensorFlow Datasets.

    Example:

    >>> keras_dl.datasets.names()
    ('breast_cancer', 'diabetes', 'digits', 'iris', 'photographs',
     'python_topics', 'wine')
    """
    return offline.NAMES


def load(
    name,
    seed=0,
    validation=None,
    test=None,
    data_dir=None,
    download=False,
):
    """Loads a dataset into memory, split for training, choosing and testing.

    | offline name    | task       | examples, shape of one, values            |
    |-----------------|------------|-------------------------------------------|
    | `breast_cancer` | binary     | 569, `(30,)`, lengths, areas and ratios   |
    | `diabetes`      | regression | 442, `(10,)`; target: disease progression |
    | `digits`        | multiclass | 1797, `(64,)`, 8 x 8 gray levels, 0 to 16 |
    | `iris`          | multiclass | 150, `(4,)`, centimetres                  |
    | `photographs`   | images     | 2, `(427, 640, 3)`, `uint8`, 0 to 255     |
    | `python_topics` | text       | about 79 documents, strings; target: name |
    | `wine`          | multiclass | 178, `(13,)`, a chemical analysis         |

    Every other name is one of TensorFlow Datasets, e.g. `"mnist"`,
    `"glue/mrpc"` or `"iris:2.0.0"`, read from `data_dir`. All examples go into
    memory, so this is for datasets that fit there. Those with supervised keys
    give `x` and `y`; the others give `x` as a dict of arrays, and no `y`.

    **Types.** Features are `float32` (pixels stay `uint8`, and become `float32`
    batch by batch), labels `int32` of shape `(n,)`, targets of a regression
    `float32` of shape `(n, 1)`. Nothing is scaled. To standardize, let Keras
    learn the statistics of the training split, and of no other:

        layer = keras.layers.Normalization()
        layer.adapt(data.train.x)

    **Splits.** Seeded, the same on every platform, and disjoint. They are
    stratified by class where there are labels (see `partition`) and come
    shuffled, but for `python_topics`, whose documents keep their alphabetical
    order within a split; its text varies a little with the version of Python.
    The two photographs are both in `train` unless you ask otherwise.

    Args:
        name: One of `names()`, or a name in TensorFlow Datasets.
        seed: Integer from 0 to 2**32 - 1: which split.
        validation: Fraction of the examples, at least 0 and below 1. With
            TensorFlow Datasets, a fraction is taken from `train`, and a string
            names one of its own splits. `None`: its own `validation` split
            where it has one, else 0.1.
        test: Likewise; `None`: its own `test` split, else 0.2.
        data_dir: Folder of TensorFlow Datasets; `None`: its default.
        download: Whether TensorFlow Datasets may download and prepare what it
            does not find in `data_dir`. Nothing is downloaded otherwise.

    Returns:
        `Splits` with `train`, `validation`, `test`, each with the arrays `x`
        and `y` and with `batches(...)`; and `info`.

    Raises:
        ValueError: If the name is unknown, or a fraction, a split name or the
            seed is not allowed.
        FileNotFoundError: If TensorFlow Datasets knows the name but has not
            prepared the data, and `download` is `False`.
        ImportError: If the package that holds the data is not installed.

    Example:

    >>> data = keras_dl.datasets.load("digits", seed=0)
    >>> data.train.x.shape, data.validation.x.shape, data.test.x.shape
    ((1258, 64), (180, 64), (359, 64))
    >>> model = keras.Sequential([keras.layers.Dense(10)])
    >>> model.compile("adam", keras_dl.losses.LabelSmoothedCrossentropy())
    >>> history = model.fit(
    ...     data.train.batches(32, shuffle=True),
    ...     validation_data=data.validation.batches(32),
    ...     verbose=0,
    ... )

    The whole text of Python's documentation:

    >>> text = load("python_topics", validation=0, test=0).train.text
    >>> len(text) > 400_000
    True
    """
    if name in offline.NAMES:
        _refuse_tfds_arguments(name, data_dir, download)
        return _load_offline(name, seed, validation, test)
    # Imported here: its package is large, and few need it.
    from keras_dl.datasets.from_tfds import load_tfds

    return load_tfds(name, seed, validation, test, data_dir, download)


def _load_offline(name, seed, validation, test):
    everything, info = offline.read(name)
    parts = partition(
        len(everything),
        DEFAULT_FRACTIONS["validation"] if validation is None else validation,
        DEFAULT_FRACTIONS["test"] if test is None else test,
        seed,
        labels=everything.y if info.num_classes else None,
    )
    if info.task == "text":
        parts = [np.sort(part) for part in parts]
    return Splits(*map(everything.take, parts), info)


def _refuse_tfds_arguments(name, data_dir, download):
    if data_dir is not None or download:
        raise ValueError(
            "`data_dir` and `download` are for TensorFlow Datasets, but "
            f"{name!r} is an offline dataset. To get the dataset of that name "
            f"from TensorFlow Datasets, add its version: '{name}:1.0.0'. "
            f"Received: data_dir={data_dir!r}, download={download!r}."
        )
