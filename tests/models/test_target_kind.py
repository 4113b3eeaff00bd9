"""Heads, losses, metrics and targets that fit each other, or say why not."""

import keras
import numpy as np
import pytest
import torch

from keras_dl import heads
from keras_dl.applications import BERT, MLP, LanguageModel, TaskModel
from keras_dl.datasets import Batches
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import EntityF1
from keras_dl.models import TargetKind
from keras_dl.training import SupervisedTrainer

IDS = np.random.RandomState(0).randint(3, 20, size=(3, 6)).astype("int32")
CLASSES = np.array([2, 0, 1])
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]
SOFT = np.array([[0.5, 0.25, 0.25], [1, 0, 0], [0.1, 0.2, 0.7]], "float32")
LABELS = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]])
SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
CATEGORICAL = keras.losses.CategoricalCrossentropy(from_logits=True)
BINARY = keras.losses.BinaryCrossentropy(from_logits=True)


def encoder():
    return BERT(20, 1, 8, 2, 8, max_sequence_length=8, dropout=0.0)


def classifier(**compiled):
    model = TaskModel(encoder(), heads.Classification(3, 0.0))
    model.compile(keras.optimizers.SGD(0.0), **compiled)
    return model


def labels_model(**compiled):
    model = TaskModel(encoder(), heads.MultilabelClassification(3, 0.0))
    model.compile("sgd", **compiled)
    return model


@pytest.mark.parametrize("y", [CLASSES, CLASSES[:, None], ONE_HOT, SOFT])
def test_a_class_in_each_form(y):
    """Crossentropy and accuracy, as PyTorch takes classes of both forms."""
    model = classifier()
    logs = model.fit(IDS, y, verbose=0).history
    logits = torch.tensor(model.predict_logits(IDS, verbose=0))
    targets = torch.tensor(y if y.dtype == "float32" else CLASSES)
    loss = torch.nn.functional.cross_entropy(logits, targets)
    np.testing.assert_allclose(logs["loss"], [float(loss)], rtol=1e-5)
    best = y.argmax(-1) if y.dtype == "float32" else CLASSES
    right = (logits.argmax(-1).numpy() == best).mean()
    np.testing.assert_allclose(logs["accuracy"], [right], rtol=1e-6)


def test_one_hot_choices_and_tags():
    choices = np.stack([IDS, IDS[::-1], IDS], 1)
    model = TaskModel(encoder(), heads.MultipleChoice(0.0))
    model.compile("sgd")
    once = model.evaluate(choices, CLASSES, verbose=0)
    assert model.evaluate(choices, ONE_HOT, verbose=0) == once
    tags = IDS % 3
    tags[:, 4:] = -1
    hot = np.eye(3)[tags] * (tags >= 0)[..., None]
    model = TaskModel(encoder(), heads.TokenClassification(3, 0.0))
    model.compile("sgd")
    once = model.evaluate(IDS, tags, verbose=0)
    np.testing.assert_allclose(model.evaluate(IDS, hot, verbose=0), once)


@pytest.mark.parametrize(
    ("loss", "metric", "y"),
    [
        (SPARSE, keras.metrics.SparseCategoricalAccuracy(), CLASSES),
        (SPARSE, "accuracy", CLASSES),
        (CATEGORICAL, keras.metrics.CategoricalAccuracy(), ONE_HOT),
        (CATEGORICAL, "accuracy", ONE_HOT),
        (CATEGORICAL, keras.metrics.AUC(), ONE_HOT),
        (None, "sparse_categorical_accuracy", CLASSES),
        (None, "acc", ONE_HOT),
    ],
)
def test_what_fits_is_let_through(loss, metric, y):
    model = classifier(loss=loss, metrics=[metric])
    assert np.isfinite(model.evaluate(IDS, y, verbose=0)).all()


def own_loss(y_true, y_pred):
    return keras.ops.mean(y_pred**2, -1) + 0.0 * keras.ops.sum(y_true)


def test_a_loss_of_your_own_takes_any_targets():
    model = classifier(loss=own_loss, metrics=[])
    assert np.isfinite(model.evaluate(IDS, np.ones((3, 7)), verbose=0))


