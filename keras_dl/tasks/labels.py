"""Labels by their names, and where they look like numbers, by these."""

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


def _number(value):
    """The number that a value is or looks like, or `None`."""
    if isinstance(value, str):
        looks = _NUMBER.fullmatch(value.strip())
        return float(value) if looks else None
    return value if isinstance(value, numbers.Real) else None


def _is_name(label):
    whole = isinstance(label, numbers.Integral)
    return isinstance(label, str) or (whole and not isinstance(label, bool))
