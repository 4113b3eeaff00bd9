"""One backend's process: `python -m keras_dl.testing.worker FOLDER`.

It reads and writes plain NumPy and JSON files in the folder that it is given.
"""

import gc
import importlib
import importlib.util
import json
import pathlib
import sys

import keras
import numpy as np
from keras import tree

from keras_dl import backend
from keras_dl.testing.case import Case
from keras_dl.testing.measure import measure


def load_case(spec):
    """Finds the case function `module:name` or `file.py:name`; calls it."""
    where, _, name = spec.rpartition(":")
    if where.endswith(".py"):
        module = _module_of_file(pathlib.Path(where).resolve())
    else:
        sys.path.insert(0, "")
        module = importlib.import_module(where)
    if not callable(getattr(module, name, None)):
        raise ValueError(
            "`case` must name a function of its module that returns a Case. "
            f"Received: {spec!r}, and {where!r} has no such function."
        )
    case = getattr(module, name)()
    if not isinstance(case, Case):
        raise TypeError(
            "`case` must name a function that returns a keras_dl.testing.Case. "
            f"Received: {spec!r}, which returns a {type(case).__name__}."
        )
    return case


def _module_of_file(path):
    known = sys.modules.get(path.stem)
    if getattr(known, "__file__", None) == str(path):
        return known
    sys.path.insert(0, str(path.parent))
    found = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(found)
    sys.modules[path.stem] = module
    found.loader.exec_module(module)
    return module


def main(folder):
    """Measures each case of `cases.json`, in order, into a folder of its own.

    The first backend's process also leaves there what each case started from.
    """
    folder = pathlib.Path(folder)
    specs = json.loads((folder / "cases.json").read_text())
    # What is imported stays: without it, looking for garbage is quick.
    gc.freeze()
    for i, spec in enumerate(specs):
        keras.utils.clear_session(free_memory=False)
        if i % 20 == 0:  # Each time costs what small programs have in common.
            gc.collect()
            backend.forget_compiled()
        keras.utils.set_random_seed(0)
        try:
            _measure_into(folder / str(i), load_case(spec))
        except Exception as error:
            error.add_note(f"(in the case {spec})")
            raise


def _measure_into(folder, case):
    backend = keras.backend.backend()
    start = folder / "start.npz"
    if start.exists():
        with np.load(start) as arrays:
            inputs = _numbered_arrays(arrays, "input")
            weights = _numbered_arrays(arrays, "weight")
    else:
        inputs, weights = list(map(np.asarray, tree.flatten(case.inputs))), None
    given = tree.pack_sequence_as(case.inputs, inputs)
    tensors, weights, seconds = measure(case, given, weights)
    if not start.exists():
        _save(start, input=inputs, weight=weights)
    _save(folder / f"{backend}.npz", tensor=list(tensors.values()))
    about = {"names": list(tensors), "seconds": seconds}
    (folder / f"{backend}.json").write_text(json.dumps(about))


def _save(path, **arrays):
    """Saves lists of arrays under numbered names."""
    numbered = {
        f"{prefix}{i}": array
        for prefix, listed in arrays.items()
        for i, array in enumerate(listed)
    }
    np.savez(path, **numbered)


def _numbered_arrays(arrays, prefix):
    count = sum(name.startswith(prefix) for name in arrays.files)
    return [arrays[f"{prefix}{i}"] for i in range(count)]


if __name__ == "__main__":
    main(sys.argv[1])
