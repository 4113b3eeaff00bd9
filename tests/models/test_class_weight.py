"""`class_weight`: of tokens and examples, from wherever batches come."""

import keras
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from keras_dl import heads
from keras_dl.applications import BERT, MLP, Pretrainer, TaskModel
from keras_dl.datasets import Batches
from keras_dl.training import SupervisedTrainer

IDS = np.random.RandomState(0).randint(3, 20, size=(8, 6)).astype("int32")
IDS[::3, 4:] = 0
TAGS = np.where(IDS > 0, IDS % 3, -1).astype("int32")
WEIGHTS = {0: 0.25, 2: 3.0}
TABLE = np.array([0.25, 1.0, 3.0], "float32")
NAMES = ["O", "B", "I"]


def encoder():
    return BERT(20, 1, 8, 2, 8, max_sequence_length=8, dropout=0.0)


def tagger(**compiled):
    keras.utils.set_random_seed(0)
    head = heads.TokenClassification(3, 0.0, label_names=NAMES)
    model = TaskModel(encoder(), head)
    # Nothing is learnt, so that all batches meet the same weights.
    model.compile(keras.optimizers.SGD(0.0), **compiled)
    return model


def crossentropies(model, ids=IDS, tags=TAGS):
    """Of each token, by PyTorch."""
    logits = torch.tensor(model.predict_logits(ids, verbose=0))
    return torch.nn.functional.cross_entropy(
        logits.swapaxes(1, 2),
        torch.tensor(tags.astype("int64")),
        ignore_index=-1,
        reduction="none",
    ).numpy()


def expected(model, weights):
    """The mean over tokens with a target, of one batch."""
    return (crossentropies(model) * weights)[TAGS >= 0].mean()


def as_dataset():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((IDS, TAGS)).batch(8)


def as_loader():
    pairs = TensorDataset(torch.tensor(IDS), torch.tensor(TAGS))
    return DataLoader(pairs, batch_size=8)


def as_generator():
    while True:
        yield IDS, TAGS


