"""TensorFlow Datasets, read into NumPy arrays."""

import numpy as np

from keras_dl.datasets import offline
from keras_dl.datasets.partition import DEFAULT_FRACTIONS, partition
from keras_dl.datasets.splits import Info, Split, Splits


def load_tfds(name, seed, validation, test, data_dir, download):
    """Loads a dataset of TensorFlow Datasets; see `load`."""
    builder = prepared_builder(name, data_dir, download)
    own = sorted(builder.info.splits)
    if "train" not in own:
        raise ValueError(
            f"Dataset {name!r} has no split 'train' to learn from. It has: "
            f"{own}."
        )
    chosen = {
        "validation": _choose("validation", validation, own),
        "test": _choose("test", test, own),
    }
    splits = _carve(_read(builder, "train"), chosen, seed, builder.info)
    for part, choice in chosen.items():
        if isinstance(choice, str):
            splits[part] = _read(builder, choice)
    return Splits(**splits, info=_describe(name, builder.info))


def _import_tfds(name):
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            f"{name!r} is no offline dataset {offline.NAMES}, and TensorFlow "
            "Datasets, where other names are looked up, is not installed: "
            'pip install "keras_dl[datasets]".'
        ) from error
    return tfds


def prepared_builder(name, data_dir, download):
    tfds = _import_tfds(name)
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        raise ValueError(
            f"Unknown dataset. Received: name={name!r}. Offline datasets are "
            f"{offline.NAMES}. TensorFlow Datasets was tried as well: it knows "
            f"no such name, and has no such folder in data_dir={data_dir!r}."
        ) from None
    if download:
        builder.download_and_prepare()
    elif not builder.is_prepared():
        raise FileNotFoundError(
            f"Dataset {name!r} is not on this disk: {builder.data_path} does "
            "not exist. Pass `download=True` to download and prepare it, or "
            "`data_dir=` if it has been prepared in another folder."
        )
    return builder


def _choose(part, choice, own):
    """What a split is made of: a fraction of train, or a split by name."""
    if choice is None:
        return part if part in own else DEFAULT_FRACTIONS[part]
    if isinstance(choice, str) and (choice not in own or choice == "train"):
        raise ValueError(
            f"`{part}` must be a fraction, or the name of a split other than "
            f"'train' among {own}. Received: {part}={choice!r}."
        )
    return choice


def _carve(train, chosen, seed, info):
    """Takes the splits that are fractions out of the training examples."""
    fractions = {
        part: 0 if isinstance(choice, str) else choice
        for part, choice in chosen.items()
    }
    labels = train.y if _is_class_label(_target(info)) else None
    positions = partition(len(train), **fractions, seed=seed, labels=labels)
    parts = ("train", "validation", "test")
    return dict(zip(parts, map(train.take, positions), strict=True))


def examples(builder, split):
    """Reads a split, without TensorFlow where the files allow it."""
    import tensorflow_datasets as tfds

    try:
        source = builder.as_data_source(split=split)
        return [source[i] for i in range(len(source))]
    except NotImplementedError:  # TFRecord files have no random access.
        return list(tfds.as_numpy(builder.as_dataset(split=split)))


def _read(builder, split):
    columns = _stack(builder.info.features, examples(builder, split))
    keys = _supervised_keys(builder.info)
    if keys is None:
        return Split(columns)
    return Split(
        columns[keys[0]],
        _as_targets(columns[keys[1]], _target(builder.info)),
    )


def _stack(feature, values):
    """Puts the values of one feature into an array, of a dict into a dict."""
    import tensorflow_datasets as tfds

    if isinstance(values[0], dict):
        inner = getattr(feature, "feature", feature)  # of a Sequence of dicts
        return {
            key: _stack(inner[key], [value[key] for value in values])
            for key in values[0]
        }
    if isinstance(feature, tfds.features.Text):
        texts = [value.decode("utf-8") for value in values]
        return np.array(texts, dtype=object)
    shapes = {np.shape(value) for value in values}
    if len(shapes) > 1:
        raise ValueError(
            "Examples of different shapes do not fit into one array: "
            f"{feature} comes in {len(shapes)} shapes, {sorted(shapes)[:3]} "
            "among them. Read this dataset with `tensorflow_datasets` and "
            "crop, pad or resize its examples."
        )
    array = np.stack(values)
    return array.astype("float32") if array.dtype == "float64" else array


def _supervised_keys(info):
    """The names of inputs and targets, or `None` if it is not one of each."""
    keys = info.supervised_keys
    plain = keys and len(keys) == 2 and all(isinstance(k, str) for k in keys)
    return keys if plain else None


def _target(info):
    """The feature that holds the targets, or `None`."""
    keys = _supervised_keys(info)
    return info.features[keys[1]] if keys else None


def _is_class_label(feature):
    import tensorflow_datasets as tfds

    return isinstance(feature, tfds.features.ClassLabel)


def _is_real_number(feature):
    """Whether a feature is one floating-point number: a regression target."""
    if feature is None or feature.shape != ():
        return False
    return np.issubdtype(feature.np_dtype, np.floating)


def _as_targets(targets, feature):
    if _is_class_label(feature):
        return targets.astype("int32")
    if _is_real_number(feature):
        return targets.astype("float32").reshape(-1, 1)
    return targets


def _describe(name, info):
    target = _target(info)
    source = f"TensorFlow Datasets, {info.full_name}"
    if _is_class_label(target):
        count = target.num_classes
        task = "binary" if count == 2 else "multiclass"
        return Info(name, task, count, tuple(target.names), source=source)
    columns = () if _supervised_keys(info) else tuple(info.features)
    task = "regression" if _is_real_number(target) else None
    return Info(name, task, feature_names=columns, source=source)
