"""Ids and labels that there are not, in data of every form."""

import keras
import numpy as np
import pandas
import pytest
from keras import ops

from keras_dl import Trainer, heads
from keras_dl.applications import BERT, MLP, LanguageModel, TaskModel
from keras_dl.datasets import Batches
from keras_dl.training import SupervisedTrainer

VOCABULARY, CLASSES, LENGTH = 12, 3, 5
IDS = np.random.default_rng(0).integers(1, VOCABULARY, (8, LENGTH))
LABELS = np.arange(8) % CLASSES


@pytest.fixture(scope="module")
def classifier():
    encoder = BERT(VOCABULARY, 1, 8, 2, LENGTH, num_segments=1, dropout=0.0)
    model = TaskModel(encoder, heads.Classification(CLASSES, dropout=0.0))
    model.compile("sgd")
    return model


class Sequence(keras.utils.PyDataset):
    """Four batches of two rows."""

    def __init__(self, batches):
        super().__init__()
        self.batches, self.epochs = batches, 0

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]

    def on_epoch_end(self):
        self.epochs += 1


def in_batches(*arrays):
    return [
        keras.tree.map_structure(lambda a, i=i: a[i : i + 2], arrays)
        for i in range(0, 8, 2)
    ]


def by_tensorflow(*arrays):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(arrays).batch(2)


def by_torch(*arrays):
    import torch

    rows = [
        keras.tree.map_structure(lambda a, i=i: a[i], arrays) for i in range(8)
    ]
    return torch.utils.data.DataLoader(rows, batch_size=2)


FORMS = {
    "arrays": lambda *arrays: arrays,
    "tensors": lambda *arrays: keras.tree.map_structure(
        ops.convert_to_tensor, arrays
    ),
    "batches": lambda x, y: (Batches(x, y, batch_size=2),),
    "dataset": lambda *arrays: (Sequence(in_batches(*arrays)),),
    "generator": lambda *arrays: (batch for batch in in_batches(*arrays)),
    "tf.data": lambda *arrays: (by_tensorflow(*arrays),),
    "loader": lambda *arrays: (by_torch(*arrays),),
}


def given(form, x, y):
    data = FORMS[form](x, y)
    return (data,) if form == "generator" else data


def spoilt(array, value):
    array = np.array(array)
    array[5, ...] = value
    return array


