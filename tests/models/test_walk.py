"""A walk over models, forms of data, dtypes and arguments.

Each generated call of `evaluate` gives what NumPy computes from the model's own
logits, or an error of ours or of Keras: never another number, and never an
error from inside a framework.
"""

import pathlib
import traceback

import keras
import numpy as np
import pandas
import pytest
from keras import ops

from keras_dl import heads
from keras_dl.applications import BERT, MLP, TaskModel
from keras_dl.datasets import Batches
from keras_dl.training import SupervisedTrainer

ROWS, CLASSES, STEPS = 8, 3, 8
# Each new form is compiled anew where steps are.
CALLS = 200 if keras.backend.backend() == "torch" else 40


def plain(task):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(CLASSES)])
    trainer = SupervisedTrainer(model)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer.compile("sgd", loss=loss if task == "classes" else "mse")
    return trainer


def mlp(task):
    kind = "multiclass" if task == "classes" else "regression"
    model = MLP((3,), task=kind, num_outputs=CLASSES)
    model.compile("sgd", metrics=[])
    model.build((None, 4))
    return model


def tagger(task):
    encoder = BERT(20, 1, 8, 2, STEPS, dropout=0.0)
    model = TaskModel(encoder, heads.TokenClassification(CLASSES, dropout=0.0))
    model.compile("sgd", metrics=[])
    return model


def as_dataset(x, y, weights):
    import tensorflow as tf

    parts = [part for part in (x, y, weights) if part is not None]
    return tf.data.Dataset.from_tensor_slices(tuple(parts)).batch(3)


def as_loader(x, y, weights):
    import torch

    parts = [np.asarray(p) for p in (x, y, weights) if p is not None]
    rows = list(zip(*parts, strict=True))
    return torch.utils.data.DataLoader(rows, batch_size=3)


FORMS = ["arrays", "tensors", "pandas", "batches", "tf.data", "loader"]
DTYPES = ["float32", "float64", "float16", "int32", "int64", "uint8"]
TARGETS = ["right", "column", "floats", "wide", "beyond", "fraction", "rows"]
WEIGHTS = [None, "rows", "column", "steps", "zeros", "short"]


@pytest.fixture(scope="module")
def models():
    return {
        ("plain", "classes"): plain("classes"),
        ("plain", "numbers"): plain("numbers"),
        ("mlp", "classes"): mlp("classes"),
        ("mlp", "numbers"): mlp("numbers"),
        ("tagger", "classes"): tagger("classes"),
    }


def targets(rng, kind, task, steps):
    shape = (ROWS, *steps)
    if task == "numbers":
        y = rng.normal(size=(*shape, CLASSES)).astype("float32")
    else:
        y = rng.integers(CLASSES, size=shape)
    if kind == "column":
        y = y[..., None] if task == "classes" else y[..., :1]
    elif kind == "floats":
        y = y.astype("float64")
    elif kind == "wide":
        join = np.stack if task == "classes" else np.concatenate
        y = join([y, y], axis=-1)
    elif kind == "beyond":
        y = np.where(np.arange(y.size).reshape(y.shape) == 5, 7, y)
    elif kind == "fraction":
        y = np.where(np.arange(y.size).reshape(y.shape) == 5, 0.7, y)
    elif kind == "rows":
        y = y[:-1]
    return y


def weights_of(rng, kind, steps):
    if kind is None:
        return None
    found = rng.uniform(0.5, 2.0, size=ROWS).astype("float32")
    if kind == "column":
        return found[:, None]
    if kind == "steps":
        return rng.uniform(0.5, 2.0, size=(ROWS, *steps)).astype("float32")
    if kind == "zeros":
        return np.where(np.arange(ROWS) < 3, 0.0, found).astype("float32")
    return found[:-1] if kind == "short" else found


def expected(logits, y, weights, task, ours):
    """The loss in float64: Keras' mean counts all, ours what has a weight."""
    if task == "numbers":
        each = ((logits - y) ** 2).mean(-1)
    else:
        y = y[..., 0] if y.ndim == logits.ndim else y
        every = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        at = np.clip(y, 0, CLASSES - 1).astype(int)[..., None]
        each = -np.take_along_axis(every, at, -1)[..., 0]
    count = len(logits)
    weights = np.ones(count) if weights is None else weights.astype("float64")
    while weights.ndim > each.ndim:
        weights = weights[..., 0]
    while weights.ndim < each.ndim:
        weights = weights[..., None]
    weights = np.broadcast_to(weights, each.shape)
    number = (weights != 0).sum() if ours else each.size
    return (weights * each).sum() / max(number, 1)


