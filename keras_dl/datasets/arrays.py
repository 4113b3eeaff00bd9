"""Data of users as NumPy arrays, whose examples lie by their positions."""

import keras
import numpy as np


def as_arrays(name, data):
    """`data` with a NumPy array in the place of each thing that holds examples.

    Args:
        name: Name of the argument, for errors.
        data: An array; a tensor of any framework; a pandas `DataFrame` or
            `Series`, read by position, whatever its index; a list of numbers,
            strings or lists of equal lengths; or a dict, tuple or list of
            arrays and the like.

    Returns:
        The same structure, with arrays.

    Raises:
        TypeError: If something in it is none of these.
        ValueError: If rows of a list differ in length.
    """
    if isinstance(data, dict):
        return {
            key: as_arrays(f"{name}[{key!r}]", part)
            for key, part in data.items()
        }
    if isinstance(data, (tuple, list)) and any(map(_has_rows, data)):
        parts = (as_arrays(f"{name}[{i}]", part) for i, part in enumerate(data))
        return type(data)(parts) if type(data) is list else tuple(parts)
    if isinstance(data, (tuple, list)):
        return _array_of_rows(name, data)
    if not _is_array(data):
        raise TypeError(
            f"`{name}` must be an array, a tensor, a DataFrame, a Series, a "
            "list of equal rows, or a structure of these. Received: "
            f"{type(data).__name__}."
        )
    if isinstance(data, np.ndarray):
        return data
    if keras.ops.is_tensor(data):
        return keras.ops.convert_to_numpy(data)
    return data.to_numpy() if hasattr(data, "to_numpy") else np.asarray(data)


def check_aligned(**parts):
    """The number of examples, of parts that must all have as many.

    Args:
        **parts: Structures of arrays by their names; `None` is passed over.

    Raises:
        ValueError: If they have not, with the number of each.
    """
    sizes = {}
    for name, part in parts.items():
        for path, array in keras.tree.flatten_with_path(part):
            if array is not None:
                place = "".join(f"[{key!r}]" for key in path)
                sizes[f"{name}{place}"] = len(array)
    if len(set(sizes.values())) != 1:
        raise ValueError(
            f"`{'` and `'.join(parts)}` must hold as many examples as each "
            "other. Received: "
            + ", ".join(f"{size} of {name}" for name, size in sizes.items())
        )
    return next(iter(sizes.values()))


def _is_array(data):
    return hasattr(data, "shape") or hasattr(data, "__array__")


def _has_rows(data):
    """Whether it is an array of several: not a number of a NumPy dtype."""
    return _is_array(data) and getattr(data, "shape", None) != ()


def _array_of_rows(name, rows):
    text = bool(rows) and all(isinstance(row, str) for row in rows)
    try:
        array = np.array(rows, dtype=object if text else None)
    except ValueError:
        array = None
    if array is None or (array.dtype == object and not text):
        raise ValueError(
            f"`{name}` must have rows of one length, or be a list of arrays. "
            f"Received: {str(rows)[:60]}."
        )
    return array
