"""What goes into a step, and what comes out of it, looked at closely."""

import numpy as np
from keras import ops, tree


def normalize_data(data):
    """`data` as `fit` passes it, from what `train_on_batch` makes of it.

    That is tensors, and `x`, `(x, y)` or `(x, y, sample_weight)` without
    empty parts.
    """
    data = tree.map_structure(
        lambda t: ops.convert_to_tensor(t) if isinstance(t, np.ndarray) else t,
        data,
    )
    if not isinstance(data, tuple):
        return data
    while data and data[-1] is None:
        data = data[:-1]
    alone = len(data) == 1 and not isinstance(data[0], tuple)
    return data[0] if alone else data


def check_structure(data, expects, owner):
    """Refuses data that lacks a part that the step expects, or has more."""
    parts = list(data) if isinstance(data, (tuple, list)) else [data]
    required = [name for name in expects if not name.endswith("?")]
    if len(required) <= len(parts) <= len(expects):
        missing = [
            name
            for name, part in zip(expects, parts, strict=False)
            if part is None and name in required
        ]
        if not missing:
            return
    shapes = tree.map_structure(lambda t: tuple(t.shape), parts)
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