SOURCES = {
    "arrays": lambda: {"x": IDS, "y": TAGS, "batch_size": 8},
    "batches": lambda: {"x": Batches({"token_ids": IDS}, TAGS, 8)},
    "tf.data": lambda: {"x": as_dataset(), "shuffle": False},
    "DataLoader": lambda: {"x": as_loader(), "shuffle": False},
    "generator": lambda: {
        "x": as_generator(),
        "steps_per_epoch": 1,
        "shuffle": False,
    },
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.compiled("tf.data")
def test_tokens_count_by_their_tags(source):
    model = tagger()
    given = SOURCES[source]()
    logs = model.fit(class_weight=WEIGHTS, verbose=0, **given).history
    weights = np.where(TAGS >= 0, TABLE[TAGS], 0)
    np.testing.assert_allclose(
        logs["loss"], [expected(model, weights)], rtol=1e-5
    )
    right = model.predict(IDS, verbose=0).argmax(-1) == TAGS
    accuracy = (right * weights).sum() / weights.sum()
    np.testing.assert_allclose(logs["accuracy"], [accuracy], rtol=1e-5)
    # It is of one `fit` alone, and never of an evaluation.
    plain = expected(model, 1.0)
    logs = model.evaluate(IDS, TAGS, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["loss"], plain, rtol=1e-5)
    logs = model.fit(IDS, TAGS, batch_size=8, verbose=0).history
    np.testing.assert_allclose(logs["loss"], [plain], rtol=1e-5)


@pytest.mark.compiled
def test_a_trainer_weighs_as_the_model():
    model = tagger()
    trainer = SupervisedTrainer(model)
    trainer.compile(keras.optimizers.SGD(0.0))
    weights = np.where(TAGS >= 0, TABLE[TAGS], 0)
    for given in (SOURCES["arrays"](), SOURCES["batches"]()):
        logs = trainer.fit(class_weight=WEIGHTS, verbose=0, **given).history
        np.testing.assert_allclose(
            logs["loss"], [expected(model, weights)], rtol=1e-5
        )


def test_one_batch():
    model = tagger()
    weights = np.where(TAGS >= 0, TABLE[TAGS], 0)
    for given, factor in ((WEIGHTS, weights), (None, 1.0)):
        logs = model.train_on_batch(
            IDS, TAGS, class_weight=given, return_dict=True
        )
        np.testing.assert_allclose(
            logs["loss"], expected(model, factor), rtol=1e-5
        )
        model.reset_metrics()


def test_beside_sample_weight():
    model = tagger()
    rows = np.linspace(0.5, 2.0, 8).astype("float32")
    weights = np.where(TAGS >= 0, TABLE[TAGS], 0) * rows[:, None]
    logs = model.fit(
        IDS,
        TAGS,
        batch_size=8,
        verbose=0,
        sample_weight=rows,
        class_weight=WEIGHTS,
    ).history
    np.testing.assert_allclose(
        logs["loss"], [expected(model, weights)], rtol=1e-5
    )


@pytest.mark.parametrize("form", ["indices", "a column", "one-hot"])
def test_names_and_one_hot_targets(form):
    tags = {
        "indices": TAGS,
        "a column": TAGS[..., None],
        "one-hot": np.eye(3, dtype="float32")[TAGS] * (TAGS >= 0)[..., None],
    }[form]
    model = tagger()
    weights = np.where(TAGS >= 0, TABLE[TAGS], 0)
    named = {"O": 0.25, "I": 3}
    logs = model.fit(
        IDS, tags, batch_size=8, verbose=0, class_weight=named
    ).history
    np.testing.assert_allclose(
        logs["loss"], [expected(model, weights)], rtol=1e-5
    )


def test_targets_that_a_model_picks_from_a_dict():
    ids = {"token_ids": IDS, "masked_positions": 0 * IDS[:, :2] + [1, 2]}
    y = {"masked_tokens": IDS[:, 1:3], "next_sentence": IDS[:, 0] % 2}
    model = Pretrainer(encoder(), "next_sentence")
    model.compile(keras.optimizers.SGD(0.0))
    batches = Batches(ids, y, 8)
    loss = []
    for weight in ({}, {0: 0.5, 1: 0.5}):
        logs = model.fit(batches, verbose=0, class_weight=weight).history
        loss += logs["loss"]
    np.testing.assert_allclose(loss[1], loss[0] / 2, rtol=1e-5)


def test_a_weight_of_0_leaves_a_class_out():
    model = tagger()
    logs = model.fit(
        IDS, TAGS, batch_size=8, verbose=0, class_weight={0: 0.0}
    ).history
    counted = crossentropies(model)[TAGS > 0]
    np.testing.assert_allclose(logs["loss"], [counted.mean()], rtol=1e-5)


def test_examples_as_keras_weighs_them():
    """Of whole examples: what Keras does with arrays."""
    x = np.random.RandomState(1).normal(size=(6, 4)).astype("float32")
    labels = np.array([0, 2, 1, 1, 2, 0])
    keras.utils.set_random_seed(1)
    ours = MLP((3,), "multiclass", 3)
    ours.compile("sgd")
    ours.evaluate(x, labels, verbose=0)
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    plain.compile(
        "sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    targets = labels, keras.utils.to_categorical(labels, 3)
    for model, y in ((ours, targets[0]), (plain, targets[0])):
        before = model.get_weights()
        loss = model.evaluate(
            x, y, sample_weight=TABLE[labels], verbose=0, return_dict=True
        )["loss"]
        model.set_weights(before)
        logs = model.fit(
            x, y, batch_size=6, verbose=0, class_weight=WEIGHTS
        ).history
        np.testing.assert_allclose(logs["loss"], [loss], rtol=1e-5)


def test_two_classes_of_one_output():
    x = np.random.RandomState(1).normal(size=(4, 3)).astype("float32")
    model = MLP((), "binary")
    model.compile(keras.optimizers.SGD(0.0))
    for y in (np.array([0, 1, 1, 0]), np.array([[0.0], [1], [1], [0]])):
        logs = model.fit(
            x, y, batch_size=4, verbose=0, class_weight={1: 5.0}
        ).history
        z = torch.tensor(model.predict_logits(x, verbose=0)[:, 0])
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            z,
            torch.tensor(y.reshape(-1), dtype=torch.float32),
            reduction="none",
        ).numpy()
        np.testing.assert_allclose(
            logs["loss"], [(each * [1, 5, 5, 1]).mean()], rtol=1e-5
        )


def refused(head, y, class_weight):
    model = TaskModel(encoder(), head)
    model.compile("sgd")
    before = model.get_weights()
    with pytest.raises(ValueError, match="`class_weight` must be") as error:
        model.fit(IDS, y, verbose=0, class_weight=class_weight)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    return str(error.value)


def test_where_targets_have_no_one_class():
    labels = (IDS[:, :3] % 2).astype("float32")
    message = refused(heads.MultilabelClassification(3), labels, {0: 2.0})
    assert "an example has several labels" in message
    message = refused(heads.Regression(), IDS[:, 0] / 20, {0: 2.0})
    assert "targets are numbers" in message
    several = {"a": heads.Classification(2), "b": heads.Classification(2)}
    y = {"a": IDS[:, 0] % 2, "b": IDS[:, 1] % 2}
    assert "several outputs" in refused(several, y, {0: 2.0})


@pytest.mark.parametrize(
    "class_weight",
    [{3: 1.0}, {-1: 1.0}, {0: -1.0}, {0: float("nan")}, {"X": 1.0}]
    + [{True: 1.0}, {0: "1"}, [1.0, 2.0, 3.0], {0.5: 1.0}, "balanced"],
    ids=str,
)
def test_bad_weights(class_weight):
    head = heads.TokenClassification(3, label_names=NAMES)
    message = refused(head, TAGS, class_weight)
    assert "from 0 to 2, or by ('O', 'B', 'I')" in message
    assert repr(class_weight) in message
