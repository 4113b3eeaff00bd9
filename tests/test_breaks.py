"""The list of breaks fits the code, so that it can be run at any time."""

import collections

import pytest
from breaks import BREAKS, ROOT


@pytest.mark.parametrize("entry", BREAKS, ids=lambda entry: entry.name)
def test_it_can_be_put_in(entry):
    assert (ROOT / entry.path).read_text().count(entry.old) == 1
    assert all((ROOT / "tests" / path).is_file() for path in entry.tests)


def test_they_are_spread():
    names = [entry.name for entry in BREAKS]
    assert len(BREAKS) >= 40 and len(set(names)) == len(names)
    kinds = collections.Counter(entry.kind for entry in BREAKS)
    assert set(kinds) == {
        "errors",
        "gradients",
        "masks",
        "saving",
        "state",
        "values",
    }
    alone = [
        b for b in BREAKS if len(b.backends) == 1 and "torch" not in b.backends
    ]
    assert len(alone) >= 10
