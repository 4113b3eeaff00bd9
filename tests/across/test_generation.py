"""The same text on every backend, from the same weights."""

import os
import pathlib

from processes import losses, start

SCRIPT = pathlib.Path(__file__).with_name("generated.py")
TESTS = str(SCRIPT.parents[1])


def test_backends_generate_the_same_text():
    path = os.pathsep.join([TESTS, os.environ.get("PYTHONPATH", "")])
    processes = [
        start(SCRIPT, backend, PYTHONPATH=path)
        for backend in ("jax", "tensorflow", "torch")
    ]
    jax, tensorflow, torch = (losses(process) for process in processes)
    assert len(jax) == 15
    assert len({str(text) for text in jax.values()}) > 10
    assert jax == tensorflow == torch
