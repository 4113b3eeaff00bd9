"""A pytest plugin: `pytest --lane NAME` runs the tests of one lane.

Each lane is for some backends; without `--lane` all tests run on any.
"""

import os

import keras
import pytest
from lanes import LANES, backends_of, place_of

START = pytest.StashKey[float]()


def is_marked_compiled(item):
    """Whether a mark names this test, or this row of it, on this backend."""
    row = item.callspec.id if hasattr(item, "callspec") else None
    backend = keras.backend.backend()
    return any(
        (not mark.args or row in mark.args)
        and mark.kwargs.get("on", backend) == backend
        for mark in item.iter_markers("compiled")
    )


def lanes_of(item):
    """The lanes that a test is in; at least one."""
    lanes = [place_of(item.path)]
    if is_marked_compiled(item):
        lanes.append("compiled")
    return lanes


def pytest_addoption(parser):
    """Adds `--lane`."""
    parser.addoption("--lane", choices=LANES, help="run the tests of one lane")


def pytest_configure(config):
    """Declares the mark, and refuses a lane on another backend."""
    config.addinivalue_line(
        "markers",
        "compiled(*rows, on=None): also runs on JAX and TensorFlow, or on one "
        "of them, in `make test`; with ids of parametrized rows only these",
    )
    lane, backend = config.getoption("--lane"), keras.backend.backend()
    if lane and backend not in LANES[lane]:
        raise pytest.UsageError(
            f"--lane={lane} runs with KERAS_BACKEND in {LANES[lane]}. "
            f"Received: {backend!r}"
        )


def pytest_collection_modifyitems(config, items):
    """Leaves the tests of the lane."""
    if not any("::" in argument for argument in config.args):
        _check_rows(items)
    lane = config.getoption("--lane")
    if lane is None:
        return
    backend = keras.backend.backend()
    kept, left = [], []
    for item in items:
        here = lane in lanes_of(item) and (
            lane == "compiled" or backend in backends_of(item.path, lane)
        )
        (kept if here else left).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Keeps when a test began, by the clock of this process and its children.

    What the machine does besides counts in no other clock.
    """
    item.stash[START] = _cpu()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    """Says in the report what a test took, its fixtures included."""
    answer = yield
    item.user_properties.append(("cpu", _cpu() - item.stash[START]))
    return answer


def _cpu():
    return sum(os.times()[:4])


def _check_rows(items):
    """Refuses a mark that names a row that there is not."""
    rows, named = {}, {}
    for item in items:
        test = item.nodeid.split("[")[0]
        if hasattr(item, "callspec"):
            rows.setdefault(test, set()).add(item.callspec.id)
        for mark in item.iter_markers("compiled"):
            named.setdefault(test, set()).update(mark.args)
    for test, ids in named.items():
        known = rows.get(test, set())
        if ids - known:
            raise pytest.UsageError(
                f"The mark `compiled` of {test} names rows that it has not: "
                f"{sorted(ids - known)}. It has: {sorted(known)}"
            )
