"""Labels in Hugging Face's config.json: how many, their names, their kind."""

import numbers
import warnings

from keras_dl import heads
from keras_dl.checks import check_integer

_PROBLEMS = {
    "regression": heads.Regression,
    "single_label_classification": heads.Classification,
    "multi_label_classification": heads.MultilabelClassification,
}


def classifier(config):
    """The head that a configuration asks for, as transformers infers it.

    Args:
        config: Dict, as `config.json` has it.

    Raises:
        ValueError: If what it says of labels contradicts itself.
    """
    number, names = read(config)
    problem = config.get("problem_type")
    if problem is None:
        several = "single_label_classification"
        problem = "regression" if number == 1 else several
    if problem not in _PROBLEMS:
        raise ValueError(
            "`problem_type`, in config.json or as an argument, must be one of "
            f"{list(_PROBLEMS)}, or null. Received: problem_type={problem!r}."
        )
    if problem == "single_label_classification" and number == 1:
        raise ValueError(
            "`problem_type`, in config.json or as an argument, must not be "
            "'single_label_classification' where there is one label."
        )
    kind = _PROBLEMS[problem]
    if kind is heads.Regression:
        return kind(num_outputs=number, label_names=names)
    return kind(number, label_names=names)


def tagger(config):
    """The head of a configuration whose labels are those of tokens."""
    number, names = read(config)
    return heads.TokenClassification(number, label_names=names)


def read(config):
    """How many labels there are, and their names.

    `id2label` decides, as in transformers; a `label2id` that says something
    else is left alone, with a warning. Names that transformers made up,
    `LABEL_0` and so on, are none.

    Returns:
        An integer, and a tuple of strings or `None`.
    """
    given = config.get("id2label")
    if given is None:
        number = config.get("num_labels", 2)
        return check_integer("num_labels in config.json", number, 1), None
    names = _in_order(given)
    number = config.get("num_labels", len(names))
    if number != len(names):
        raise ValueError(
            "`num_labels` in config.json must be the number of labels in "
            f"`id2label`. Received: num_labels={number!r}, id2label={given!r}."
        )
    ids = config.get("label2id")
    if ids is not None and not _agree(ids, names):
        warnings.warn(
            "`label2id` in config.json contradicts `id2label`, which is read: "
            f"{_shortened(ids)} and {_shortened(given)}.",
            stacklevel=2,
        )
    return len(names), None if names == _made_up(len(names)) else names


def written(head):
    """What a configuration says of the labels of a head, a dict.

    Empty for heads, and for dicts of heads, without labels.
    """
    kinds = heads.TokenClassification, *_PROBLEMS.values()
    if not isinstance(head, kinds):
        return {}
    names = head.label_names or _made_up(head.num_labels)
    config = {
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }
    for problem, kind in _PROBLEMS.items():
        if isinstance(head, kind):
            config["problem_type"] = problem
    return config


def _in_order(given):
    """The names of `id2label` by their ids, as a tuple."""
    allowed = isinstance(given, dict) and all(map(_is_name, given.values()))
    try:
        names = {int(i): str(name) for i, name in given.items()}
    except (AttributeError, ValueError):
        allowed = False
    if (
        not allowed
        or not names
        or sorted(names) != list(range(len(given)))
        or len(set(names.values())) < len(names)
    ):
        raise ValueError(
            "`id2label` in config.json must give a different name to each id "
            f"from 0 on, without a gap. Received: id2label={_shortened(given)}."
        )
    return tuple(names[i] for i in range(len(names)))


def _is_name(name):
    whole = isinstance(name, numbers.Integral)
    return isinstance(name, str) or (whole and not isinstance(name, bool))


def _agree(ids, names):
    expected = {name: i for i, name in enumerate(names)}
    try:
        return {name: int(i) for name, i in ids.items()} == expected
    except (AttributeError, TypeError, ValueError):
        return False


def _made_up(number):
    """The names that transformers gives where there are none."""
    return tuple(f"LABEL_{i}" for i in range(number))


def _shortened(value):
    text = repr(value)
    return text if len(text) < 200 else text[:200] + "..."
