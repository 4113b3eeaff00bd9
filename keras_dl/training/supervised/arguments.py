"""What a trainer is given: of the right kind, and under names of its own."""


def several(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


def checked(name, value, kind):
    if not isinstance(value, kind):
        raise TypeError(
            f"`{name}` must hold instances of {kind.__name__}. Received: "
            f"{value!r}."
        )
    return value


def check_names(names):
    taken = [name for name in names if names.count(name) > 1]
    taken += [name for name in names if name in ("loss", "task_loss")]
    if taken:
        raise ValueError(
            "Each term must have a `name` of its own, other than 'loss' and "
            f"'task_loss'. Received: {names}."
        )