def in_batches(size, logits, y, weights, *others):
    """What Keras logs: the mean over batches, by their numbers of rows."""
    total = 0.0
    for start in range(0, ROWS, size):
        rows = slice(start, start + size)
        some = None if weights is None else weights[rows]
        loss = expected(logits[rows], y[rows], some, *others)
        total += len(logits[rows]) * loss
    return total / ROWS


def is_right(logits, y, weights, task, ours):
    """Whether there is one meaning: else an error must come."""
    if len(y) != ROWS or (weights is not None and len(weights) != ROWS):
        return False
    if task == "numbers":
        return y.shape == logits.shape
    shapes = logits.shape[:-1], (*logits.shape[:-1], 1)
    # Keras' loss looks at targets of weight 0, too.
    rows = ours and weights is not None and weights.ndim == 1
    real = y[weights != 0] if rows else y
    inside = np.isin(real, range(CLASSES)).all()
    return y.shape in shapes and inside


def in_form(form, x, y, weights):
    if form == "tensors":
        return ops.convert_to_tensor(x), ops.convert_to_tensor(y), weights
    if form == "pandas" and x.ndim == 2 and y.ndim == 1:
        order = np.random.default_rng(0).permutation(len(x))
        index = np.argsort(order)  # Labels in another order than the rows.
        return pandas.DataFrame(x, index[: len(x)]), pandas.Series(y), weights
    if form == "batches" and weights is None:
        return Batches(x, y, batch_size=3), None, None
    if form == "tf.data":
        return as_dataset(x, y, weights), None, None
    if form == "loader":
        return as_loader(x, y, weights), None, None
    return x, y, weights


def ours_or_keras(error):
    """Whether an error was raised on purpose, by us or in Keras' own words."""
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    path = pathlib.Path(last).as_posix()
    return any(
        part in path for part in ("/keras_dl/", "/applications/", "/keras/src/")
    )


# Not on TensorFlow: Keras' steps there forget sizes once they differ (relaxed
# shapes), and what does not fit is then an error of its graph.
@pytest.mark.compiled(on="jax")
def test_no_other_number_and_no_error_from_inside(models):
    rng = np.random.default_rng(7)
    read = refused = 0
    for number in range(CALLS):
        name, task = list(models)[rng.integers(len(models))]
        model, steps = models[name, task], (STEPS,) * (name == "tagger")
        form, dtype = rng.choice(FORMS), rng.choice(DTYPES)
        kind = rng.choice(TARGETS, p=[0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
        if kind == "rows":
            form = "arrays"  # The others cannot be made of such.
        weight = WEIGHTS[rng.choice(len(WEIGHTS), p=[0.4] + 5 * [0.12])]
        if weight == "short":
            form = "arrays"
        x = rng.integers(1, 20, size=(ROWS, *(steps or (4,)))).astype(dtype)
        y = targets(rng, kind, task, steps)
        weights = weights_of(rng, weight, steps)
        told = f"{number}: {name} {task} {form} {dtype} {kind} {weight}"
        logits = model.predict_logits(x, verbose=0).astype("float64")
        ours = name == "tagger"
        right = is_right(logits, y, weights, task, ours)
        try:
            x, y_given, w = in_form(form, x, y, weights)
            found = model.evaluate(x, y_given, sample_weight=w, verbose=0)
        except (ValueError, TypeError) as error:
            assert not right, f"{told}: {error}"
            assert ours_or_keras(error), f"{told}: {error!r}"
            refused += 1
            continue
        assert right, f"{told}: {found}"
        found = found[0] if isinstance(found, list) else found
        size = ROWS if y_given is not None else 3
        wanted = in_batches(size, logits, y, weights, task, ours)
        assert found == pytest.approx(wanted, rel=1e-3), told
        read += 1
    assert read > CALLS / 4 and refused > CALLS / 4
