"""The rules of the house that a program can check."""

import ast
import pathlib
import re
import subprocess
import sys

import keras
import pytest

ROOT = pathlib.Path(__file__).parents[1]
FRAMEWORKS = {"jax": "jax", "tensorflow": "tensorflow", "torch": "torch"}
# Ground floor first; a room imports from itself and from those before it.
FLOORS = [
    {"backend", "checks"},
    {"autodiff", "execution", "tokens"},
    {"models"},
    {
        "constraints",
        "datasets",
        "layers",
        "losses",
        "metrics",
        "optimizers",
        "text",
    },
    {"callbacks", "training", "generation", "heads", "compression", "tasks"},
    {"testing", "applications"},
]


def sources():
    for folder in ("keras_dl", "applications"):
        yield from (ROOT / folder).rglob("*.py")


def imported(path):
    """The names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0] if parts[0] == "applications" else parts[1]


def floor(name):
    return next(i for i, rooms in enumerate(FLOORS) if name in rooms)


@pytest.mark.parametrize("path", list(sources()), ids=lambda p: str(p.name))
def test_imports_go_down_and_only_backend_names_a_framework(path):
    modules = set(imported(path))
    inside = room(path)
    for module in modules:
        top = module.split(".")[0]
        assert inside == "backend" or top not in FRAMEWORKS, module
        assert not module.startswith("keras.src"), module
        if module.startswith("keras_dl.") and inside != "__init__":
            target = module.split(".")[1]
            assert floor(target) <= floor(inside), module


def test_importing_loads_no_other_framework():
    others = set(FRAMEWORKS) - {keras.backend.backend()}
    if keras.backend.backend() == "torch":
        # Keras' own JAX utilities look for JAX on any backend.
        others -= {"jax"}
    code = (
        "import sys, keras; before = set(sys.modules); import keras_dl, "
        "keras_dl.applications, keras_dl.callbacks, keras_dl.compression, "
        "keras_dl.datasets, keras_dl.generation, keras_dl.layers, "
        "keras_dl.losses, keras_dl.metrics, keras_dl.models, "
        "keras_dl.optimizers, keras_dl.tasks, keras_dl.testing, "
        "keras_dl.text, keras_dl.training; "
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(ast.literal_eval(done.stdout.splitlines()[-1]))
    heavy = {
        "matplotlib",
        "pytest",
        "sacrebleu",
        "scipy",
        "sklearn",
        "tensorflow_datasets",
        "tokenizers",
    }
    assert not loaded & (others | heavy), loaded


def test_applications_are_loaded_lazily():
    code = (
        "import sys, keras_dl; assert 'keras_dl.applications' not in "
        "sys.modules; keras_dl.applications.MLP"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_backend_that_is_not_supported_is_refused(monkeypatch):
    import importlib

    import keras_dl.backend

    monkeypatch.setattr(keras.backend, "backend", lambda: "numpy")
    with pytest.raises(ImportError, match="KERAS_BACKEND"):
        importlib.reload(keras_dl.backend)
    monkeypatch.undo()
    importlib.reload(keras_dl.backend)


def test_rooms_only_re_export():
    for path in sources():
        if path.name != "__init__.py" or room(path) in ("backend", "__init__"):
            continue
        allowed = (ast.Expr, ast.ImportFrom, ast.Assign)
        for node in ast.parse(path.read_text()).body:
            assert isinstance(node, allowed), path


def test_every_packaged_folder_is_listed():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts) for path in sources()
    }
    found = {
        re.sub("^applications", "keras_dl.applications", folder)
        for folder in folders
    }
    assert found == listed
