"""Numbers that stand for tokens or classes."""

import numpy as np
import pytest

from keras_dl.models import check_classes, check_finite, check_ids


@pytest.mark.parametrize(
    "ids",
    [
        np.array([[0, 4]], "uint8"),
        np.array([0.0, 4.0]),
        np.array([], "int64"),
        np.array([True]),
        None,
        [9],
    ],
    ids=str,
)
def test_allowed(ids):
    check_ids("x", ids, 0, 5)


@pytest.mark.parametrize(
    ("ids", "received"),
    [
        (np.array([[0, 5], [6, 1]]), r"5 at \[0, 1\]; there are 2"),
        (np.array([0, -1]), "-1 at"),
        (np.array([1.0, 0.5]), "0.5 at"),
        (np.array([np.nan]), "nan at"),
        (np.array([255], "uint8"), "255 at"),
        (np.array(["a"]), "dtype=<U1"),
    ],
    ids=str,
)
def test_refused(ids, received):
    with pytest.raises(ValueError, match=f"`x`.*{received}"):
        check_ids("x", ids, 0, 5)


def test_other_numbers():
    check_ids("x", np.array([-1, -100, 2]), 0, 5, others=(-1, -100))
    with pytest.raises(ValueError, match="0 to 4, or -1 or -100, in.*: -2 at"):
        check_ids("x", np.array([-1, -2]), 0, 5, others=(-1, -100))


@pytest.mark.parametrize("check", [check_classes, check_finite])
def test_what_has_no_weight_does_not_count(check):
    arguments = (3,) if check is check_classes else ()
    y = np.array([[1, 2], [np.nan, 0]])
    rows, steps = np.array([1.0, 0.0]), np.array([[1, 1], [0, 1]])
    for weights in (rows, rows[:, None], steps):
        check("y", y, *arguments, weights)
    for weights in (None, 1 - rows, 1 - steps):
        with pytest.raises(ValueError, match="`y`"):
            check("y", y, *arguments, weights)
