"""One case, one process per backend, the same weights and inputs."""

import importlib.util
import inspect
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from keras_dl.testing.report import make_report

BACKENDS = ("jax", "tensorflow", "torch")


def installed_backends():
    """The names of the backends that are installed, in alphabetic order."""
    return tuple(b for b in BACKENDS if importlib.util.find_spec(b))


def compare_backends(case, backends=None, timeout=600):
    """Runs a case on several backends and compares all that comes out.

    Each backend runs in a process of its own. The first one draws the
    weights and the inputs; the others are given the same.

    Args:
        case: A function without arguments at the top of its module that
            returns a `Case`, or where to find one: `"module:function"` or
            `"path/to/file.py:function"`.
        backends: Names of backends; all that are installed if not given. The
            first one is the reference.
        timeout: Number of seconds that one backend may take.

    Returns:
        A `Report`: outputs, gradients by inputs and by variables, losses,
        weights after training, and times; worst difference first.

    Raises:
        ValueError: If a backend is unknown or not installed, there are fewer
            than two to compare, or `case` cannot be found by name.
        RuntimeError: If the case fails on a backend, with its error.

    Example, which takes as long as it takes to start every backend:

    >>> report = compare_backends("my_module:my_case")  # doctest: +SKIP
    >>> print(report)  # doctest: +SKIP
    """
    backends = _checked(backends)
    if len(set(backends)) < 2:
        raise ValueError(
            "`backends` must name at least two, to be compared with each "
            f"other. Received: {list(backends)}"
        )
    return compare_many([case], backends, timeout)[0]


def compare_many(cases, backends=None, timeout=600):
    """Compares several cases, one after the other in the same processes.

    Args:
        cases: A list of cases, each as for `compare_backends`.
        backends, timeout: As for `compare_backends`.

    Returns:
        A list of `Report`s, one for each case.
    """
    backends = _checked(backends)
    specs = [_spec(case) for case in cases]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "cases.json").write_text(json.dumps(specs))
        for i in range(len(specs)):
            (folder / str(i)).mkdir()
        for backend in backends:
            _run(backend, folder, timeout)
        return [
            make_report(
                {b: _result(folder / str(i), b) for b in backends}, backends[0]
            )
            for i in range(len(specs))
        ]


def assert_backends_agree(case, backends=None, tolerance=1e-5, timeout=600):
    """Asserts that a case gives the same numbers on several backends.

    Args:
        case, backends, timeout: As for `compare_backends`.
        tolerance: The largest difference allowed, relative to the largest
            entry of each tensor.

    Returns:
        The `Report`.

    Raises:
        AssertionError: With the report, if a tensor differs by more.
    """
    report = compare_backends(case, backends, timeout)
    if not report.worst <= tolerance:
        raise AssertionError(
            f"{report.rows[0].name!r} differs by {report.worst:.1e}; allowed "
            f"are {tolerance:.1e}.\n{report}"
        )
    return report


def _checked(backends):
    installed = installed_backends()
    if backends is None:
        return installed
    backends = (backends,) if isinstance(backends, str) else tuple(backends)
    missing = [b for b in backends if b not in installed]
    if missing or not backends:
        raise ValueError(
            "`backends` must name installed backends, "
            f"{list(installed)}. Received: {list(backends)}"
        )
    return backends


def _spec(case):
    if isinstance(case, str):
        if ":" not in case:
            raise ValueError(
                "`case` must be 'module:function' or 'file.py:function'. "
                f"Received: {case!r}"
            )
        return case
    name = getattr(case, "__qualname__", "")
    if not inspect.isfunction(case) or "." in name or "<" in name:
        raise ValueError(
            "`case` must be a function at the top of its module, so that "
            f"other processes can find it. Received: {case!r}"
        )
    return f"{inspect.getsourcefile(case)}:{name}"


def _run(backend, folder, timeout):
    environment = {**os.environ, "KERAS_BACKEND": backend}
    # Cases import what this process can.
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    done = subprocess.run(
        [sys.executable, "-m", "keras_dl.testing.worker", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if done.returncode:
        raise RuntimeError(
            f"The comparison fails on {backend}:\n{done.stderr[-4000:]}"
        )


def _result(folder, backend):
    """The tensors by name, and the seconds, that a worker left."""
    about = json.loads((folder / f"{backend}.json").read_text())
    with np.load(folder / f"{backend}.npz") as arrays:
        tensors = {
            name: arrays[f"tensor{i}"] for i, name in enumerate(about["names"])
        }
    return tensors, about["seconds"]
