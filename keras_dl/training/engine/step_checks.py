"""What goes into a step, and what comes out of it, looked at closely."""

import numpy as np
from keras import ops, tree


def normalize_data(data, expects=None):
    """One batch as a step gets it, of tensors; see `arranged`."""
    data = tree.map_structure(
        lambda t: ops.convert_to_tensor(t) if isinstance(t, np.ndarray) else t,
        data,
    )
    return arranged(data, expects)


def arranged(data, expects=None):
    """One batch as a step gets it: its only part, or a tuple of its parts.

    Keras hands on what came, with empty parts at the end or without; a
    dataset's batch is a list on PyTorch, and a tuple elsewhere. `fit((a, b))`
    and `fit([a, b])` are `fit(a, b)`, and so is a dict of the expected names;
    but where `x` alone is enough these are inputs of one network, and stay
    together.

    Args:
        data: A batch, as Keras passes it.
        expects: As `Trainer.expects`.
    """
    whole = (
        expects is not None and expects[0] == "x" and len(needed(expects)) < 2
    )
    if isinstance(data, dict):
        data = (data,)
    if not isinstance(data, (tuple, list)):
        return data
    parts = _without_last_empty(data)
    parts = [
        _only(p) if i == 0 or not whole else p for i, p in enumerate(parts)
    ]
    if whole:
        alone = len(parts) == 1 and not isinstance(parts[0], (tuple, list))
        return parts[0] if alone else tuple(parts)
    if len(parts) == 1 and isinstance(parts[0], dict):
        parts = _by_name(parts[0], expects or ())
    elif len(parts) == 1 and isinstance(parts[0], (tuple, list)):
        parts = [_only(p) for p in _without_last_empty(parts[0])]
    return parts[0] if len(parts) == 1 else tuple(parts)


def needed(expects):
    """The names of the parts that may not be missing."""
    return [name for name in expects if not name.endswith("?")]


def _only(part):
    """What a list or tuple of one thing holds."""
    while isinstance(part, (tuple, list)) and len(part) == 1:
        part = part[0]
    return part


def _without_last_empty(parts):
    parts = list(parts)
    while parts and parts[-1] is None:
        parts.pop()
    return parts


def _by_name(parts, expects):
    """A dict's parts in the order of their names, if it has these names."""
    names = [name.rstrip("?") for name in expects]
    if set(needed(expects)) <= set(parts) <= set(names):
        last = max(names.index(name) for name in parts)
        return [parts.get(name) for name in names[: last + 1]]
    return [parts]


def check_structure(data, expects, owner):
    """Refuses data that lacks a part that the step expects, or has more."""
    parts = list(data) if isinstance(data, (tuple, list)) else [data]
    required = needed(expects)
    if len(required) <= len(parts) <= len(expects):
        missing = [
            name
            for name, part in zip(expects, parts, strict=False)
            if part is None and name in required
        ]
        if not missing:
            return
    shapes = tree.map_structure(lambda t: tuple(getattr(t, "shape", ())), parts)
    raise ValueError(
        f"{owner} expects data of the structure ({', '.join(expects)}). "
        f"Received {len(parts)} part(s), of the shapes {shapes}"
    )


def check_logs(logs, step):
    """Refuses what is not a dict of scalars."""
    if not isinstance(logs, dict):
        raise TypeError(
            f"`{step.__qualname__}` must return a dict of scalars. "
            f"Received: {type(logs).__name__}"
        )
    for name, value in logs.items():
        shape = tuple(getattr(value, "shape", ()))
        if shape != ():
            raise ValueError(
                f"`{step.__qualname__}` must return a dict of scalars. "
                f"Received for {name!r}: shape {shape}"
            )


def batch_size(data):
    """The length of the first tensor in `data`, 1 if there is none."""
    first = data[0] if type(data) is tuple else data
    if len(getattr(first, "shape", ())) > 0:  # at once, without a search
        return ops.shape(first)[0]
    for leaf in tree.flatten(data):
        if leaf is not None and len(leaf.shape) > 0:
            return ops.shape(leaf)[0]
    return 1


def names_of(values, logs):
    """The names under which the very tensors `values` are logged."""
    ids = set(map(id, values))
    return tuple(name for name, value in logs.items() if id(value) in ids)
