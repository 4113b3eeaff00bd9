"""What was made smaller elsewhere: `compressed.py FOLDER`, in its own process.

The folder has `float.keras` and `int8.keras`, classifiers of the ids in
`ids.npy` with the labels in `labels.npy`, and `ticket.npz`, which fits the
first.
"""

import json
import pathlib
import sys

import keras
import numpy as np

import keras_dl
import keras_dl.applications
from keras_dl import compression, models, training


def attacked(model, ids, labels):
    """The loss before and after a step along the gradient by embeddings."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def value(vectors):
        return loss(labels, models.call_embedded(model, ids, vectors))

    vectors = models.embed(model, ids)
    gradient = keras_dl.grad(value)(vectors)
    moved = vectors + 0.1 * keras.ops.sign(gradient)
    return [
        float(keras.ops.convert_to_numpy(value(x))) for x in (vectors, moved)
    ]


def trained(model, ids, labels):
    """The losses of two epochs."""
    trainer = training.SupervisedTrainer(model)
    trainer.compile(keras.optimizers.SGD(0.1))
    history = trainer.fit(ids, labels, epochs=2, shuffle=False, verbose=0)
    return history.history["loss"]


def report_of(floats, quantized, ids, labels):
    """What they say; then the quantized one is attacked, and trained on."""
    return {
        "float": keras.ops.convert_to_numpy(floats(ids)).tolist(),
        "int8": keras.ops.convert_to_numpy(quantized(ids)).tolist(),
        "attacked": attacked(quantized, ids, labels),
        "losses": trained(quantized, ids, labels),
    }


if __name__ == "__main__":
    assert keras_dl.applications.BERT  # Its classes are registered.
    folder = pathlib.Path(sys.argv[1])
    ids, labels = (np.load(folder / f"{n}.npy") for n in ("ids", "labels"))
    floats, quantized = (
        keras.models.load_model(folder / f"{n}.keras")
        for n in ("float", "int8")
    )
    found = report_of(floats, quantized, ids, labels)
    ticket = compression.Ticket.load(folder / "ticket.npz")
    ticket.apply(floats, keys="encoder/.*")
    variables = models.variables_by_path(floats)
    found["rewound"] = {
        path: keras.ops.convert_to_numpy(variables[path]).tolist()
        for path in ticket.values
    }
    print(json.dumps(found))
