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


def check_shared(model, teachers):
    """Refuses teachers with variables that the model is to train."""
    own = {id(v): v.path for v in model.trainable_variables}
    for teacher in teachers:
        shared = [own[id(v)] for v in teacher.variables if id(v) in own]
        if shared:
            raise ValueError(
                "`teachers` must share no variables with the model, which "
                f"would not train. {teacher.name!r} shares {shared[:3]}."
            )
