"""What models in files give: `reloaded.py FOLDER`, in a process of its own.

The folder has `NAME.keras` and, of the same name, inputs in `NAME.json`.
"""

import json
import pathlib
import sys

import keras
import numpy as np

import keras_dl.applications


def arrays(nested):
    """A structure of tensors as a list of nested lists."""
    return [
        keras.ops.convert_to_numpy(x).tolist()
        for x in keras.tree.flatten(nested)
    ]


def inputs(values):
    """Ids, several of them, or numbers, as arrays."""
    found = tuple(
        np.array(x, "int32" if isinstance(np.ravel(x)[0], np.integer) else "f4")
        for x in values
    )
    return found if len(found) > 1 else found[0]


if __name__ == "__main__":
    assert keras_dl.applications.MLP  # Its classes are registered.
    results = {}
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.keras")):
        model = keras.models.load_model(path)
        given = json.loads(path.with_suffix(".json").read_text())
        results[path.stem] = arrays(model(inputs(given)))
    print(json.dumps(results))
