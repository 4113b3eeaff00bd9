"""Heads, thin matrices, a teacher and int8 in one model, on every backend."""

import pathlib

import keras
import numpy as np
import pytest
from compressed import report_of
from processes import losses, start
from small_models import IDS, bert

from keras_dl import applications, compression, heads, training
from keras_dl.compression import Ticket

# Keras says of each layer without weights that it cannot be quantized.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Layer .* does not have a", "ignore:The use of `x.T` on tensors"
)
LABELS = np.array([0, 2])


def classifier():
    """Without dropout: backends draw other numbers."""
    head = heads.Classification(3, dropout=0.0)
    return applications.TaskModel(bert(1, dropout=0.0).encoder, head)


def distil(model, teacher):
    trainer = training.SupervisedTrainer(
        model, training.LogitsDistillation(), teachers=teacher
    )
    trainer.compile(keras.optimizers.AdamW(1e-2))
    trainer.fit(IDS, LABELS, epochs=2, verbose=0)
    return trainer.finish()


def quantize(model):
    model.quantize("int8")
    return model


def save(folder, name):
    def step(model):
        model.save(folder / f"{name}.keras")
        return model

    return step


def test_one_model_through_all_of_it(tmp_path):
    """Saved here, and elsewhere loaded, attacked and trained on."""
    teacher = classifier()
    steps = {
        "heads": lambda m: compression.remove_heads(m, {0: [1]}),
        "thin": lambda m: compression.factorize(m, ".*/widen", rank=4),
        "distilled": lambda m: distil(m, teacher),
        "saved": save(tmp_path, "float"),
        "int8": quantize,
        "saved too": save(tmp_path, "int8"),
    }
    model, reports = compression.compress(
        classifier(), steps, IDS, LABELS, repeats=0
    )
    sizes = [report.bytes for report in reports.values()]
    assert sizes == sorted(sizes, reverse=True)
    assert reports["int8"].bytes < 0.5 * reports["before"].bytes

    floats = keras.models.load_model(tmp_path / "float.keras")
    mask = np.tri(4, 8)
    masks = {"encoder/blocks/0/attention/output_dense/kernel": mask}
    ticket = Ticket.of(floats, masks, keys="encoder/.*")
    ticket.save(tmp_path / "ticket.npz")
    np.save(tmp_path / "ids.npy", IDS)
    np.save(tmp_path / "labels.npy", LABELS)
    script = pathlib.Path(__file__).parents[1] / "compressed.py"
    others = sorted({"jax", "tensorflow", "torch"} - {keras.backend.backend()})
    expected = report_of(floats, model, IDS, LABELS)
    assert expected["attacked"][1] > expected["attacked"][0]
    assert expected["losses"][1] < expected["losses"][0]
    running = [start(script, b, str(tmp_path)) for b in others]
    for found in map(losses, running):
        for what, values in expected.items():
            atol = 1e-5 if what == "float" else 1e-4
            np.testing.assert_allclose(
                found[what], values, atol=atol, err_msg=what
            )
        for path, value in ticket.values.items():
            value = value * ticket.masks.get(path, 1)
            np.testing.assert_array_equal(
                np.float32(found["rewound"][path]), value
            )
