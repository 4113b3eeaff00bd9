"""Every trainer gets the same from data of every form."""

import functools

import keras
import numpy as np
import pytest
from gans import (
    LABELS,
    POINTS,
    adam,
    cycle_gan,
    image_to_image,
    mad_gan,
    mode_regularized_gan,
    small_gan,
)
from keras import layers, ops
from sequences import normal, numpy
from trainers import Supervised, network

from keras_dl import Trainer
from keras_dl.applications import ProgressiveGAN, StackGAN
from keras_dl.datasets import Batches
from keras_dl.training import GAN, SupervisedTrainer

SIZE = 8  # Two batches of a set.
CLASSES = np.arange(16) % 3
SQUARES = np.tanh(normal(16, 8, 8, 1))
TARGETS = normal(16, 1)


def class_gan():
    """A GAN of points and classes."""

    def players(width, outputs):
        x, label = keras.Input((width,)), keras.Input((), dtype="int32")
        both = layers.Concatenate()([x, layers.Embedding(3, 4)(label)])
        return keras.Model([x, label], layers.Dense(outputs)(both))

    gan = GAN(players(3, 2), players(2, 1), seed=1)
    gan.compile(adam())
    return gan


class OwnImages(Trainer):
    """What anybody would write: a step of images."""

    def training_step(self, images):
        def loss():
            return ops.mean(ops.square(self.network(images) - images[:, :1]))

        return {"loss": self.minimize(loss)}

    def evaluation_step(self, images):
        return {"loss": ops.mean(self.network(images))}


class OwnPairs(Trainer):
    """And one of two things."""

    def training_step(self, data):
        x, y = data

        def loss():
            return ops.mean(ops.square(self.network(x) - y[:, :1]))

        return {"loss": self.minimize(loss)}

    def evaluation_step(self, data):
        x, y = data
        return {"loss": ops.mean(self.network(x) * y)}


def own(kind, loss=None):
    trainer = kind(network(inputs=2, outputs=1))
    trainer.compile(keras.optimizers.SGD(0.1), loss=loss)
    return trainer


def progressive():
    gan = ProgressiveGAN(
        (8, 8, 1), latent_dim=3, base=8, max_filters=4, fade_images=8, stage=1
    )
    gan.compile()
    return gan


def stacked():
    gan = StackGAN(
        (32, 32, 1), 2, latent_dim=3, condition_dim=2, base=4, blocks=0, stage=1
    )
    gan.compile()
    return gan


LARGE = np.tanh(normal(16, 32, 32, 1))
# What makes a trainer, its data, and what it predicts from.
TRAINERS = {
    "gan": (small_gan, (POINTS,), normal(16, 3)),
    "conditions": (
        functools.partial(small_gan, condition=(2,), matching_aware=True),
        (POINTS, LABELS),
        [normal(16, 3), LABELS],
    ),
    "classes": (class_gan, (POINTS, CLASSES), [normal(16, 3), CLASSES]),
    "mad": (mad_gan, (POINTS,), normal(16, 3)),
    "mode": (mode_regularized_gan, (POINTS,), normal(16, 3)),
    "pairs": (image_to_image, (LABELS, POINTS), LABELS),
    "cycle": (cycle_gan, (POINTS, LABELS), POINTS),
    "progressive": (progressive, (SQUARES,), normal(16, 3)),
    "stacked": (stacked, (LARGE, LABELS), [normal(16, 3), LABELS]),
    "own images": (lambda: own(OwnImages), (POINTS,), POINTS),
    "own pairs": (lambda: own(OwnPairs), (POINTS, LABELS), POINTS),
    "own expects": (lambda: own(Supervised, "mse"), (POINTS, TARGETS), POINTS),
    "supervised": (
        lambda: own(SupervisedTrainer, "mse"),
        (POINTS, TARGETS),
        POINTS,
    ),
}


class Sequence(keras.utils.PyDataset):
    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def cut(*parts):
    return [
        keras.tree.map_structure(lambda a, i=i: a[i : i + SIZE], parts)
        for i in range(0, 16, SIZE)
    ]


def by_tensorflow(*parts):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(parts).batch(SIZE)


def by_torch(*parts):
    import torch

    tensors = [torch.as_tensor(part) for part in parts]
    dataset = torch.utils.data.TensorDataset(*tensors)
    return torch.utils.data.DataLoader(dataset, SIZE)


def by_name(trainer, *parts):
    names = (name.rstrip("?") for name in trainer.expects)
    return dict(zip(names, parts, strict=False))


FORMS = {
    "tensors": lambda _, *parts: map(ops.convert_to_tensor, parts),
    "tuple": lambda _, *parts: (parts,),
    "list": lambda _, *parts: (list(parts),),
    "dict": lambda trainer, *parts: (by_name(trainer, *parts),),
    "batches": lambda _, *parts: (Batches(*parts, batch_size=SIZE),),
    "dataset": lambda _, *parts: (Sequence(cut(*parts)),),
    "lists": lambda _, *parts: (Sequence([list(b) for b in cut(*parts)]),),
    "generator": lambda _, *parts: ((batch for batch in cut(*parts)),),
    "tf.data": lambda _, *parts: (by_tensorflow(*parts),),
    "loader": lambda _, *parts: (by_torch(*parts),),
}
# Whole arrays, which Keras cuts.
WHOLE = "tensors", "tuple", "list", "dict"


