"""Trains models in files: `trained_on.py FOLDER`, in a process of its own.

The folder has `NAME.keras` and, of the same name, data in `NAME.npz`.
"""

import json
import pathlib
import sys

import keras
import numpy as np

import keras_dl.applications


def step(model, data):
    """One more epoch of two steps; the weights, and what it trains."""
    model.fit(*data, batch_size=2, shuffle=False, verbose=0)
    return {
        "trained": len(model.trainable_variables),
        "weights": [w.tolist() for w in model.get_weights()],
        "iterations": int(
            keras.ops.convert_to_numpy(model.optimizer.iterations)
        ),
    }


if __name__ == "__main__":
    assert keras_dl.applications.MLP  # Its classes are registered.
    results = {}
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.keras")):
        keras.layers.Dense(1)  # Numbers in names are others now.
        model = keras.models.load_model(path)
        arrays = np.load(path.with_suffix(".npz"))
        data = [arrays[name] for name in sorted(arrays)]
        results[path.stem] = step(model, data)
    print(json.dumps(results))
