"""Every argument of every term and gate survives its config."""

import keras
import pytest
from configs import check_arguments

from keras_dl import losses, training

TERM = {"weight": 0.5, "gate": training.EntropyGate(0.3)}
CASES = {
    training.EntropyGate: {
        "threshold": 0.5,
        "keep": "unsure",
        "of": "student",
        "of_teacher": 1,
        "logits": "outputs/label",
    },
    training.FeatureDistance: {
        **TERM,
        "student": ["pooled"],
        "teacher": ["a"],
        "distance": losses.RelationalLoss("angle"),
        "projection": True,
        "token": 0,
        "of_teacher": 1,
    },
    training.LogitsDistillation: {
        **TERM,
        "soft_targets": losses.SoftTargets(5.0),
        "student": "outputs/label",
        "teacher": "outputs/tags",
        "mean_of": "probabilities",
        "teacher_weights": [0.25, 0.75],
        "of_teacher": [0, 2],
        "ignore_class": -1,
    },
}


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_config_keeps_every_argument(kind):
    check_arguments(kind, CASES[kind])


def test_of_schedules_and_stored_outputs():
    schedule = keras.optimizers.schedules.CosineDecay(1.0, 5)
    gate = training.ScheduledGate(schedule, name="mine")
    again = training.ScheduledGate.from_config(gate.get_config())
    assert again.get_config() == gate.get_config()
    stored = training.StoredOutputs("taught")
    again = training.StoredOutputs.from_config(stored.get_config())
    assert again.name == "taught"
