"""Presets of distillation, students of some layers, a learned choice."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as array

from keras_dl import applications, compression, heads, models
from keras_dl.losses import SoftTargets
from keras_dl.training import LogitsDistillation, SupervisedTrainer

RANDOM = np.random.default_rng(0)
IDS = RANDOM.integers(1, 20, (8, 6)).astype("int32")
CLASSES = RANDOM.integers(0, 3, 8)


def bert(num_layers, hidden_dim=8, head=None, num_heads=2):
    encoder = applications.BERT(
        20,
        num_layers,
        hidden_dim,
        num_heads,
        16,
        max_sequence_length=8,
        dropout=0.0,
    )
    return applications.TaskModel(encoder, head or heads.Classification(3, 0))


def logged(student, teacher, arguments, x=IDS, y=CLASSES):
    trainer = SupervisedTrainer(student, teachers=teacher, **arguments)
    trainer.compile(keras.optimizers.AdamW(1e-3))
    logs = trainer.test_on_batch(x, y, return_dict=True)
    trainer.train_on_batch(x, y)
    return {name: float(value) for name, value in logs.items()}


def states(model, x=IDS):
    """Hidden states, attention logits and outputs, as NumPy arrays."""
    paths = [p for p in models.feature_paths(model) if "/" in p]
    found = models.features(model, x, [*paths, "outputs"])
    return {path: array(value) for path, value in found.items()}


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("uniform", 6, 12), [2, 4, 6, 8, 10, 12]),
        (("uniform", 3, 4), [1, 2, 4]),
        (("skip", 6, 12), [2, 4, 6, 8, 10]),
        (("last", 6, 12), [7, 8, 9, 10, 11]),
        (("last", 3, 12), [10, 11]),  # "9,10" from 0 in the code of PKD.
    ],
)
def test_layer_maps_of_the_papers(arguments, expected):
    pairs = compression.layer_map(*arguments)
    assert [n for _, n in pairs] == expected
    assert [m for m, _ in pairs] == list(range(1, len(expected) + 1))


def test_patient():
    student, teacher = bert(2), bert(4)
    arguments = compression.patient(
        student, teacher, 0.2, 10.0, 5.0, layers="last"
    )
    s, t = states(student), states(teacher)
    logs = logged(student, teacher, arguments)
    soft = float(SoftTargets(5.0)(t["outputs"], s["outputs"]))
    far = unit(t["hidden_states/3"][:, 0]) - unit(s["hidden_states/1"][:, 0])
    total = 0.8 * logs["task_loss"] + 0.2 * soft + 10 * (far**2).mean()
    assert logs["loss"] == pytest.approx(total, rel=1e-4)


def test_distilbert_from_every_second_layer():
    teacher = bert(3, head=heads.MaskedLM())
    student = compression.student_from_layers(teacher, [0, 2])
    x = {"token_ids": IDS, "masked_positions": IDS[:, :2] % 6}
    y = np.where(RANDOM.uniform(size=(8, 2)) < 0.3, -1, IDS[:, :2])
    t, s = (array(m(x)) for m in (teacher, student))
    last = [
        states(m, x)[f"hidden_states/{i}"]
        for m, i in ((teacher, 3), (student, 2))
    ]
    arguments = compression.distilbert(student, teacher, ignore_class=-1)
    logs = logged(student, teacher, arguments, x, y)
    losses, real = array(SoftTargets(2.0).call(t, s)), y >= 0
    of_rows = [
        row[mask].mean() if mask.any() else 0.0
        for row, mask in zip(losses, real, strict=True)
    ]
    cosine = 1 - (unit(last[0]) * unit(last[1])).sum(-1).mean()
    total = 5 * np.mean(of_rows) + 2 * logs["task_loss"] + cosine
    assert logs["loss"] == pytest.approx(total, rel=1e-4)


def test_tinybert_in_two_stages():
    student, teacher = bert(2), bert(4, 16)
    s, t = states(student), states(teacher)
    arguments = compression.tinybert(student, teacher)
    head = array(student.heads.logits.kernel)
    logs = logged(student, teacher, arguments, y=None)
    np.testing.assert_array_equal(head, array(student.heads.logits.kernel))
    attention = sum(
        ((s[f"attention_logits/{m}"] - t[f"attention_logits/{n}"]) ** 2).mean()
        for m, n in ((0, 1), (1, 3))
    )
    assert logs["attention"] == pytest.approx(attention, rel=1e-3)
    assert set(logs) == {"attention", "embeddings", "hidden_states", "loss"}
    s = states(student)
    arguments = compression.tinybert(student, teacher, stage=2)
    logs = logged(student, teacher, arguments, y=None)
    expected = SoftTargets(1.0, "crossentropy")(t["outputs"], s["outputs"])
    assert logs["loss"] == pytest.approx(float(expected), rel=1e-4)


def test_tinybert_of_equal_widths_without_projection_is_near():
    """A student that is its teacher has nothing to learn of attention."""
    teacher = bert(2)
    student = compression.student_from_layers(teacher, [0, 1])
    arguments = compression.tinybert(student, teacher)
    logs = logged(student, teacher, arguments, y=None)
    assert logs["attention"] == pytest.approx(0, abs=1e-10)


def test_bert_into_a_bilstm():
    teacher = bert(2)
    kernel = teacher.heads.logits.kernel
    kernel.assign(50 * array(kernel))
    encoder = applications.LSTMEncoder(20, 8, 6, dropout=0.0)
    student = applications.TaskModel(encoder, heads.Classification(3, 0))
    trainer = SupervisedTrainer(
        student, teachers=teacher, **compression.bilstm(task_weight=0.0)
    )
    trainer.compile(keras.optimizers.AdamW(1e-2))
    history = trainer.fit(IDS, epochs=15, verbose=0).history
    assert history["logits"][-1] < 0.5 * history["logits"][0]


@pytest.mark.parametrize("kind", ["BERT", "TransformerEncoder", "TaskModel"])
def test_student_has_the_layers_and_trains_alone(kind, tmp_path):
    if kind == "TransformerEncoder":
        teacher = applications.TransformerEncoder(
            20, 4, 8, [2, 1, 2, 1], [4, 8, 12, 16], 0.0, head_dim=4
        )
    else:
        teacher = bert(4)
        teacher = teacher.encoder if kind == "BERT" else teacher
    student = compression.student_from_layers(teacher, [1, 3])
    own = models.variables_by_path(teacher)
    for path, variable in models.variables_by_path(student).items():
        source = path.replace("blocks/1/", "blocks/3/")
        source = source.replace("blocks/0/", "blocks/1/")
        np.testing.assert_array_equal(array(variable), array(own[source]))
        assert variable is not own[source]
    student.save(tmp_path / "student.keras")
    again = keras.saving.load_model(tmp_path / "student.keras")
    for a, b in zip(
        keras.tree.flatten(again(IDS)),
        keras.tree.flatten(student(IDS)),
        strict=True,
    ):
        np.testing.assert_allclose(array(a), array(b), atol=1e-6)


def test_all_layers_are_the_teacher_itself():
    teacher = bert(3)
    student = compression.student_from_layers(teacher, [0, 1, 2])
    np.testing.assert_allclose(
        array(student(IDS)), array(teacher(IDS)), atol=1e-6
    )


def test_half_of_the_layers_are_those_of_distilbert():
    teacher = bert(12, 2)
    for i, block in enumerate(teacher.encoder.blocks):
        block.widen.bias.assign(np.full(16, i))
    student = compression.student_from_layers(teacher)
    found = [int(array(b.widen.bias)[0]) for b in student.encoder.blocks]
    assert found == [0, 2, 4, 7, 9, 11]


def test_a_policy_learns_which_teacher_to_trust():
    """One teaches the classes, the other one wrong ones."""
    x = RANDOM.normal(size=(64, 4)).astype("float32")
    y = (x[:, 0] > 0).astype("int32")

    def linear(sign):
        model = applications.MLP((), num_outputs=2)
        model(x[:1])
        kernel = np.zeros((4, 2), "float32")
        kernel[0] = -5 * sign, 5 * sign
        model.head.kernel.assign(kernel)
        return model

    student = applications.MLP((), num_outputs=2)
    terms = [
        LogitsDistillation(of_teacher=i, weight=0.5, name=name)
        for i, name in enumerate(("right", "wrong"))
    ]
    trainer = SupervisedTrainer(
        student, terms, [linear(1), linear(-1)], task_weight=0.0
    )
    trainer.compile(keras.optimizers.SGD(0.05))
    choice = compression.KnowledgeSelection(monitor="val_right", rate=0.3)
    trainer.fit(
        x,
        y,
        epochs=60,
        validation_data=(x, y),
        callbacks=[choice],
        verbose=0,
    )
    assert choice.probabilities["right"] > 0.7
    assert choice.probabilities["wrong"] < 0.3
    assert [term.weight for term in trainer.terms] == [0.5, 0.5]


def test_what_is_wrong_is_named():
    layer_map = compression.layer_map
    with pytest.raises(ValueError, match="4 layers of the student and 2 of"):
        layer_map("uniform", 4, 2)
    with pytest.raises(ValueError, match="`kind` must be one of"):
        layer_map("every", 2, 4)
    with pytest.raises(ValueError, match="a student of one layer"):
        layer_map("skip", 1, 4)
    student, teacher = bert(2), bert(4)
    with pytest.raises(ValueError, match="at most those of the teacher"):
        compression.patient(teacher, student)
    with pytest.raises(ValueError, match="`alpha` must be in"):
        compression.patient(student, teacher, alpha=2)
    with pytest.raises(ValueError, match="`stage` must be one of"):
        compression.tinybert(student, teacher, stage=3)
    with pytest.raises(ValueError, match="`temperature` must be a positive"):
        compression.distilbert(student, teacher, temperature=0)
    mlp = applications.MLP((4,), num_outputs=3)
    with pytest.raises(ValueError, match="`student` must have features"):
        compression.patient(mlp, teacher)
    of = compression.student_from_layers
    with pytest.raises(TypeError, match="`teacher` must be a BERT"):
        of(mlp)
    for layers in ([], [2, 1], [1, 1]):
        with pytest.raises(ValueError, match="in ascending order"):
            of(teacher, layers)
    with pytest.raises(ValueError, match="`layers` must be an integer"):
        of(teacher, [4])
    shared = applications.BERT(20, 2, 8, 2, 16, num_distinct_layers=1)
    with pytest.raises(ValueError, match="weights of its own"):
        of(shared)
    # Of other heads and widths, before the first step.
    for arguments, message in (
        (compression.tinybert(student, bert(4, 8, num_heads=4)), r"\(4, .*\)"),
        (compression.patient(student, bert(4, 16)), "'hidden_states/2' of sha"),
    ):
        teacher = bert(4, 16) if "sha" in message else bert(4, num_heads=4)
        with pytest.raises(ValueError, match=message):
            logged(student, teacher, arguments)


def test_what_cannot_be_chosen_is_named():
    model = applications.MLP((4,), num_outputs=3)
    x, y = IDS.astype("float32"), CLASSES
    trainer = SupervisedTrainer(
        model, LogitsDistillation(name="a"), applications.MLP((), num_outputs=3)
    )
    trainer.compile("adam")
    for arguments, message in (
        ({"terms": ["b"]}, r"of \['a'\]"),
        ({}, "`monitor` must be in the logs"),
    ):
        choice = compression.KnowledgeSelection(**arguments)
        with pytest.raises(ValueError, match=message):
            trainer.fit(x, y, callbacks=[choice], verbose=0)
    model.compile("adam")
    with pytest.raises(TypeError, match="for a SupervisedTrainer"):
        model.fit(x, y, callbacks=[compression.KnowledgeSelection()], verbose=0)
