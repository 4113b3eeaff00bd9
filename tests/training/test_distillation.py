"""Terms of teachers: what they see, what they leave alone, what they refuse."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.ops import convert_to_numpy as array

from keras_dl import applications, heads
from keras_dl.losses import AttentionTransfer, RelationalLoss, SoftTargets
from keras_dl.training import (
    EntropyGate,
    FeatureDistance,
    Gate,
    LogitsDistillation,
    ScheduledGate,
    StoredOutputs,
    SupervisedTrainer,
)

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(8, 5)).astype("float32")
CLASSES = RANDOM.integers(0, 3, 8)
IDS = RANDOM.integers(1, 20, (8, 6)).astype("int32")


def mlp(width=4, **kwargs):
    model = applications.MLP((width,), num_outputs=3, **kwargs)
    model(ROWS[:1])
    return model


def bert(hidden_dim=8, head=None, dropout=0.0):
    encoder = applications.BERT(
        20, 2, hidden_dim, 2, 16, max_sequence_length=8, dropout=dropout
    )
    return applications.TaskModel(encoder, head or heads.Classification(3, 0))


def cnn(width, batch_norm=False):
    x = images = keras.Input((8, 8, 3))
    x = layers.Conv2D(width, 3, padding="same", name="conv")(x)
    if batch_norm:
        x = layers.BatchNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling2D(name="pooled")(layers.ReLU()(x))
    return keras.Model(images, layers.Dense(3)(layers.Dropout(0.5)(x)))


def compiled(student, terms, teachers, **kwargs):
    trainer = SupervisedTrainer(student, terms, teachers, **kwargs)
    own = hasattr(student, "default_loss")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer.compile(keras.optimizers.SGD(0.1), loss=None if own else loss)
    return trainer


def logged(trainer, x, y, sample_weight=None):
    logs = trainer.test_on_batch(x, y, sample_weight, return_dict=True)
    return {name: float(value) for name, value in logs.items()}


# Logits.


def test_several_teachers_by_weights():
    student, teachers = mlp(), [mlp(8), mlp(16)]
    found = compiled(
        student,
        [
            LogitsDistillation(teacher_weights=[3, 1], name="logits"),
            LogitsDistillation(
                SoftTargets(3.0), mean_of="probabilities", name="p"
            ),
            LogitsDistillation(of_teacher=1, name="second"),
        ],
        teachers,
    )
    logs = logged(found, ROWS, CLASSES)
    s, *t = (array(m(ROWS)) for m in (student, *teachers))
    loss = SoftTargets(2.0)
    assert logs["logits"] == pytest.approx(
        float(loss(0.75 * t[0] + 0.25 * t[1], s)), rel=1e-4
    )
    assert logs["second"] == pytest.approx(float(loss(t[1], s)), rel=1e-4)
    p = sum(array(ops.softmax(one / 3)) for one in t) / 2
    expected = float(SoftTargets(3.0)(3 * np.log(p), s))
    assert logs["p"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.compiled
def test_outputs_that_were_stored_teach_as_their_teacher():
    teacher, results = mlp(8), []
    logits = teacher.predict_logits(ROWS, verbose=0)
    for stored in (False, True):
        keras.utils.set_random_seed(0)
        student = mlp()
        term = LogitsDistillation(name="soft")
        trainer = compiled(
            student, term, StoredOutputs("taught") if stored else teacher
        )
        y = {"targets": CLASSES, "taught": logits} if stored else CLASSES
        history = trainer.fit(
            ROWS, y, validation_data=(ROWS, y), shuffle=False, verbose=0
        ).history
        results.append([*history.values(), *map(array, student.weights)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_stored_outputs_of_a_model_with_two_heads_and_no_labels():
    def make():
        return bert(
            head={"label": heads.Classification(3), "tags": heads.MaskedLM()}
        )

    teacher, student = make(), make()
    x, found = {"token_ids": IDS}, []
    outputs = teacher.predict_logits(IDS, verbose=0)
    for taught, y in (
        (StoredOutputs(), {"teacher_outputs": outputs}),
        (teacher, None),
    ):
        term = LogitsDistillation(student="outputs/label", name="soft")
        trainer = compiled(student, term, taught, task_weight=0.0)
        found.append(logged(trainer, x, y)["soft"])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


@pytest.mark.compiled
def test_a_student_without_labels_nears_its_teacher():
    """There are no targets, and the model has a loss of its own."""
    student, teacher = mlp(), mlp(8)
    trainer = compiled(student, LogitsDistillation(), teacher, task_weight=0.0)
    history = trainer.fit(ROWS, epochs=20, verbose=0).history
    assert set(history) == {"loss", "logits_distillation"}
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_targets_say_which_tokens_count():
    student, teacher = (bert(head=heads.MaskedLM()) for _ in range(2))
    y = np.where(IDS > 10, IDS, -1)
    trainer = compiled(
        student, LogitsDistillation(ignore_class=-1, name="soft"), teacher
    )
    found = logged(trainer, IDS, y)["soft"]
    t, s = (array(m(IDS)) for m in (teacher, student))
    losses = array(SoftTargets(2.0).call(t, s))
    expected = [
        row[mask].mean() for row, mask in zip(losses, y >= 0, strict=True)
    ]
    assert found == pytest.approx(np.mean(expected), rel=1e-4)


# Features.


def test_lists_of_paths_and_one_token():
    student, teacher = bert(), bert()
    pairs = (
        ["hidden_states/1", "hidden_states/2"],
        ["hidden_states/2", "hidden_states/0"],
    )
    trainer = compiled(
        student,
        [
            FeatureDistance(*pairs, name="both"),
            *(
                FeatureDistance(s, t, name=s.replace("/", "_"))
                for s, t in zip(*pairs, strict=True)
            ),
            FeatureDistance(
                "hidden_states/1", distance="normalized_mse", token=0, name="n"
            ),
        ],
        teacher,
    )
    logs = logged(trainer, IDS, CLASSES)
    parts = logs["hidden_states_1"] + logs["hidden_states_2"]
    assert logs["both"] == pytest.approx(parts, rel=1e-5)


def test_normalized_states_are_those_of_the_code_of_pkd():
    states = np.array([[[3, 4], [9, 9]], [[0, 1], [9, 9]]], "float32")
    own = np.array([[[1, 0], [7, 7]], [[2, 0], [7, 7]]], "float32")
    student = keras.Sequential([keras.Input((2, 2)), layers.Identity()])
    teacher = keras.Sequential(
        [keras.Input((2, 2)), layers.Lambda(lambda x: x - own + states)]
    )
    term = FeatureDistance(distance="normalized_mse", token=0, name="n")
    trainer = SupervisedTrainer(student, term, teacher, task_weight=0.0)
    trainer.compile("sgd")
    logs = trainer.test_on_batch(own, return_dict=True)
    assert float(logs["n"]) == pytest.approx(0.7)  # The paper's sum: 2.8.


@pytest.mark.parametrize("what", ["logits", "weights"])
def test_attention_is_compared_between_real_tokens(what):
    student, teacher = bert(), bert()
    ids = IDS.copy()
    ids[:, 4:] = 0
    found = []
    for distance in ("mse", "mae", "cosine", "normalized_mse"):
        term = FeatureDistance(
            f"attention_{what}/1", distance=distance, name="a"
        )
        trainer = compiled(student, term, teacher)
        values = [
            logged(trainer, ids[:, :size], CLASSES)["a"] for size in (4, 6)
        ]
        assert values[0] == pytest.approx(values[1], rel=1e-4)
        found.append(values[0])
    assert all(value > 0 for value in found)


@pytest.mark.parametrize(
    "distance",
    [AttentionTransfer(), *map(RelationalLoss, ("distance", "angle"))],
    ids=lambda loss: getattr(loss, "relation", loss.name),
)
def test_maps_and_relations(distance):
    """Of other widths; padding and examples of weight 0 count for nothing."""
    student, teacher = bert(), bert(16)
    term = FeatureDistance("hidden_states/1", distance=distance, name="r")
    trainer = compiled(student, term, teacher)
    ids, weights = IDS.copy(), np.ones(8, "float32")
    ids[:, 4:] = 0
    values = [logged(trainer, ids[:, :n], CLASSES)["r"] for n in (4, 6)]
    assert values[0] == pytest.approx(values[1], rel=1e-4) and values[0] > 0
    weights[3] = 0
    some = weights > 0
    fewer = logged(trainer, ids[some], CLASSES[some])["r"]
    for token in (3, 9):
        ids[3, :4] = token
        found = logged(trainer, ids, CLASSES, weights)["r"]
        assert found == pytest.approx(fewer * 7 / 8, rel=1e-4)


def test_the_whole_of_it_leaves_the_teacher_alone(tmp_path):
    """And every projection and weight of the student gets a gradient."""
    images = RANDOM.normal(size=(8, 8, 8, 3)).astype("float32")
    student, teacher = cnn(2), cnn(4, batch_norm=True)
    before = [array(v) for v in teacher.variables]
    terms = [
        LogitsDistillation(SoftTargets(4.0), weight=0.5, name="soft"),
        FeatureDistance("conv", projection=True, name="hint"),
        FeatureDistance("conv", distance=AttentionTransfer(), name="at"),
        FeatureDistance("pooled", distance=RelationalLoss(), name="rkd"),
        FeatureDistance("pooled", distance=RelationalLoss("angle"), name="a"),
    ]
    trainer = compiled(student, terms, teacher)
    trainer.train_on_batch(images, CLASSES)
    projection = trainer.terms[1].matrices[0].kernel
    trained = [array(v) for v in [*student.trainable_variables, projection]]
    trainer.train_on_batch(images, CLASSES)
    for old, now in zip(
        trained, [*student.trainable_variables, projection], strict=True
    ):
        assert not np.array_equal(old, array(now)), now.path
    for old, now in zip(before, teacher.variables, strict=True):
        np.testing.assert_array_equal(old, array(now))
    trainer.save(tmp_path / "trainer.keras")
    again = keras.saving.load_model(tmp_path / "trainer.keras")
    expected = trainer.test_on_batch(images, CLASSES)
    np.testing.assert_allclose(
        again.test_on_batch(images, CLASSES), expected, rtol=1e-5
    )


def test_what_is_measured_is_the_students_alone():
    student, teacher = mlp(batch_norm=True), mlp(8)
    alone = SupervisedTrainer(student)
    alone.compile("sgd")
    expected = alone.evaluate(ROWS, CLASSES, return_dict=True, verbose=0)
    statistics = [array(v) for v in student.non_trainable_variables]
    trainer = compiled(student, LogitsDistillation(), teacher)
    found = trainer.evaluate(ROWS, CLASSES, return_dict=True, verbose=0)
    assert found["task_loss"] == pytest.approx(expected["loss"], rel=1e-6)
    assert found["accuracy"] == expected["accuracy"]
    for old, now in zip(
        statistics, student.non_trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(old, array(now))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_computes_terms_in_full(policy):
    keras.config.set_dtype_policy(policy)
    try:
        student, teacher = bert(), bert()
    finally:
        keras.config.set_dtype_policy("float32")
    trainer = compiled(
        student,
        [
            LogitsDistillation(SoftTargets(20.0), name="soft"),
            FeatureDistance("hidden_states/2", projection=True, name="states"),
        ],
        teacher,
    )
    logs = trainer.train_on_batch(IDS, CLASSES, return_dict=True)
    t, s = (array(m(IDS)).astype("float32") for m in (teacher, student))
    assert all(np.isfinite(float(v)) for v in logs.values())
    assert trainer.terms[1].matrices[0].kernel.dtype == "float32"
    found = logged(trainer, IDS, CLASSES)["soft"]
    s = array(student(IDS)).astype("float32")
    assert found == pytest.approx(float(SoftTargets(20.0)(t, s)), rel=1e-3)


def test_examples_of_weight_0_change_nothing():
    images = RANDOM.normal(size=(8, 8, 8, 3)).astype("float32")
    weights = np.array([1, 0, 2, 1, 0, 1, 1, 1], "float32")
    start, teacher, found = cnn(2).get_weights(), cnn(4), []
    for noise in (0.0, 3.0):
        images[weights == 0] += noise
        keras.utils.set_random_seed(0)
        student = cnn(2)
        student.set_weights(start)
        trainer = compiled(
            student,
            [
                LogitsDistillation(name="soft"),
                FeatureDistance("conv", distance=AttentionTransfer(), name="a"),
                FeatureDistance("pooled", distance=RelationalLoss(), name="r"),
            ],
            teacher,
            task_weight=0.0,
        )
        trainer.train_on_batch(images, CLASSES, sample_weight=weights)
        found.append([array(w) for w in student.weights[:2]])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


# Gates.


@pytest.mark.compiled
def test_a_schedule_opens_a_term(tmp_path):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [1, 3], [0.0, 1.0, 0.25]
    )
    gate = ScheduledGate(schedule)
    student, teacher = mlp(), mlp(8)
    trainer = SupervisedTrainer(
        student,
        [LogitsDistillation(gate=gate, name="g"), LogitsDistillation(name="o")],
        teacher,
    )
    trainer.compile(keras.optimizers.SGD(0.0))
    shares = []
    for _ in range(3):
        logs = trainer.train_on_batch(ROWS, CLASSES, return_dict=True)
        trainer.test_on_batch(ROWS, CLASSES)
        shares.append(float(logs["g"]) / float(logs["o"]))
    np.testing.assert_allclose(shares, [0.0, 0.0, 1.0], atol=1e-5)
    trainer.save(tmp_path / "trainer.keras")
    again = keras.saving.load_model(tmp_path / "trainer.keras")
    assert int(array(again.terms[0].gate.step)) == 3
    logs = [
        again.train_on_batch(ROWS, CLASSES, return_dict=True) for _ in range(2)
    ]
    shares = [float(one["g"]) / float(one["o"]) for one in logs]
    np.testing.assert_allclose(shares, [1.0, 0.25], rtol=1e-5)


def test_entropy_chooses_examples():
    student, teacher = mlp(), mlp(8)
    teacher.head.kernel.assign(4 * array(teacher.head.kernel))
    t, s = array(teacher(ROWS)), array(student(ROWS))
    p = array(ops.softmax(t))
    entropy = -(p * np.log(p)).sum(axis=1) / np.log(3)
    limit = float(np.median(entropy))
    gates = {
        "sure": (EntropyGate(limit), entropy <= limit),
        "unsure": (EntropyGate(limit, "unsure"), entropy >= limit),
        "soft": (EntropyGate(), 1 - entropy),
        "soft_unsure": (EntropyGate(keep="unsure"), entropy),
        "student": (EntropyGate(1e-6, "unsure", of="student"), 1.0),
    }
    trainer = compiled(
        student,
        [
            LogitsDistillation(gate=gate, name=name)
            for name, (gate, _) in gates.items()
        ],
        teacher,
    )
    logs = logged(trainer, ROWS, CLASSES)
    losses = array(SoftTargets(2.0).call(t, s))
    for name, (_, factor) in gates.items():
        expected = np.mean(losses * factor)
        assert logs[name] == pytest.approx(expected, rel=1e-4), name


# What is wrong.


def test_what_is_wrong_is_named_before_the_first_step():
    model, teacher = mlp(), mlp(8)

    def refused(message, terms, teachers=teacher, y=CLASSES, kind=ValueError):
        with pytest.raises(kind, match=message):
            compiled(model, terms, teachers).train_on_batch(ROWS, y)

    refused("needs a teacher", LogitsDistillation(), ())
    refused("one of 1 teachers", LogitsDistillation(of_teacher=[0, 1]))
    refused(
        r"one weight for each of 1 teachers.*\[0.5, 0.5\]",
        LogitsDistillation(teacher_weights=[1, 1]),
    )
    two = applications.MLP((4,), num_outputs=2)
    refused(r"same classes apart", LogitsDistillation(), two)
    refused("`ignore_class`", LogitsDistillation(ignore_class=[0, 1]), y=None)
    refused("no sublayer 'hidden/9'", FeatureDistance("hidden/9", "hidden/0"))
    refused("they must be alike", FeatureDistance("hidden/0"))
    refused("`token`", FeatureDistance("hidden/0", token=0, projection=True))
    refused("has no features but", FeatureDistance("hidden/0"), StoredOutputs())
    refused(
        r"`y` must be a dict with \['targets', 'teacher_outputs'\]",
        LogitsDistillation(),
        StoredOutputs(),
    )
    softmax = keras.Sequential(
        [keras.Input((5,)), layers.Dense(3, activation="softmax")]
    )
    refused("`teacher_from_logits` of the", LogitsDistillation(), softmax)
    with pytest.raises(ValueError, match="`from_logits` of the"):
        SupervisedTrainer(softmax, LogitsDistillation(), teacher)
    with pytest.raises(ValueError, match="`of_teacher` must be a number"):
        FeatureDistance(of_teacher=None)
    with pytest.raises(ValueError, match="two lists of as many"):
        FeatureDistance(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="`distance` must be one of"):
        FeatureDistance(distance="far")
    with pytest.raises(ValueError, match="`teacher_weights` must be positive"):
        LogitsDistillation(teacher_weights=[1, 0])
    with pytest.raises(TypeError, match="`soft_targets` must be a"):
        LogitsDistillation("kl")
    with pytest.raises(TypeError, match="`gate` must be a Gate"):
        LogitsDistillation(gate=1)
    with pytest.raises(TypeError, match="`schedule` must be"):
        ScheduledGate(0.5)
    with pytest.raises(ValueError, match="`threshold` must be a positive"):
        EntropyGate(0)

    class Whole(LogitsDistillation):
        def loss(self, batch):
            return ops.mean(super().loss(batch))

    class Open(Gate):
        def factor(self, batch):
            return 1.0

    refused("`gate` of 'whole' must be None", Whole(gate=Open()))
