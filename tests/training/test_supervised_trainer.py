"""`SupervisedTrainer`: as `fit` with nothing, and all at once."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.ops import convert_to_numpy as array

import keras_dl
from keras_dl import applications, heads
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.models import SupervisedModel, WeightMask, WeightReading
from keras_dl.training import (
    FeatureDistance,
    InputNoise,
    InputPerturbation,
    LogitsDistillation,
    LossTerm,
    PerturbedTask,
    SupervisedBatch,
    SupervisedTrainer,
    masked_mean,
)

RANDOM = np.random.default_rng(0)
IDS = RANDOM.integers(1, 20, (16, 6)).astype("int32")
LABELS = RANDOM.integers(0, 3, 16)
ROWS = RANDOM.normal(size=(16, 5)).astype("float32")
IMAGES = RANDOM.normal(size=(16, 32, 32, 3)).astype("float32")
SCE = keras.losses.SparseCategoricalCrossentropy


def bert(kinds, size=8, dropout=0.1):
    encoder = applications.BERT(
        20, 2, size, 2, 16, max_sequence_length=8, dropout=dropout
    )
    return applications.TaskModel(encoder, kinds)


def mlp():
    return applications.MLP((8,), num_outputs=3, dropout=0.2, batch_norm=True)


def hub():
    hub = pytest.importorskip("keras_hub", reason="keras-nlp is not installed")
    backbone = hub.models.BertBackbone(
        vocabulary_size=20,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=8,
    )
    model = hub.models.BertTextClassifier(backbone, num_classes=3)
    model.compile(loss=SCE(from_logits=True), metrics=["accuracy"])
    return model


def two_heads():
    return bert(
        {
            "label": heads.Classification(3),
            "tags": heads.TokenClassification(4),
        }
    )


HUB_INPUTS = {
    "token_ids": IDS,
    "segment_ids": IDS * 0,
    "padding_mask": IDS != 0,
}
MODELS = {
    "mlp": (mlp, ROWS, LABELS),
    "vgg16": (
        lambda: applications.VGG16(3, dense_units=(4,), base=1),
        IMAGES,
        LABELS,
    ),
    "bert": (lambda: bert(heads.Classification(3)), IDS, LABELS),
    "heads": (
        two_heads,
        {"token_ids": IDS},
        {"label": LABELS, "tags": IDS % 4},
    ),
    "lm": (
        lambda: applications.LanguageModel(20, 8, dropout=0.1),
        IDS[:, :-1],
        IDS[:, 1:],
    ),
    "hub": (hub, HUB_INPUTS, LABELS),
}


@pytest.mark.compiled("mlp")
@pytest.mark.parametrize("kind", MODELS)
def test_with_no_term_it_is_keras_own_fit(kind):
    make, x, y = MODELS[kind]
    results, weights = [], []
    for trainer in (None, SupervisedTrainer):
        keras.utils.set_random_seed(1)
        model = make()
        own = {}
        if trainer is None and model.compiled:
            own = {"loss": model.loss, "metrics": ["accuracy"]}
        trained = model if trainer is None else trainer(model)
        trained.compile(keras.optimizers.SGD(0.1, momentum=0.9), **own)
        keras.utils.set_random_seed(2)
        history = trained.fit(
            x, y, batch_size=4, epochs=5, shuffle=False, verbose=0
        ).history
        evaluated = trained.evaluate(x, y, verbose=0, return_dict=True)
        listed = trained.evaluate(x, y, verbose=0)
        predicted = trained.predict(x, verbose=0)
        results.append((history, evaluated, listed, predicted))
        weights.append([array(weight) for weight in model.weights])
    for ours, theirs in zip(*weights, strict=True):
        # The last bits of compiled sums differ from program to program.
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-6)
    for ours, theirs in zip(*results, strict=True):
        keras.tree.map_structure(
            lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6),
            ours,
            theirs,
        )


# What composes.


def all_at_once(dropout=0.1):
    """Three terms of a teacher, noise on vectors, and a mask, all at once."""
    student = bert(heads.Classification(3, dropout), dropout=dropout)
    teacher = bert(heads.Classification(3), size=16)
    mask = np.ones((8, 16))
    mask[:, :8] = 0
    trainer = SupervisedTrainer(
        student,
        teachers=teacher,
        terms=[
            FeatureDistance("hidden_states/2", projection=True, name="states"),
            FeatureDistance("attention_weights/0", name="attention"),
            FeatureDistance(name="logits", weight=0.5),
        ],
        perturbation=InputNoise(0.1, on="embeddings", seed=0),
        readings=[WeightMask({"encoder/blocks/0/widen/kernel": mask})],
    )
    trainer.compile(keras.optimizers.AdamW(0.01))
    return trainer


@pytest.mark.compiled
def test_all_at_once(tmp_path):
    trainer = all_at_once()
    student, teacher = trainer.model, trainer.teachers[0]
    before = [array(v) for v in teacher.variables]
    kernel = student.encoder.blocks[0].widen.kernel
    matrix = trainer.terms[0]
    history = trainer.fit(
        IDS,
        LABELS,
        batch_size=8,
        verbose=0,
        validation_data=(IDS, LABELS),
    ).history
    logs = {"loss", "task_loss", "states", "attention", "logits", "accuracy"}
    assert set(history) == logs | {f"val_{name}" for name in logs}
    total = sum(
        weight * history[name][0]
        for name, weight in {
            "task_loss": 1.0,
            "states": 1.0,
            "attention": 1.0,
            "logits": 0.5,
        }.items()
    )
    np.testing.assert_allclose(history["loss"][0], total, rtol=1e-5)
    for old, now in zip(before, teacher.variables, strict=True):
        np.testing.assert_array_equal(old, array(now))
    assert not array(kernel)[:, :8].any() and array(kernel)[:, 8:].all()
    # The projection trained, and is there when the training is read again.
    trained = array(matrix.matrices[0].kernel)
    trainer.save(tmp_path / "trainer.keras")
    again = keras.saving.load_model(tmp_path / "trainer.keras")
    np.testing.assert_array_equal(
        array(again.terms[0].matrices[0].kernel), trained
    )
    expected = trainer.evaluate(IDS, LABELS, verbose=0)
    np.testing.assert_allclose(
        again.evaluate(IDS, LABELS, verbose=0), expected, rtol=1e-5
    )
    # The model is shipped alone.
    model = trainer.finish()
    assert model is student
    model.save(tmp_path / "model.keras")
    alone = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        alone.predict(IDS, verbose=0), trainer.predict(IDS, verbose=0)
    )


def test_it_goes_on_after_an_interruption(tmp_path):
    class Killed(Exception):
        pass

    def stop(epoch, logs):
        if epoch == 1:
            raise Killed

    def run(*callbacks):
        keras.utils.set_random_seed(3)
        # Seeds of dropout are not in Keras' files.
        trainer = all_at_once(dropout=0.0)
        trainer.fit(
            IDS,
            LABELS,
            batch_size=16,
            epochs=3,
            shuffle=False,
            verbose=0,
            callbacks=list(callbacks),
        )
        return [array(w) for w in trainer.model.weights]

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    with pytest.raises(Killed):
        run(backup(), keras.callbacks.LambdaCallback(on_epoch_begin=stop))
    for ours, theirs in zip(run(backup()), run(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_functional_model_and_a_loss_given_here():
    def cnn(width):
        x = images = keras.Input((8, 8, 3))
        x = layers.Conv2D(width, 3, name="conv")(x)
        x = layers.BatchNormalization(name="norm")(x)
        x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
        return keras.Model(images, layers.Dense(3)(x))

    student, teacher = cnn(2), cnn(4)
    before = [array(v) for v in teacher.variables]
    trainer = SupervisedTrainer(
        student,
        teachers=[teacher],
        terms=[FeatureDistance("norm", projection=True, distance="cosine")],
        perturbation=InputNoise(0.1, seed=0),
    )
    trainer.compile("sgd", loss=SCE(from_logits=True), metrics=["accuracy"])
    start = [array(v) for v in student.weights]
    history = trainer.fit(
        IMAGES[:, :8, :8], LABELS, batch_size=8, verbose=0
    ).history
    assert set(history) == {
        "loss",
        "task_loss",
        "feature_distance",
        "accuracy",
    }
    assert all(
        not np.array_equal(old, array(now))
        for old, now in zip(start, student.weights, strict=True)
        if "conv/bias" not in now.path  # Batch normalization undoes it.
    )
    for old, now in zip(before, teacher.variables, strict=True):
        np.testing.assert_array_equal(old, array(now))


def test_one_pass_of_each_model_whatever_the_terms():
    calls = {"student": 0, "teacher": 0}

    class Counted(layers.Dense):
        def call(self, x):
            calls[self.name] += 1
            return super().call(x)

    def model(name):
        return keras.Sequential([keras.Input((5,)), Counted(3, name=name)])

    trainer = SupervisedTrainer(
        model("student"),
        teachers=model("teacher"),
        terms=[
            FeatureDistance("outputs", name="a"),
            FeatureDistance("student", "teacher", name="b"),
            FeatureDistance("outputs", "teacher", "mae", name="c"),
            LogitsDistillation(name="d"),
        ],
    )
    trainer.compile("sgd", loss="mse")
    trainer.train_on_batch(ROWS, np.ones((16, 3)))  # Builds what is not built.
    calls.update(student=0, teacher=0)
    trainer.train_on_batch(ROWS, np.ones((16, 3)))
    assert calls == {"student": 1, "teacher": 1}
    trainer.test_on_batch(ROWS, np.ones((16, 3)))
    assert calls == {"student": 2, "teacher": 2}


class Slopes(InputPerturbation):
    """One step up the loss."""

    def perturb(self, inputs, task):
        assert isinstance(task, PerturbedTask)
        slopes = task.gradient(inputs)
        slopes = slopes if isinstance(slopes, list) else [slopes]
        self.seen = [ops.shape(slope) for slope in slopes]
        return inputs + 0.5 * ops.sign(slopes[0])


@pytest.mark.compiled("inputs")
@pytest.mark.parametrize("on", ["inputs", "embeddings"])
def test_an_attack_makes_the_loss_larger(on):
    make, x, y = MODELS["mlp" if on == "inputs" else "bert"]
    model = make()
    model(x[:1])
    state = [array(v) for v in model.non_trainable_variables]
    losses = []
    for perturbation in (None, Slopes(on)):
        trainer = SupervisedTrainer(model, perturbation=perturbation)
        trainer.compile(keras.optimizers.SGD(0.0))
        logs = trainer.train_on_batch(x, y, return_dict=True)
        losses.append(float(logs["loss"]))
        for variable, old in zip(
            model.non_trainable_variables, state, strict=True
        ):
            variable.assign(old)
    assert losses[1] > losses[0]
    # Embeddings train, though they are shifted.
    trainer.compile(keras.optimizers.SGD(0.1))
    before = array(model.trainable_variables[0])
    trainer.train_on_batch(x, y)
    assert not np.array_equal(before, array(model.trainable_variables[0]))


class Doubled(WeightReading):
    def read(self, path, value):
        return 2 * value


def test_readings_stack_and_are_baked():
    model = applications.MLP((), num_outputs=3)
    model.build((None, 5))
    kernel = array(model.head.kernel)
    mask = np.ones(kernel.shape)
    mask[0] = 0
    trainer = SupervisedTrainer(
        model, readings=[Doubled(), WeightMask({"head/kernel": mask})]
    )
    trainer.compile(keras.optimizers.SGD(0.0))
    expected = ROWS @ (2 * kernel * mask) + array(model.head.bias)
    np.testing.assert_allclose(
        array(trainer(ROWS)), expected, rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        trainer.predict(ROWS, verbose=0),
        array(ops.softmax(expected)),
        rtol=1e-4,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        trainer.evaluate(ROWS, LABELS, verbose=0)[0],
        array(SCE(from_logits=True)(LABELS, expected)),
        rtol=1e-4,
    )
    trainer.finish()
    np.testing.assert_allclose(
        array(model.head.kernel), 2 * kernel * mask, rtol=1e-6
    )


def test_sample_weights_count_in_terms():
    class Rows(LossTerm):
        def loss(self, batch):
            assert isinstance(batch, SupervisedBatch)
            return ops.sum(batch.student.outputs, axis=-1)

    model = keras.Sequential([keras.Input((5,)), layers.Dense(1)])
    trainer = SupervisedTrainer(model, terms=Rows(name="rows"), task_weight=0)
    trainer.compile("sgd")
    outputs, weights = array(model(ROWS))[:, 0], np.arange(16) / 8
    logs = trainer.test_on_batch(
        ROWS, None, sample_weight=weights, return_dict=True
    )
    np.testing.assert_allclose(
        float(logs["rows"]), np.mean(outputs * weights), rtol=1e-5
    )
    assert "task_loss" not in logs


def test_padding_counts_for_nothing_in_terms():
    student, teacher = (bert(heads.Classification(3)) for _ in range(2))
    ids = IDS.copy()
    ids[:, 4:] = 0
    values = []
    for length in (4, 6):
        trainer = SupervisedTrainer(
            student,
            teachers=teacher,
            terms=FeatureDistance("hidden_states/2", name="states"),
        )
        trainer.compile("sgd")
        logs = trainer.test_on_batch(ids[:, :length], LABELS, return_dict=True)
        values.append(float(logs["states"]))
    np.testing.assert_allclose(*values, rtol=1e-5)


def test_mean_over_real_tokens():
    values = RANDOM.normal(size=(2, 3, 4)).astype("float32")
    mask = np.array([[True, True, False], [False, False, False]])
    expected = [values[0, :2].mean(), 0.0]
    found = array(masked_mean(values, ops.convert_to_tensor(mask)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # No axis of time: the mask says nothing.
    for given in (None, mask[:, :2]):
        found = array(masked_mean(values, given))
        np.testing.assert_allclose(found, values.mean((1, 2)), rtol=1e-4)


@pytest.mark.parametrize(
    ("distance", "expected"), [("mse", 2.5), ("mae", 1.5), ("cosine", 0.2)]
)
def test_distances(distance, expected):
    student = keras.Sequential([keras.Input((2,)), layers.Identity()])
    teacher = keras.Sequential(
        [keras.Input((2,)), layers.Rescaling([2.0, 0.5])]
    )
    x = ops.convert_to_tensor([[1.0, 4.0], [1.0, 4.0]])
    if distance == "cosine":
        a, b = np.array([1.0, 4.0]), np.array([2.0, 2.0])
        expected = 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    trainer = SupervisedTrainer(
        student,
        teachers=teacher,
        terms=FeatureDistance(distance=distance, name="far"),
        task_weight=0,
    )
    trainer.compile("sgd")
    found = trainer.terms[0].loss(
        trainer._look(
            x, None, None, x, None, False, trainer._unpacked((x,))[-1]
        )
    )
    np.testing.assert_allclose(array(found), [expected] * 2, rtol=1e-5)


def test_mixed_precision():
    student, teacher = (
        applications.MLP((8,), num_outputs=3, dtype="mixed_bfloat16")
        for _ in range(2)
    )
    trainer = SupervisedTrainer(
        student, teachers=teacher, terms=FeatureDistance("hidden/0", name="h")
    )
    trainer.compile("sgd")
    logs = trainer.train_on_batch(ROWS, LABELS, return_dict=True)
    assert all(np.isfinite(float(value)) for value in logs.values())


# Errors.


def test_errors_come_before_the_first_step():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3, name="last")])
    other = keras.Sequential([keras.Input((5,)), layers.Dense(4, name="last")])
    lazy = mlp()
    for message, arguments in {
        "`model` must hold instances of": {"model": None},
        "`terms` must hold instances of LossTerm": {"terms": [1]},
        "`teachers` must hold instances": {"teachers": "teacher"},
        "`readings` must hold instances": {"readings": [FeatureDistance()]},
        "`perturbation` must hold": {"perturbation": 1},
        "must be at least 0. Received: task_weight": {"task_weight": -1},
        "nothing would be trained": {"task_weight": 0},
        "must have on='inputs' for a model": {
            "perturbation": InputNoise(on="embeddings")
        },
        "needs a teacher: give `teachers`": {"terms": FeatureDistance()},
        "Each term must have a `name` of its own": {
            "teachers": other,
            "terms": [FeatureDistance(name="a"), FeatureDistance(name="a")],
        },
        "has no sublayer 'first'": {
            "teachers": other,
            "terms": FeatureDistance("first"),
        },
        "`of_teacher` of 'd' must name one of 1": {
            "teachers": other,
            "terms": FeatureDistance(of_teacher=1, name="d"),
        },
        "`paths` must match variables": {"readings": Doubled("nothing")},
    }.items():
        with pytest.raises((ValueError, TypeError), match=message):
            SupervisedTrainer(**{"model": model, **arguments})
    trainer = SupervisedTrainer(model)
    with pytest.raises(ValueError, match="`loss` must be given: 'sequential"):
        trainer.compile("sgd")
    trainer = SupervisedTrainer(
        model, teachers=other, terms=FeatureDistance(name="far")
    )
    trainer.compile("sgd", loss="mse")
    with pytest.raises(ValueError, match=r"^'far' compares the student's"):
        trainer.fit(ROWS, np.ones((16, 3)), verbose=0)
    trainer = SupervisedTrainer(
        lazy, teachers=mlp(), terms=FeatureDistance("hidden/9", name="far")
    )
    trainer.compile("sgd")
    with pytest.raises(ValueError, match="has no sublayer 'hidden/9'"):
        trainer.fit(ROWS, LABELS, verbose=0)
    with pytest.raises(ValueError, match="`loss` must take logits"):
        SupervisedTrainer(lazy).compile(loss=SCE())


def test_more_errors():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3)])
    with pytest.raises(ValueError, match="`teachers` must share no variables"):
        SupervisedTrainer(model, teachers=model)
    trainer = SupervisedTrainer(
        two_heads(), teachers=two_heads(), terms=FeatureDistance(name="far")
    )
    trainer.compile("sgd")
    x, y = MODELS["heads"][1:]
    with pytest.raises(ValueError, match=r"one of \['outputs/label', 'outp"):
        trainer.fit(x, y, verbose=0)
    trainer = SupervisedTrainer(
        two_heads(),
        teachers=two_heads(),
        terms=FeatureDistance("outputs/label", name="label_accuracy"),
    )
    trainer.compile("sgd")
    with pytest.raises(ValueError, match="must not have the names of metrics"):
        trainer.fit(x, y, verbose=0)

    class Sides(LossTerm):
        def loss(self, batch):
            return batch.student.outputs

    trainer = SupervisedTrainer(model, terms=Sides(name="sides"), task_weight=0)
    trainer.compile("sgd")
    with pytest.raises(ValueError, match="must return a scalar or losses of"):
        trainer.train_on_batch(ROWS)

    class Wrong(LossTerm):
        def __init__(self, loss, **kwargs):
            super().__init__(name="wrong", **kwargs)
            self.function = loss

        def loss(self, batch):
            return self.function(batch)

    for message, loss in {
        r"losses of examples, \(16,\).*shape \(3,\)": lambda batch: ops.mean(
            batch.student.outputs, axis=0
        ),
        "Received: None": lambda batch: None,
        "No term asked for the feature 'first'": lambda batch: (
            batch.student.features["first"]
        ),
    }.items():
        trainer = SupervisedTrainer(model, terms=Wrong(loss), task_weight=0)
        trainer.compile("sgd")
        with pytest.raises(ValueError, match=message):
            trainer.fit(ROWS, batch_size=16, verbose=0)
    trainer = SupervisedTrainer(mlp())
    trainer.compile("sgd")
    with pytest.raises(ValueError, match="SupervisedTrainer expects data"):
        trainer.fit(ROWS, verbose=0)
    noisy = SupervisedTrainer(
        bert(heads.Classification(3)), perturbation=InputNoise(0.1)
    )
    noisy.compile("sgd")
    with pytest.raises(ValueError, match="InputNoise needs inputs of real"):
        noisy.fit(IDS, LABELS, verbose=0)
    with pytest.raises(ValueError, match="`masks` must hold zeros and ones"):
        WeightMask({"head/kernel": [0.5]})
    with pytest.raises(ValueError, match="Give `masks` or `paths`"):
        WeightMask({"head/kernel": [1]}, paths="head/kernel")
    with pytest.raises(TypeError, match="`encoder` must be a keras_dl.models"):
        applications.TaskModel(model, heads.Classification(2))


# What hangs on a model that changes.


def masked(model):
    trainer = SupervisedTrainer(
        model, readings=[WeightMask({"head/kernel": np.zeros((8, 3))})]
    )
    trainer.compile(keras.optimizers.SGD(0.1))
    return trainer


@pytest.mark.compiled
def test_readings_follow_a_model_that_is_built_late():
    model = mlp()
    trainer = masked(model)
    with pytest.raises(ValueError, match="must be built, so that its weights"):
        trainer.predict(ROWS, verbose=0)
    model.build((None, 5))
    bias = array(ops.softmax(array(model.head.bias)))
    np.testing.assert_allclose(
        trainer.predict(ROWS, verbose=0), [bias] * 16, rtol=1e-5
    )
    trainer.fit(ROWS, LABELS, verbose=0)
    assert not array(model.head.kernel).any()
    # And one whose layer is another by now.
    other = layers.Dense(3)
    other.build((None, 8))
    keras_dl.models.replace_layer(model, "head", other)
    with pytest.raises(ValueError, match="call `compile` again"):
        trainer.fit(ROWS, LABELS, verbose=0)
    trainer.compile("sgd")
    trainer.fit(ROWS, LABELS, verbose=0)
    assert not array(model.head.kernel).any()
    before = array(model.head.bias)
    assert trainer.finish() is model and not trainer.readings
    trainer.finish()
    np.testing.assert_array_equal(array(model.head.bias), before)


@pytest.mark.compiled
def test_weights_of_terms_can_be_set_between_steps():
    class Large(LossTerm):
        def loss(self, batch):
            return ops.mean(ops.square(batch.student.outputs))

    model = keras.Sequential([keras.Input((5,)), layers.Dense(3)])
    trainer = SupervisedTrainer(model, terms=Large(name="large"))
    trainer.compile(keras.optimizers.SGD(0.0), loss="mse")
    batch = ROWS, np.ones((16, 3), "float32")
    for weight in (1.0, 10.0):
        trainer.terms[0].weight = weight
        logs = trainer.test_on_batch(*batch, return_dict=True)
        np.testing.assert_allclose(
            float(logs["loss"]),
            float(logs["task_loss"]) + weight * float(logs["large"]),
            rtol=1e-5,
        )
    assert trainer.terms[0].get_config()["weight"] == 10.0


def test_regularization_counts_in_full():
    class Small(LossTerm):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.layer = layers.Dense(1, activity_regularizer="l2")

        def loss(self, batch):
            return ops.mean(ops.square(self.layer(batch.student.outputs)))

    model = keras.Sequential(
        [keras.Input((5,)), layers.Dense(3, kernel_regularizer="l2")]
    )
    y = np.ones((16, 3), "float32")
    totals = []
    term = Small(name="small")
    for task_weight in (0, 0.5, 1):
        trainer = SupervisedTrainer(model, terms=term, task_weight=task_weight)
        trainer.compile(keras.optimizers.SGD(0.0), loss="mse")
        for _ in range(2):  # On PyTorch the graph of a step ends with it.
            logs = trainer.train_on_batch(ROWS, y, return_dict=True)
        totals.append(float(logs["loss"]) - float(logs["small"]))
    task = float(np.mean((array(model(ROWS)) - 1) ** 2))
    rest = 0.01 * np.sum(array(model.layers[0].kernel) ** 2)
    rest += 0.01 * np.sum(array(term.layer(model(ROWS))) ** 2) / 16
    np.testing.assert_allclose(
        totals, [rest, rest + 0.5 * task, rest + task], rtol=1e-4
    )


def test_teachers_of_different_kinds():
    student = bert(heads.Classification(3))
    ids = keras.Input((6,), dtype="int32")
    x = layers.GlobalAveragePooling1D(name="pooled")(
        layers.Embedding(20, 4)(ids)
    )
    other = keras.Model(ids, layers.Dense(3)(x))
    trainer = SupervisedTrainer(
        student,
        teachers=[bert(heads.Classification(3)), other],
        terms=[
            FeatureDistance("hidden_states/1", name="states"),
            FeatureDistance("outputs", of_teacher=1, name="logits"),
        ],
    )
    trainer.compile("sgd")
    logs = trainer.train_on_batch(IDS, LABELS, return_dict=True)
    assert float(logs["states"]) > 0 and float(logs["logits"]) > 0


def test_padding_between_tokens_counts_for_nothing():
    """Of attention it is padding on two sides."""
    student, teacher = (bert(heads.Classification(3)) for _ in range(2))
    ids = IDS.copy()
    ids[:, 4:] = 0
    for distance in ("mae", "cosine"):
        values = []
        for length in (4, 6):
            trainer = SupervisedTrainer(
                student,
                teachers=teacher,
                terms=FeatureDistance(
                    "attention_weights/1", distance=distance, name="far"
                ),
            )
            trainer.compile("sgd")
            logs = trainer.test_on_batch(
                ids[:, :length], LABELS, return_dict=True
            )
            values.append(float(logs["far"]))
        np.testing.assert_allclose(*values, rtol=1e-3, atol=1e-7)


def test_a_layer_called_attention_something_is_none():
    """Of its output padding is on one side."""

    def model():
        x = inputs = keras.Input((None, 8))
        x = layers.LayerNormalization(name="attention_norm")(x)
        return keras.Model(inputs, layers.Dense(3)(x))

    trainer = SupervisedTrainer(
        model(), teachers=model(), terms=FeatureDistance("attention_norm")
    )
    x = ops.ones((2, 3, 8))
    batch = trainer._look(
        x, None, None, x, None, False, trainer._unpacked((x,))[-1]
    )
    batch.mask = ops.convert_to_tensor([[True, True, False]] * 2)
    assert tuple(trainer.terms[0].loss(batch).shape) == (2,)


def test_slopes_survive_half_precision():
    found = {}

    class Keep(InputPerturbation):
        def perturb(self, inputs, task):
            found[dtype] = array(task.gradient(inputs))
            return inputs

    x, y = IDS.repeat(32, axis=0), LABELS.repeat(32)
    for dtype in ("float32", "mixed_float16"):
        keras.utils.set_random_seed(0)
        encoder = applications.BERT(
            20, 1, 8, 2, 16, dropout=0.0, max_sequence_length=8, dtype=dtype
        )
        model = applications.TaskModel(
            encoder, heads.Classification(3, dropout=0.0)
        )
        trainer = SupervisedTrainer(model, perturbation=Keep(on="embeddings"))
        trainer.compile("sgd", run_eagerly=True)
        trainer.train_on_batch(x, y)
    exact, half = found["float32"], found["mixed_float16"]
    assert half.dtype == "float32"
    assert np.mean(half == 0) < np.mean(exact == 0) + 0.05


# What models say of themselves.


@keras.saving.register_keras_serializable("keras_dl_tests")
class Poisson(SupervisedModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.head = layers.Dense(1)

    def build(self, shape):
        self.head.build(shape)
        self.built = True

    def call(self, x):
        return self.head(x)

    def default_loss(self):
        return keras.losses.MeanSquaredError()

    def default_metrics(self):
        return [keras.metrics.MeanAbsoluteError(name="mae")]

    def predictions(self, outputs):
        return ops.exp(outputs)


@pytest.mark.compiled
def test_metrics_and_predict_get_predictions_in_every_trainer():
    model = Poisson()
    model.build((None, 5))
    y = np.ones((16, 1), "float32")
    expected = array(ops.exp(model(ROWS)))
    plain = keras_dl.Trainer(model)
    supervised = SupervisedTrainer(model)
    for trained in (model, plain, supervised):
        trained.compile("sgd")
        np.testing.assert_allclose(
            trained.predict(ROWS, verbose=0), expected, rtol=1e-5
        )
        np.testing.assert_allclose(
            trained.predict_on_batch(ROWS), expected, rtol=1e-5
        )
        weights = np.arange(16.0)
        logs = trained.evaluate(
            ROWS, y, sample_weight=weights, verbose=0, return_dict=True
        )
        error = np.abs(expected - 1)[:, 0]
        np.testing.assert_allclose(
            logs["mae"], np.sum(error * weights) / np.sum(weights), rtol=1e-4
        )
        np.testing.assert_allclose(
            trained.predict_logits(ROWS, verbose=0),
            np.log(expected),
            rtol=1e-4,
            atol=1e-5,
        )


def test_a_trainer_keeps_what_its_network_does_not_train():
    model = bert(heads.TokenClassification(4))  # Which reads no pooler.
    trainer = SupervisedTrainer(model)
    paths = [v.path for v in trainer.trainable_variables]
    assert not any("pooler" in path for path in paths)
    every = {id(v) for v in trainer.variables}
    both = trainer.trainable_variables + trainer.non_trainable_variables
    assert {id(v) for v in both} == every


def test_a_compiled_model_trains_as_it_was_compiled():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(2)])
    model.compile(
        "sgd",
        loss=keras.losses.MeanAbsoluteError(),
        metrics=[keras.metrics.MeanSquaredError(name="square")],
    )
    trainer = SupervisedTrainer(model)
    trainer.compile("sgd")
    logs = trainer.test_on_batch(ROWS, np.ones((16, 2)), return_dict=True)
    expected = model.test_on_batch(ROWS, np.ones((16, 2)), return_dict=True)
    np.testing.assert_allclose(
        [logs["loss"], logs["square"]],
        [expected["loss"], expected["square"]],
        rtol=1e-5,
    )


def test_what_predict_gives():
    """One rule: probabilities of classes, values, or logits to search in."""
    makers = {
        "probabilities": [
            mlp(),
            applications.VGG16(3, dense_units=(), base=1),
            bert(heads.Classification(3)),
            bert(heads.TokenClassification(4)),
        ],
        "logits": [
            bert(heads.ExtractiveQA()),
            bert(heads.MaskedLM()),
            bert(heads.Regression()),
            applications.LanguageModel(20, 8),
        ],
    }
    for rule, models in makers.items():
        for model in models:
            x = {applications.MLP: ROWS, applications.VGG16: IMAGES}.get(
                type(model), IDS
            )
            logits = array(model(x))
            expected = logits
            if rule == "probabilities":
                expected = array(ops.softmax(logits))
            np.testing.assert_allclose(
                model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-6
            )
            np.testing.assert_allclose(
                model.predict_logits(x, verbose=0), logits, rtol=1e-4, atol=1e-5
            )


def test_a_loss_of_probabilities_is_refused_by_every_model():
    for model in (mlp(), bert(heads.Classification(3)), two_heads()):
        loss = SCE()
        if isinstance(getattr(model, "heads", None), dict):
            loss = {"label": SCE(), "tags": LabelSmoothedCrossentropy()}
        with pytest.raises(ValueError, match="`loss` must take logits"):
            model.compile("sgd", loss)
    bert(heads.Regression()).compile("sgd", "mae")


def test_variables_of_a_model_have_paths_of_their_own():
    """On PyTorch those of one path would share their gradient."""
    for make, x, _ in MODELS.values():
        model = make()
        model(keras.tree.map_structure(lambda part: part[:1], x))
        paths = [v.path for v in model.trainable_variables]
        assert len(set(paths)) == len(paths), paths