BAD = {
    "token_ids": ({"token_ids": spoilt(IDS, VOCABULARY)}, LABELS, "0 to 11"),
    "negative": ({"token_ids": spoilt(IDS, -1)}, LABELS, "`token_ids`"),
    "segment_ids": (
        {"token_ids": IDS, "segment_ids": spoilt(0 * IDS, 1)},
        LABELS,
        "`segment_ids` must be from 0 to 0.*Received: 1",
    ),
    "labels": (
        {"token_ids": IDS},
        spoilt(LABELS, 7),
        "`y` must be from 0 to 2",
    ),
    "ignored": (
        {"token_ids": IDS},
        spoilt(LABELS, -100),
        "`y`.*Received: -100",
    ),
    "fraction": (
        {"token_ids": IDS},
        spoilt(LABELS.astype("float32"), 0.7),
        "whole numbers. Received: 0.6",
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", BAD)
@pytest.mark.compiled(
    *(f"labels-{form}" for form in FORMS), "segment_ids-tf.data"
)
def test_they_are_named_before_weights_change(kind, form, classifier):
    x, y, message = BAD[kind]
    before = classifier.get_weights()
    for run in ("fit", "evaluate"):
        kwargs = {"shuffle": False} if run == "fit" else {}
        with pytest.raises(ValueError, match=message):
            # The first batches are right: nothing is learnt from them.
            rate = classifier.optimizer.learning_rate
            classifier.optimizer.learning_rate = 0.0
            try:
                getattr(classifier, run)(
                    *given(form, x, y), verbose=0, **kwargs
                )
            finally:
                classifier.optimizer.learning_rate = rate
    for old, new in zip(before, classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.compiled
def test_good_data_are_what_they_were(form, classifier):
    x = {"token_ids": IDS}
    weights = classifier.get_weights()
    results = []
    for data in (given(form, x, LABELS), (x, LABELS)):
        classifier.set_weights(weights)
        # Without a number of steps Keras warns of the end of a generator.
        steps = {"steps_per_epoch": 4} if form == "generator" else {}
        kwargs = {"batch_size": 2} if len(data) == 2 else steps
        history = classifier.fit(
            *data, shuffle=False, verbose=0, **kwargs
        ).history
        results.append([history["loss"][0], *classifier.get_weights()])
    classifier.set_weights(weights)
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("form", ["dataset", "tf.data", "loader", "arrays"])
def test_validation_data_too(form, classifier):
    x, y, message = BAD["labels"]
    data = given(form, x, y)
    data = data[0] if len(data) == 1 else data
    with pytest.raises(ValueError, match=message):
        classifier.fit(x, LABELS, validation_data=data, verbose=0)
    good = given(form, x, LABELS)
    good = good[0] if len(good) == 1 else good
    history = classifier.fit(
        x, LABELS, epochs=2, validation_data=good, verbose=0
    ).history
    assert np.isfinite(history["val_loss"]).all()


def test_the_batch_is_named_and_epochs_go_on(classifier):
    x, y, _ = BAD["labels"]
    with pytest.raises(ValueError, match=r"Received: 7 at \[1\].* batch 2\."):
        classifier.evaluate(Sequence(in_batches(x, y)), verbose=0)
    dataset = Sequence(in_batches(x, LABELS))
    classifier.fit(dataset, epochs=2, verbose=0)
    assert dataset.epochs >= 2


def test_single_batches(classifier):
    x, y, message = BAD["labels"]
    for run in (classifier.train_on_batch, classifier.test_on_batch):
        with pytest.raises(ValueError, match=message):
            run(x, y)
    with pytest.raises(ValueError, match="`token_ids`"):
        classifier.predict_on_batch(BAD["token_ids"][0])
    with pytest.raises(ValueError, match="`token_ids`"):
        classifier.predict(by_torch(BAD["token_ids"][0]), verbose=0)


@pytest.mark.compiled
def test_weights_of_a_model_survive_a_bad_batch():
    """Keras moves them out of the variables while it trains on JAX."""
    model = MLP((4,), task="multiclass", num_outputs=3)
    model.compile("sgd")
    x = np.ones((8, 2), "float32")
    model.fit(x, LABELS, verbose=0)
    with pytest.raises(ValueError, match="`y` must be from 0 to 2"):
        model.fit(Sequence(in_batches(x, spoilt(LABELS, 3))), verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert np.isfinite(model.fit(x, LABELS, verbose=0).history["loss"][0])


@pytest.mark.compiled
def test_the_label_of_pytorch_for_none_is_ignored():
    encoder = BERT(VOCABULARY, 1, 8, 2, LENGTH, dropout=0.0)
    model = TaskModel(encoder, heads.TokenClassification(4, dropout=0.0))
    model.compile("sgd")
    tags = IDS % 4
    tags[:, 2:] = -100
    ours = np.where(tags == -100, -1, tags)
    found, expected = (
        model.evaluate(IDS, y, verbose=0, return_dict=True)
        for y in (tags, ours)
    )
    assert found == expected and np.isfinite(found["loss"])
    with pytest.raises(ValueError, match="0 to 3, or -1 or -100.*: -2"):
        model.fit(IDS, spoilt(tags, -2), verbose=0)


def test_of_other_models():
    words = LanguageModel(VOCABULARY, 4, num_layers=1)
    words.compile("sgd")
    ids = np.ones((8, 3), "int32")
    with pytest.raises(ValueError, match="`x` must be from 0 to 11"):
        words.fit(Sequence(in_batches(spoilt(ids, 40), ids)), verbose=0)
    line = MLP((4,), task="regression")
    line.compile("sgd")
    with pytest.raises(ValueError, match="`y` must be finite"):
        line.fit(np.ones((8, 2)), spoilt(np.ones(8), np.nan), verbose=0)


def test_of_a_trainer(classifier):
    trainer = SupervisedTrainer(classifier)
    trainer.compile("sgd")
    x, y, message = BAD["labels"]
    with pytest.raises(ValueError, match=message):
        trainer.fit(Sequence(in_batches(x, y)), verbose=0)


def test_what_has_no_weight_is_not_looked_at(classifier):
    x, y, _ = BAD["labels"]
    weights = np.where(y == 7, 0.0, 1.0)
    classifier.check_arrays(x, y, weights)
    with pytest.raises(ValueError, match="`y`"):
        classifier.check_arrays(x, y, np.ones(8))


class Mean(Trainer):
    """A step without targets."""

    def training_step(self, x):
        return {"loss": self.minimize(lambda: ops.mean(self.network(x)))}


@pytest.mark.parametrize("name", ["sample_weight", "class_weight"])
def test_weights_of_targets_that_there_are_not(name, classifier):
    x = np.ones((8, 3), "float32")
    trainer = Mean(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]))
    trainer.compile("sgd")
    weights = {0: 2.0} if name == "class_weight" else np.ones(8)
    for model, inputs in ((classifier, IDS), (trainer, x)):
        with pytest.raises(ValueError, match=f"`{name}` weighs targets"):
            model.fit(inputs, verbose=0, **{name: weights})


@pytest.mark.compiled
def test_no_targets_at_all(classifier):
    for data in (IDS, Sequence(in_batches(IDS))):
        with pytest.raises(ValueError, match="TaskModel is trained on targets"):
            classifier.fit(data, verbose=0)


@pytest.mark.parametrize(
    "form",
    [
        lambda y: y.tolist(),
        lambda y: tuple(map(int, y)),
        lambda y: pandas.Series(y).sample(frac=1, random_state=0).sort_index(),
        lambda y: pandas.Series(y, dtype="category"),
    ],
    ids=["list", "tuple", "series", "category"],
)
def test_targets_of_other_forms(form, classifier):
    expected = classifier.evaluate(IDS, LABELS, verbose=0)
    assert classifier.evaluate(IDS, form(LABELS), verbose=0) == expected


@pytest.mark.parametrize(
    "form",
    [
        list,
        np.array,
        lambda y: np.array(y, object),
        lambda y: pandas.Series(y, dtype="category"),
    ],
    ids=["list", "array", "objects", "category"],
)
def test_targets_that_are_names(form):
    model = MLP((2,), num_outputs=3)
    model.compile("sgd")
    names = form(list("abcabcab"))
    with pytest.raises(ValueError, match="`y` .*give names their.*'a'"):
        model.fit(np.ones((8, 2)), names, verbose=0)
