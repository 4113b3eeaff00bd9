"""Datasets that ship inside installed packages: no network, no download."""

import numpy as np

from keras_dl.datasets.splits import Info, Split

TABLES = {
    "breast_cancer": (
        "binary",
        "Wisconsin Diagnostic Breast Cancer, UCI (in scikit-learn)",
    ),
    "diabetes": (
        "regression",
        "Efron et al. 2004, Least Angle Regression (in scikit-learn)",
    ),
    "digits": (
        "multiclass",
        "Optical Recognition of Handwritten Digits, UCI (in scikit-learn)",
    ),
    "iris": ("multiclass", "Fisher 1936, Iris, UCI (in scikit-learn)"),
    "wine": ("multiclass", "Wine recognition, UCI (in scikit-learn)"),
}
NAMES = tuple(sorted([*TABLES, "photographs", "python_topics"]))


def read(name):
    """All examples of an offline dataset.

    Args:
        name: One of `NAMES`.

    Returns:
        A `Split` with all examples in the order of the source, and the `Info`.
    """
    if name == "python_topics":
        return _python_topics()
    if name == "photographs":
        return _photographs()
    return _table(name)


def _table(name):
    task, source = TABLES[name]
    # scikit-learn scales `diabetes` unless told otherwise: with statistics of
    # all examples, those of the test split among them.
    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(_sklearn_datasets(), f"load_{name}")(**options)
    features = bunch.data.astype("float32")
    feature_names = tuple(map(str, bunch.feature_names))
    if task == "regression":
        targets = bunch.target.astype("float32").reshape(-1, 1)
        info = Info(name, task, feature_names=feature_names, source=source)
    else:
        targets = bunch.target.astype("int32")
        classes = tuple(map(str, bunch.target_names))
        info = Info(name, task, len(classes), classes, feature_names, source)
    return Split(features, targets), info


def _photographs():
    bunch = _sklearn_datasets().load_sample_images()
    classes = ("china", "flower")
    info = Info(
        "photographs",
        "images",
        len(classes),
        classes,
        source="china.jpg and flower.jpg, CC BY 2.0 (in scikit-learn)",
    )
    return Split(np.stack(bunch.images), np.arange(2, dtype="int32")), info


def _python_topics():
    from pydoc_data.topics import topics

    names = sorted(topics)
    info = Info(
        "python_topics",
        "text",
        source="The Python documentation, topics of `help()` (in Python)",
    )
    documents = np.array([topics[name] for name in names], dtype=object)
    return Split(documents, np.array(names, dtype=object)), info


def _sklearn_datasets():
    try:
        import sklearn.datasets
    except ImportError as error:
        raise ImportError(
            "This dataset ships inside scikit-learn, which is not installed: "
            'pip install "keras_dl[datasets]".'
        ) from error
    return sklearn.datasets
