"""Checks of arguments, with one wording for all rooms."""

import math
import numbers

INT32 = (-(2**31), 2**31 - 1)


def check_integer(name, value, minimum, maximum=None):
    """Returns `value` as an int, or says which argument is wrong and why."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    too_big = maximum is not None and whole and value > maximum
    if not whole or value < minimum or too_big:
        upper = "" if maximum is None else f" and at most {maximum}"
        raise ValueError(
            f"`{name}` must be an integer of at least {minimum}{upper}. "
            f"Received: {name}={value!r}."
        )
    return int(value)


def check_seed(seed):
    """Returns `seed` if NumPy's frozen generator takes it."""
    return check_integer("seed", seed, minimum=0, maximum=2**32 - 1)


def check_fraction(name, value, of="the fraction of the examples"):
    """Returns `value` if it is a fraction in [0, 1)."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not 0 <= value < 1:
        raise ValueError(
            f"`{name}` must be a number of at least 0 and below 1: {of}. "
            f"Received: {name}={value!r}."
        )
    return float(value)


def check_rate(name, value):
    """Returns `value` if it is a rate of dropout."""
    return check_fraction(name, value, "the fraction to drop")


def check_choice(name, value, choices):
    """Returns `value` if it is one of the choices."""
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {sorted(choices)}. "
            f"Received: {name}={value!r}."
        )
    return value


def check_int32(name, array):
    """Returns an array of integers as `int32`, if they are in its range."""
    for value in (array.min(initial=0), array.max(initial=0)):
        if not INT32[0] <= value <= INT32[1]:
            raise ValueError(
                f"`{name}` must hold integers from -2**31 to 2**31 - 1. "
                f"Received: {value}."
            )
    return array.astype("int32")


def check_label_names(name, names, number):
    """Returns different names, one for each label, as a tuple; or `None`."""
    if names is None:
        return None
    listed = isinstance(names, (list, tuple))
    listed = listed and all(isinstance(one, str) for one in names)
    if not listed or len(names) != number or len(set(names)) != number:
        raise ValueError(
            f"`{name}` must be None, or a list of {number} different strings: "
            f"one for each label. Received: {name}={names!r}."
        )
    return tuple(names)


def check_positive(name, value):
    """Returns `value` if it is a positive, finite number."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        raise ValueError(
            f"`{name}` must be a positive number. Received: {name}={value!r}."
        )
    return value


def check_per_layer(name, value, number):
    """An integer of at least 1, or a tuple of so many of them."""
    if not isinstance(value, (list, tuple)):
        return check_integer(name, value, 1)
    if len(value) != number:
        raise ValueError(
            f"`{name}` must be an integer, or a list of {number}: one for "
            f"each layer. Received: {name}={value!r}."
        )
    return tuple(check_integer(name, one, 1) for one in value)


def per_layer(value, i):
    """Of what `check_per_layer` gave, that of a layer."""
    return value[i] if isinstance(value, (list, tuple)) else value


def check_counts_updates(optimizer):
    """Refuses a schedule of ours that counts batches as updates.

    Args:
        optimizer: An optimizer, or one that holds others.

    Raises:
        ValueError: If an optimizer adds up the gradients of several batches,
            and its schedule counts others or none.
    """
    parts = getattr(optimizer, "optimizers", None)
    for one in parts if isinstance(parts, list) else [optimizer]:
        one = getattr(one, "inner_optimizer", one)
        batches = getattr(one, "gradient_accumulation_steps", None)
        rate = one.get_config().get("learning_rate") if batches else None
        settings = rate.get("config", {}) if isinstance(rate, dict) else {}
        name = "gradient_accumulation_steps"
        if name in settings and settings[name] != batches:
            raise ValueError(
                f"`{name}` of the schedule must be that of its optimizer, "
                f"which makes an update of {batches} batches. Received: "
                f"{rate['class_name']}({name}={settings[name]})."
            )
