"""The lanes of the test suite: what runs where. CONTRIBUTING.md explains them.

`tests/run.py` runs them all; `pytest --lane NAME` (lane_plugin.py) one of them.
"""

import pathlib

TESTS = pathlib.Path(__file__).parent
BACKENDS = ("jax", "tensorflow", "torch")

# Lane: the backends that it runs on. Where one is enough, it is PyTorch, which
# compiles nothing.
LANES = {
    # What touches no tensor, or lets none be differentiated or compiled.
    "once": ("torch",),
    # Oracles, behaviour and errors, eagerly. Every test that is nowhere else.
    "values": ("torch",),
    # All backends beside each other; the tests start their processes.
    "agreement": ("torch",),
    # What differs by backend. A test is here, too, if it is marked so:
    # `@pytest.mark.compiled`, or of its rows `@pytest.mark.compiled("a", "b")`.
    "compiled": ("jax", "tensorflow"),
    # Tutorials and guides, each on one backend.
    "rotation": BACKENDS,
}
# Folders and files of the lanes that are not found by a mark.
PLACES = {
    "once": (
        "datasets",
        "tasks",
        "text",
        "test_breaks.py",
        "test_concepts.py",
        "test_docstrings.py",
        "test_lanes.py",
        "test_layout.py",
    ),
    "agreement": ("across",),
    "rotation": ("tutorials", "test_guides.py"),
}
# What compiles much, or goes through all methods, runs where nothing is
# compiled; the others on one backend, the next on the next.
LONG = (
    "test_guides.py",
    "test_bert_tutorials.py",
    "test_sequence_tutorials.py",
)


def place_of(path):
    """The lane that a test file belongs to by where it lies."""
    top = pathlib.Path(path).resolve().relative_to(TESTS).parts[0]
    for lane, places in PLACES.items():
        if top in places:
            return lane
    return "values"


def files():
    """All test files, in alphabetic order."""
    return sorted(TESTS.rglob("test_*.py"))


def files_of(lane, backend):
    """The files that may hold tests of a lane for a backend."""
    if lane == "compiled":
        return [f for f in files() if "mark.compiled" in f.read_text()]
    return [
        f
        for f in files()
        if place_of(f) == lane and backend in backends_of(f, lane)
    ]


def backends_of(path, lane):
    """The backends on which a lane runs a file."""
    if lane != "rotation":
        return LANES[lane]
    path = pathlib.Path(path)
    if path.name in LONG:
        return ("torch",)
    others = [f for f in files() if place_of(f) == lane and f.name not in LONG]
    return (BACKENDS[others.index(path) % 2],)
