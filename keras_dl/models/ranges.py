"""Numbers that stand for tokens or classes, and where they must lie."""

import numpy as np


def check_ids(name, ids, lowest, size, others=()):
    """Refuses an array with numbers that are not from `lowest` to `size - 1`.

    Args:
        name: What to call it in the error.
        ids: Whole numbers, of any dtype. What is no array is passed over: its
            values are not known yet.
        lowest: The lowest number.
        size: One more than the highest.
        others: Further numbers that are allowed, such as those which say that
            there is no target.

    Raises:
        ValueError: With the first number that is not allowed, and its place.
    """
    if not isinstance(ids, np.ndarray) or not ids.size:
        return
    if ids.dtype == bool:
        ids = ids.astype("int8")
    if not np.issubdtype(ids.dtype, np.number):
        first = ids.ravel()[0]
        raise ValueError(
            f"`{name}` must hold whole numbers from {lowest} to {size - 1}: "
            "give names their numbers, as by np.unique(names, return_inverse="
            f"True)[1]. Received: dtype={ids.dtype}, such as {first!r}."
        )
    whole = np.issubdtype(ids.dtype, np.integer)
    inside = ids.min() >= lowest and ids.max() < size
    if inside and (whole or np.array_equal(ids, np.floor(ids))):
        return
    wrong = ~((ids >= lowest) & (ids < size) & (ids == np.floor(ids)))
    wrong &= ~np.isin(ids, others)
    if not wrong.any():
        return
    place = tuple(map(int, np.argwhere(wrong)[0]))
    besides = f", or {' or '.join(map(str, others))}" if others else ""
    raise ValueError(
        f"`{name}` must be from {lowest} to {size - 1}{besides}, in whole "
        f"numbers. Received: {ids[place]} at {list(place)}; there are "
        f"{int(wrong.sum())} such numbers."
    )


def check_classes(name, y, size, sample_weight=None, others=()):
    """Refuses targets that are no class, but where their weight is 0.

    Args:
        name: What to call them in the error.
        y: Classes, of shape `(batch, ...)` or `(batch, ..., 1)`.
        size: Number of classes.
        sample_weight: Weights, of the shape of `y` or its first axes.
        others: As in `check_ids`.
    """
    if isinstance(y, np.ndarray):
        y = _weighed(y, sample_weight)
    check_ids(name, y, 0, size, others)


def check_finite(name, y, sample_weight=None):
    """Refuses numbers that are none, but where their weight is 0."""
    if not isinstance(y, np.ndarray) or not np.issubdtype(y.dtype, np.number):
        return
    wrong = ~np.isfinite(_weighed(y, sample_weight))
    if wrong.any():
        raise ValueError(
            f"`{name}` must be finite numbers. Received: {int(wrong.sum())} "
            f"that are not, of shape {y.shape}."
        )


def _weighed(y, sample_weight):
    """What of targets has a weight that is not 0."""
    if not isinstance(sample_weight, np.ndarray):
        return y
    kept = sample_weight != 0
    if y.shape[: kept.ndim] != kept.shape:
        kept = kept.reshape(kept.shape[0], -1).any(axis=1)
    fits = kept.shape == y.shape[: kept.ndim]
    return y[kept] if fits and not kept.all() else y
