"""Steps on PyTorch, recorded, beside the same steps run as they are.

Fifty of each, equal to the last bit: weights, the optimizer's state, seeds,
metrics and logs. `run_eagerly=True` never records.
"""

import contextlib
import functools
import logging
import re

import gans
import keras
import numpy as np
import pytest
import trainers
from keras import layers, ops

import keras_dl
from keras_dl import backend
from keras_dl.applications import (
    BERT,
    MLP,
    VGG16,
    LanguageModel,
    Pretrainer,
    TaskModel,
)
from keras_dl.heads import Classification
from keras_dl.optimizers import (
    LinearWarmupDecay,
    ParameterGroups,
    layer_groups,
    layerwise_rates,
)
from keras_dl.optimizers import gradual_unfreezing as gradual_unfreezing_rates
from keras_dl.training import FeatureDistance, SupervisedTrainer

pytestmark = pytest.mark.skipif(
    backend.name != "torch", reason="the other backends compile their steps"
)
if backend.name == "torch":
    from keras_dl.backend.torch_program import Program

RANDOM = np.random.default_rng(0)
# The last of five batches of four is a small one.
X = RANDOM.normal(size=(18, 3)).astype("float32")
Y = RANDOM.normal(size=(18, 1)).astype("float32")
CLASSES = RANDOM.integers(0, 3, 18)
POINTS = RANDOM.normal(size=(18, 2)).astype("float32")
IDS = RANDOM.integers(4, 12, (18, 5)).astype("int32")
IMAGES = RANDOM.normal(size=(10, 32, 32, 3)).astype("float32")
ADAM = functools.partial(keras.optimizers.Adam, 1e-2)


@contextlib.contextmanager
def counted_programs(monkeypatch):
    """Counts the programs that run; yields a list of one number."""
    counts, plain = [0], Program.__call__

    def call(self, tensors):
        counts[0] += 1
        return plain(self, tensors)

    with monkeypatch.context() as patch:
        patch.setattr(Program, "__call__", call)
        yield counts


def state_of(model):
    """All that training changes, by name, as arrays."""
    optimizer = model.optimizer
    found = [*model.variables, *optimizer.variables]
    return [(v.path, ops.convert_to_numpy(v)) for v in found]


def trained(make, eager, monkeypatch, during=None, batch_size=4, **kwargs):
    """The logs, the state and the number of programs of fifty steps."""
    keras.utils.set_random_seed(0)
    model, data, options = make()
    model.compile(**options, run_eagerly=eager)
    notes = []

    class Notes(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            notes.append({k: np.array(float(v)) for k, v in logs.items()})

        def on_epoch_begin(self, epoch, logs=None):
            if during is not None:
                during(model, epoch)

    with counted_programs(monkeypatch) as counts:
        history = model.fit(
            **dict(zip(("x", "y", "sample_weight"), data, strict=False)),
            batch_size=batch_size,
            epochs=10,
            shuffle=False,
            verbose=0,
            callbacks=[Notes()],
            **kwargs,
        ).history
    notes.append({k: np.array(v) for k, v in history.items()})
    return notes, state_of(model), counts[0]


def check(make, monkeypatch, least=20, **kwargs):
    """Trains twice, and compares all that comes out."""
    plain = trained(make, True, monkeypatch, **kwargs)
    recorded = trained(make, False, monkeypatch, **kwargs)
    assert plain[2] == 0
    assert recorded[2] >= least
    for one, other in zip(plain[0], recorded[0], strict=True):
        for name in one.keys() | other.keys():
            np.testing.assert_array_equal(one[name], other[name], name)
    for (path, one), (_, other) in zip(plain[1], recorded[1], strict=True):
        np.testing.assert_array_equal(one, other, path)


def mlp(*more):
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(6, kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Activation("gelu"),
            layers.GaussianNoise(0.1, seed=1),
            layers.Dropout(0.3, seed=2),
            *more,
            layers.Dense(1),
        ]
    )


def trainer(optimizer, **options):
    """A trainer of ours with noise, dropout, penalties and batch norm."""

    def make():
        options_ = {"optimizer": optimizer(), "loss": "mse", "metrics": ["mae"]}
        return trainers.Supervised(mlp()), (X, Y), options_ | options

    return make


OPTIMIZERS = {
    "adam_decay_clip": lambda: ADAM(weight_decay=0.01, clipnorm=0.5),
    "adamw": lambda: keras.optimizers.AdamW(
        LinearWarmupDecay(1e-2, 40, 10), global_clipnorm=0.3
    ),
    "amsgrad_value": lambda: ADAM(amsgrad=True, clipvalue=0.1),
    "cosine_sgd": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.CosineDecay(0.1, 40),
        momentum=0.9,
        nesterov=True,
    ),
    "adagrad": lambda: keras.optimizers.Adagrad(0.1),
    "rmsprop": lambda: keras.optimizers.RMSprop(1e-2, centered=True),
    "adadelta": lambda: keras.optimizers.Adadelta(1.0),
    "adafactor": lambda: keras.optimizers.Adafactor(1e-2),
    "lion": lambda: keras.optimizers.Lion(1e-3),
    "ftrl": lambda: keras.optimizers.Ftrl(1e-2),
    "ema": lambda: ADAM(use_ema=True, ema_overwrite_frequency=7),
    "accumulated": lambda: ADAM(gradient_accumulation_steps=3),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name, monkeypatch):
    check(trainer(OPTIMIZERS[name]), monkeypatch)


