"""Labels by their names, and where they look like numbers, by these."""

import dataclasses
import numbers
import re

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def label_names(labels):
    """Labels as a tuple of names; whole numbers are names as well.

    Raises:
        ValueError: If a label is something else, or two have the same name.
    """
    allowed = isinstance(labels, (list, tuple)) and all(map(_is_name, labels))
    names = tuple(map(str, labels)) if allowed else ()
    if not allowed or len(set(names)) < len(names):
        raise ValueError(
            "`labels` must be different names, a tuple of strings or whole "
            "numbers; 1 and '1' are the same name. "
            f"Received: labels={labels!r}."
        )
    return names


def label_index(value, names):
    """The index of the label that stands in a column; `None` if it is none.

    Names come first. Where one of them looks like a number, numbers are names,
    never indices: of labels from 1 to 5, the number 1 is the first one.

    Args:
        value: What stands there: a name, a number, or anything.
        names: Names of the labels, in the order of their indices.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value in names:
        return names.index(value)
    number = _number(value)
    if number is None:
        return None
    known = [_number(name) for name in names]
    if any(one is not None for one in known):
        return known.index(number) if known.count(number) == 1 else None
    return int(number) if number in range(len(names)) else None


def in_order_of(task, names):
    """A task whose labels have the order that a model has them in.

    Args:
        task: A `Task` of classes or tags.
        names: The model's names of labels, in its order; upper and lower case
            are the same. `None`: nothing changes.

    Raises:
        ValueError: If these are not the task's labels.
    """
    if names is None:
        return task
    given = list(map(str, names))
    known = {label: label for label in task.labels}
    if sorted(given) != sorted(known):
        known = {label.casefold(): label for label in task.labels}
        given = [name.casefold() for name in given]
    if task.kind not in ("classification", "tags") or (
        sorted(given) != sorted(known)
    ):
        raise ValueError(
            f"`labels` must be those of {task.name!r}, {task.labels}, in any "
            f"order, or None. Received: labels={names!r}."
        )
    ordered = tuple(known[name] for name in given)
    if "f1" in task.metrics and ordered != task.labels:
        raise ValueError(
            f"`labels` must be None or {task.labels}: F1 of {task.name!r} is "
            f"that of the second one. Received: labels={names!r}."
        )
    return dataclasses.replace(task, labels=ordered)


def check_order(task, model):
    """Refuses a model that has the labels of a task in another order."""
    theirs = getattr(model, "label_names", None)
    if not isinstance(theirs, tuple):
        return
    given = [name.casefold() for name in theirs]
    own = [label.casefold() for label in task.labels]
    if given != own and sorted(given) == sorted(own):
        raise ValueError(
            f"`model` must have the labels of {task.name!r} in their order, "
            f"{task.labels}. Received: model.label_names={theirs}. Give these "
            "as `labels` to keras_dl.tasks.load; or, if it was trained on this "
            "data, set its head's `label_names`."
        )


def _number(value):
    """The number that a value is or looks like, or `None`."""
    if isinstance(value, str):
        looks = _NUMBER.fullmatch(value.strip())
        return float(value) if looks else None
    return value if isinstance(value, numbers.Real) else None


def _is_name(label):
    whole = isinstance(label, numbers.Integral)
    return isinstance(label, str) or (whole and not isinstance(label, bool))