# No names are expected; or all that stands alone is the network's input.
NOT = {
    ("dict", "own images"),
    ("dict", "own pairs"),
    *((form, "supervised") for form in ("tuple", "list", "dict")),
}
TABLE = [(f, name) for name in TRAINERS for f in FORMS if (f, name) not in NOT]


@pytest.fixture(scope="module")
def made():
    """Trainers, compiled once, and what they do with plain arrays."""
    found = {}

    def of(name):
        if name not in found:
            make, parts, inputs = TRAINERS[name]
            trainer = make()
            results(trainer, parts)  # Builds what is not built yet.
            state = numpy([*trainer.variables, *trainer.optimizer.variables])
            found[name] = trainer, parts, inputs, state
            found[name] += (begun(found[name], parts),)
        return found[name]

    return of


def begun(case, data, *rest):
    """Results of data, from the values that the trainer had at first."""
    trainer, _, _, state, *_ = case
    variables = [*trainer.variables, *trainer.optimizer.variables]
    for variable, value in zip(variables, state, strict=True):
        variable.assign(value)
    return results(trainer, data, *rest)


def results(trainer, data, form=None, renew=lambda: None):
    sized = {"batch_size": SIZE} if form in (None, *WHOLE) else {}
    steps = {"steps": 2} if form == "generator" else {}
    per_epoch = {"steps_per_epoch": 2} if steps else {}
    rest = {"shuffle": False, "verbose": 0}
    history = trainer.fit(*data, **sized, **per_epoch, **rest).history
    data = renew() or data
    evaluated = trainer.evaluate(
        *data, **sized, **steps, verbose=0, return_dict=True
    )
    return {**{k: v[0] for k, v in history.items()}, "evaluated": evaluated}


@pytest.mark.parametrize(("form", "name"), TABLE)
@pytest.mark.compiled(
    *(f"{form}-classes" for form in FORMS),
    *(f"{form}-own images" for form in ("list", "dataset", "loader")),
    "generator-supervised",
    "tuple-cycle",
)
def test_fit_and_evaluate(form, name, made):
    trainer, parts, *_, expected = case = made(name)

    def data():
        return tuple(FORMS[form](trainer, *parts))

    found = begun(case, data(), form, data)
    assert found.keys() == expected.keys()
    assert keras.tree.flatten(found) == pytest.approx(
        keras.tree.flatten(expected), rel=1e-5, abs=1e-6
    )


@pytest.mark.parametrize("name", TRAINERS)
@pytest.mark.compiled("classes", "supervised")
def test_predict(name, made):
    trainer, _, x, *_ = made(name)
    whole = keras.tree.map_structure(numpy_of, trainer.predict(x, verbose=0))
    several = isinstance(x, list)
    forms = {"tuple": tuple(x) if several else (x,)}
    forms["list"] = list(forms["tuple"])
    if several:
        forms["nested"] = by_tensorflow(tuple(x))
    for form in ("dataset", "lists", "generator", "tf.data", "loader"):
        (forms[form],) = FORMS[form](trainer, *(x if several else [x]))
    for form, data in forms.items():
        steps = {"steps": 2} if form == "generator" else {}
        found = trainer.predict(data, verbose=0, **steps)
        keras.tree.map_structure(
            lambda a, b, form=form: np.testing.assert_allclose(
                a, b, atol=1e-6, err_msg=form
            ),
            found,
            whole,
        )


def numpy_of(array):
    return np.array(array)


@pytest.mark.compiled
def test_inputs_of_one_network_stay_together():
    """Where `x` alone is enough a tuple is that of a network's inputs."""
    inputs = [keras.Input((2,)), keras.Input((2,))]
    model = keras.Model(inputs, layers.Dense(1)(layers.Add()(inputs)))
    trainer = SupervisedTrainer(model)
    trainer.compile(keras.optimizers.SGD(0.0), loss="mse")
    rest = {"batch_size": SIZE, "verbose": 0}
    found = [
        trainer.fit(x, TARGETS, **rest).history["loss"]
        for x in ((POINTS, LABELS), [POINTS, LABELS])
    ]
    found.append(
        trainer.fit(
            Sequence([[b[:2], b[2]] for b in cut(POINTS, LABELS, TARGETS)]),
            verbose=0,
        ).history["loss"]
    )
    error = model.predict([POINTS, LABELS], verbose=0) - TARGETS
    for one in found:
        assert one == pytest.approx([np.mean(error**2)], rel=1e-5)
    with pytest.raises(ValueError, match=r"the structure \(x, y, "):
        trainer.fit([POINTS, LABELS], verbose=0)


def test_parts_that_nothing_expects():
    gan = small_gan()
    message = r"\(images, conditions\?\). Received"
    for data in (
        (POINTS, LABELS, LABELS),
        Sequence([(POINTS, LABELS, LABELS)]),
    ):
        with pytest.raises(ValueError, match=message):
            gan.fit(data, verbose=0)
    with pytest.raises(ValueError, match="`sample_weight` weighs targets"):
        gan.fit(POINTS, sample_weight=np.ones(16), verbose=0)
    with pytest.raises(ValueError, match=r"`images`.*dict with \['pictures'\]"):
        gan.fit({"pictures": POINTS}, verbose=0)