def test_an_overflow_in_between(monkeypatch):
    """The step that it leaves out is undone, and done as it is."""

    def make():
        keras.config.set_dtype_policy("mixed_float16")
        try:
            model, data, options = trainer(ADAM)()
        finally:
            keras.config.set_dtype_policy("float32")
        scaled = keras.optimizers.LossScaleOptimizer(
            ADAM(), initial_scale=2.0**14, dynamic_growth_steps=5
        )
        return model, data, options | {"optimizer": scaled}

    check(make, monkeypatch, least=10)


def supervised_mlp():
    model = MLP((6,), num_outputs=3, dropout=0.2)
    return model, (X, CLASSES), {"optimizer": ADAM()}


def bert(**kwargs):
    return BERT(
        12,
        num_layers=2,
        hidden_dim=8,
        num_heads=2,
        intermediate_dim=16,
        max_sequence_length=8,
        **kwargs,
    )


def task_model():
    model = TaskModel(bert(), Classification(3))
    weights = np.linspace(0.0, 2.0, 18).astype("float32")
    return model, (IDS, CLASSES, weights), {"optimizer": ADAM()}


def language_model():
    model = LanguageModel(12, units=8, num_layers=2, dropout=0.1)
    return model, (IDS[:, :-1], IDS[:, 1:]), {"optimizer": ADAM()}


def gradual_unfreezing():
    """The rates of groups are looked at: steps of several kinds."""
    model, data, _ = task_model()
    model.build((None, 5))
    groups = layer_groups(model)
    rates = gradual_unfreezing_rates(layerwise_rates(groups, 0.9), every=8)
    return model, data, {"optimizer": ParameterGroups(ADAM(), groups, rates)}


def pretrainer():
    words = keras_dl.text.WordVocabulary(list("abcdef"), ["[MASK]"])
    documents = np.random.default_rng(1).integers(5, 11, (6, 3, 2)).tolist()
    packed = keras_dl.text.pack_pairs(documents, words, length=8)
    masking = keras_dl.text.TokenMasking(words)
    batches = keras_dl.text.MaskedBatches(packed, masking, words, batch_size=2)
    model = Pretrainer(bert(), "masked_tokens")
    return model, (batches,), {"optimizer": ADAM()}


def vgg16():
    model = VGG16(3, dense_units=(4,), base=1, batch_norm=True)
    return model, (IMAGES, CLASSES[:10]), {"optimizer": ADAM()}


def with_a_teacher():
    teacher, student = (MLP((n,), num_outputs=3) for n in (8, 6))
    for model in (teacher, student):
        model.build((None, 3))
    made = SupervisedTrainer(
        student,
        terms=[FeatureDistance("hidden/0", projection=True, name="hint")],
        teachers=[teacher],
    )
    return made, (X, CLASSES), {"optimizer": ADAM()}