WRONG = {
    "binary loss of a class": (classifier, {"loss": BINARY}),
    "binary accuracy of a class": (
        classifier,
        {"metrics": [keras.metrics.BinaryAccuracy()]},
    ),
    "name of a binary accuracy": (classifier, {"metrics": ["binary_accuracy"]}),
    "sparse loss of labels": (labels_model, {"loss": SPARSE}),
    "categorical loss of labels": (labels_model, {"loss": CATEGORICAL}),
    "our loss of labels": (labels_model, {"loss": LabelSmoothedCrossentropy()}),
    "accuracy of labels": (labels_model, {"metrics": ["accuracy"]}),
    "weighted accuracy of labels": (
        labels_model,
        {"weighted_metrics": [keras.metrics.SparseCategoricalAccuracy()]},
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_losses_and_metrics_of_another_family(case):
    make, compiled = WRONG[case]
    name = next(iter(compiled))
    name = "metrics" if "metrics" in name else name
    with pytest.raises(
        ValueError, match=f"`{name}` must fit .*Allowed are .*Received: {name}="
    ):
        make(**compiled)


def test_of_numbers_and_several_heads():
    model = TaskModel(encoder(), heads.Regression())
    for metric in ("accuracy", keras.metrics.BinaryAccuracy()):
        with pytest.raises(ValueError, match="`metrics` must fit .* numbers"):
            model.compile("sgd", metrics=[metric])
    with pytest.raises(ValueError, match="`loss` must fit targets .* numbers"):
        model.compile("sgd", loss="binary_crossentropy")
    model.compile("sgd", loss="mae", metrics=["mse"])
    two = {"kind": heads.Classification(3), "size": heads.Regression()}
    model = TaskModel(encoder(), two)
    with pytest.raises(ValueError, match="`metrics` must fit .* one class"):
        model.compile("sgd", metrics={"kind": ["binary_accuracy"]})
    model.compile("sgd")
    y = {"kind": CLASSES, "size": np.ones((3, 2))}
    with pytest.raises(ValueError, match="Targets of 'size' must be of shape"):
        model.fit(IDS, y, verbose=0)
    with pytest.raises(ValueError, match="Targets of 'kind' .* one class"):
        model.fit(IDS, {**y, "kind": LABELS}, verbose=0)


UNFIT = {
    "one-hot and a sparse loss": (
        lambda: classifier(loss=SPARSE, metrics=[]),
        ONE_HOT,
        "class indices of shape .*, for loss=SparseCategoricalCrossentropy",
    ),
    "one-hot and a sparse accuracy": (
        lambda: classifier(metrics=[keras.metrics.SparseCategoricalAccuracy()]),
        ONE_HOT,
        "for metrics=SparseCategoricalAccuracy.*For one-hot targets",
    ),
    "indices and a categorical loss": (
        lambda: classifier(loss=CATEGORICAL, metrics=[]),
        CLASSES,
        r"For class indices take .*one_hot\(y, 3\)",
    ),
    "too many classes": (
        classifier,
        np.eye(4)[CLASSES],
        "class indices of shape .* or of shape",
    ),
    "indices and labels": (labels_model, CLASSES % 2, "of shape .*, for loss="),
    "too many labels": (labels_model, np.eye(4)[CLASSES], "Targets must be of"),
    "several numbers": (
        lambda: compiled(TaskModel(encoder(), heads.Regression(0.0, 3))),
        CLASSES / 3,
        "Targets must be of shape .*, for loss=MeanSquaredError",
    ),
    "one number": (
        lambda: compiled(TaskModel(encoder(), heads.Regression())),
        ONE_HOT,
        "Targets must be of shape .*, for loss=MeanSquaredError",
    ),
    "tags of another length": (
        lambda: compiled(TaskModel(encoder(), heads.TokenClassification(3))),
        IDS[:, :4] % 3,
        "Targets must be class indices of shape",
    ),
}


def compiled(model):
    model.compile("sgd")
    return model


@pytest.mark.parametrize("source", ["arrays", "batches", "a trainer"])
@pytest.mark.parametrize("case", UNFIT)
@pytest.mark.compiled("one-hot and a sparse loss-batches", "one number-arrays")
def test_targets_that_do_not_fit(case, source):
    """One error from wherever they come, and the weights are as before."""
    make, y, message = UNFIT[case]
    model = trained = make()
    if source == "a trainer":
        trained = SupervisedTrainer(model)
        trained.compile("sgd")
    data = (Batches({"token_ids": IDS}, y, 3),)
    if source == "arrays":
        data = IDS, y
    before = [w.copy() for w in model.get_weights()]
    for run in (trained.fit, trained.evaluate):
        with pytest.raises(ValueError, match=f"(?s){message}"):
            run(*data, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_metric_of_the_same_tags():
    head = heads.TokenClassification(2, label_names=["O", "B-X"])
    model = TaskModel(encoder(), head)
    model.compile("sgd", weighted_metrics=[EntityF1(["O", "B-X"])])
    with pytest.raises(ValueError, match="labels of the model in their order"):
        model.compile("sgd", weighted_metrics=[EntityF1(["B-X", "O"])])
    head.label_names = None
    model.compile("sgd", weighted_metrics=[EntityF1(["B-X", "O"])])


def test_arrays_that_are_no_probabilities():
    model = classifier()
    with pytest.raises(ValueError, match="MultilabelClassification.*1, 0, 1"):
        model.fit(IDS, LABELS, verbose=0)
    with pytest.raises(ValueError, match="these do not sum to 1"):
        model.evaluate(IDS, 2.0 * ONE_HOT, verbose=0)
    model = labels_model()
    with pytest.raises(ValueError, match="from 0 to 1.*from 0 to 2"):
        model.fit(IDS, 2 * LABELS, verbose=0)
    model.fit(IDS, LABELS, verbose=0)
    # Of batches too, before a step has seen them.
    with pytest.raises(ValueError, match="do not sum to 1.*In batch 0"):
        classifier().fit(Batches({"token_ids": IDS}, LABELS), verbose=0)


def test_the_kinds_of_other_models():
    mlp = MLP((), "multilabel", 3)
    assert mlp.target_kind() == TargetKind("labels", 1, 3)
    with pytest.raises(ValueError, match="`metrics` must fit targets .* label"):
        mlp.compile("sgd", metrics=["accuracy"])
    MLP((), "binary").compile("sgd", metrics=["accuracy"])
    mlp = compiled(MLP((), "multiclass", 3))
    with pytest.raises(ValueError, match="Targets must be class indices of"):
        mlp.fit(np.ones((3, 2)), ONE_HOT, verbose=0)
    assert LanguageModel(9, 4).target_kind() == TargetKind("classes", 2, 9)
    with pytest.raises(ValueError, match="`kind` must be one of"):
        TargetKind("tags")


@pytest.mark.parametrize(
    ("units", "shape"), [(1, (8, 2)), (2, (8, 1)), (8, (8,))], ids=str
)
def test_targets_of_plain_models_are_not_broadcast(units, shape):
    x = np.ones((8, 3), "float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])
    trainer = SupervisedTrainer(model)
    trainer.compile("sgd", loss="mse")
    before = model.get_weights()
    with pytest.raises(ValueError, match=rf"of shape \(8, {units}\), for loss"):
        trainer.fit(x, np.ones(shape), batch_size=8, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    trainer.fit(x, np.ones((8, units)), verbose=0)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_weights_of_examples_weigh_rows_not_columns(kind):
    """Also where there are as many steps as examples."""
    classes = kind == "classes"
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Embedding(20, 4),
            keras.layers.Dense(5 if classes else 1),
        ]
    )
    trainer = SupervisedTrainer(model)
    trainer.compile("sgd", loss=SPARSE if classes else "mse")
    ids = np.random.RandomState(1).randint(20, size=(6, 6))
    y = ids % 5 if classes else ids[..., None] / 20
    weights = np.arange(6.0)
    logits = model.predict(ids, verbose=0).astype("float64")
    if classes:
        each = -np.take_along_axis(
            logits - np.log(np.exp(logits).sum(-1, keepdims=True)),
            y[..., None],
            -1,
        )[..., 0]
    else:
        each = (logits[..., 0] - y[..., 0]) ** 2
    expected = (weights[:, None] * each).mean()
    for given in (weights, weights[:, None], np.tile(weights[:, None], 6)):
        found = trainer.evaluate(ids, y, sample_weight=given, verbose=0)
        assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.compiled(on="tensorflow")
@pytest.mark.parametrize("used", [False, True])
def test_targets_of_one_wrong_shape_after_the_other(used):
    """Also in the first calls of a model, which is of use after them."""
    model = MLP((4,), num_outputs=3)
    model.compile("sgd")
    x = np.ones((8, 5), "float32")
    for rows in (8, 5) if used else ():
        model.evaluate(x[:rows], np.zeros(rows), verbose=0)
    for shape in ((8, 6), (8, 3, 2), (5, 7), (8, 2, 2, 2)):
        with pytest.raises(ValueError, match=r"targets of shape \(.*of shape"):
            model.evaluate(x[: shape[0]], np.zeros(shape), verbose=0)
    loss, _ = model.evaluate(x, np.zeros(8), verbose=0)
    assert np.isfinite(loss)