MODELS = {
    "mlp": supervised_mlp,
    "task_model": task_model,
    "language_model": language_model,
    "vgg16": vgg16,
    "supervised_trainer": with_a_teacher,
    "gradual_unfreezing": gradual_unfreezing,
    "pretrainer": pretrainer,
    "maml": lambda: (
        trainers.MAML(trainers.network(4, inputs=1, outputs=1)),
        (X[:, :2, None], X[:, 1:, None]),
        {"optimizer": ADAM()},
    ),
    "named_optimizers": lambda: (
        trainers.TwoPlayers(),
        (X,),
        {"optimizer": gans.adam()},
    ),
    "input_gradient": lambda: (
        trainers.InputGradient(trainers.network(4, inputs=3, outputs=1)),
        (X, Y),
        {"optimizer": ADAM()},
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_models(name, monkeypatch):
    batch_size = None if name == "pretrainer" else 4
    check(MODELS[name], monkeypatch, batch_size=batch_size)


GANS = {
    "vanilla": gans.small_gan,
    "wgan": functools.partial(
        gans.small_gan,
        adversarial_loss="wasserstein",
        discriminator_steps=2,
        discriminator_constraint=gans.ClipWeights(0.05),
    ),
    "wgan_gp": functools.partial(
        gans.small_gan,
        adversarial_loss="wasserstein",
        penalties=[gans.GradientPenalty(1.0)],
        discriminator_steps=2,
    ),
    "unrolled": functools.partial(
        gans.small_gan, adversarial_loss="minimax", unrolled_steps=2
    ),
    "mad": functools.partial(gans.mad_gan, diversity_weight=0.1),
    "mode_regularized": functools.partial(
        gans.mode_regularized_gan, manifold=True
    ),
    "conditional": functools.partial(
        gans.small_gan, condition=(2,), matching_aware=True
    ),
    "image_to_image": gans.image_to_image,
    "cycle": gans.cycle_gan,
}


@pytest.mark.parametrize("name", GANS)
def test_gans(name, monkeypatch):
    def make():
        gan = GANS[name]()
        pairs = name in ("conditional", "image_to_image", "cycle")
        data = (POINTS, POINTS[::-1].copy()) if pairs else (POINTS,)
        return gan, data, {"optimizer": gan.optimizer}

    check(make, monkeypatch)


# What changes between steps.


def set_weights(model, epoch):
    if epoch == 4:
        model.set_weights([0.5 * w for w in model.get_weights()])


def freeze(model, epoch):
    model.network.layers[0].trainable = epoch not in (3, 4, 5)


def normalize_otherwise(model, epoch):
    model.network.layers[1].trainable = epoch < 4


def drop_more(model, epoch):
    model.network.layers[5].rate = 0.6 if epoch > 4 else 0.3


def slow_down(model, epoch):
    model.optimizer.learning_rate = 1e-2 / (1 + epoch)


def clip(model, epoch):
    model.optimizer.clipnorm = 0.1 if epoch > 4 else None


def another_loss(model, epoch):
    if epoch == 4:
        model.compile(ADAM(), loss="mae", run_eagerly=model.run_eagerly)
        model.make_train_function()


def listen(model, epoch):
    """A hook of PyTorch on a layer."""
    if epoch == 4:
        model.network.layers[0].register_forward_hook(
            lambda layer, inputs, outputs: 2.0 * outputs
        )


CHANGES = [
    set_weights,
    freeze,
    normalize_otherwise,
    drop_more,
    slow_down,
    clip,
    another_loss,
    listen,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_what_changes_between_epochs(change, monkeypatch):
    make = trainer(ADAM)
    check(make, monkeypatch, during=change, validation_data=(X, Y))


def test_it_goes_on_after_a_resume(monkeypatch, tmp_path):
    """What was recorded before is not taken for what is loaded."""
    path = tmp_path / "all.weights.h5"

    def save_and_load(model, epoch):
        if epoch == 3:
            model.save_weights(path)
        if epoch == 6:
            model.load_weights(path)

    check(trainer(ADAM), monkeypatch, during=save_and_load)


def test_evaluation_and_prediction(monkeypatch):
    model, _, options = supervised_mlp()
    results = []
    for eager in (True, False):
        model.compile(**options, run_eagerly=eager)
        with counted_programs(monkeypatch) as counts:
            loss = model.evaluate(X, CLASSES, batch_size=2, verbose=0)
            results.append((loss, model.predict(X, batch_size=2, verbose=0)))
        assert (counts[0] >= 10) != eager
    (loss, one), (same, other) = results
    assert loss == same
    np.testing.assert_array_equal(one, other)


# What cannot be recorded.


class Counts(keras_dl.Trainer):
    steps = 0

    def training_step(self, x):
        self.steps += 1
        return {"loss": self.minimize(lambda: ops.sum(self(x)))}


class TakesArrays(keras_dl.Trainer):
    def training_step(self, x):
        shift = float(ops.convert_to_numpy(x).max())
        return {"loss": self.minimize(lambda: ops.sum(self(x)) * shift)}


class DrawsInPython(keras_dl.Trainer):
    def training_step(self, x):
        factor = np.random.uniform()
        return {"loss": self.minimize(lambda: factor * ops.sum(self(x)))}


class DrawsGlobally(keras_dl.Trainer):
    def training_step(self, x):
        noise = keras.random.normal(ops.shape(x))
        return {"loss": self.minimize(lambda: ops.sum(self(x + noise)))}


class LooksAtEach(keras_dl.Trainer):
    def training_step(self, x):
        step = 1.0 + float(self.optimizer.iterations)
        return {"loss": self.minimize(lambda: ops.sum(self(x)) / step)}


class KeepsATensor(keras_dl.Trainer):
    def training_step(self, x):
        last = getattr(self, "last", None)
        self.last = x
        last = x if last is None else last
        return {"loss": self.minimize(lambda: ops.sum(self(x * last)))}


REASONS = {
    Counts: r"counts in Python: `.*steps` goes from \d+ to \d+",
    TakesArrays: "values are taken by `Tensor.__array__`",
    DrawsInPython: "computes differs from call to call, at aten.mul.Tensor",
    DrawsGlobally: "such as Keras' global seed",
    LooksAtEach: "values that it looks at change all the time",
    KeepsATensor: "takes from Python differs from call to call",
}


@pytest.mark.parametrize("kind", REASONS, ids=lambda kind: kind.__name__)
def test_what_cannot_be_recorded_says_why(kind, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "keras_dl")

    def make():
        model = kind(trainers.network(4, inputs=3, outputs=1))
        return model, (X[:16],), {"optimizer": "sgd"}

    check(make, monkeypatch, least=0)
    (line,) = caplog.messages
    assert line.startswith(f"{kind.__name__}.train_function is not recorded: ")
    assert re.search(REASONS[kind], line)
