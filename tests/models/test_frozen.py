"""Frozen layers stay frozen in files, and the next `fit` goes on."""

import pathlib

import keras
import numpy as np
import pytest
from processes import losses, start
from sequences import normal
from trained_on import step

import keras_dl
from keras_dl import applications
from keras_dl.applications import MLP, gan
from keras_dl.models import ConfiguredModel, replace_layer, sublayer, sublayers
from keras_dl.training import GAN, SupervisedTrainer

IDS = np.array(
    [[1, 2, 3, 4], [5, 4, 3, 2], [2, 2, 6, 1], [7, 3, 1, 1]], "int32"
)
LABELS = np.array([0, 1, 1, 0])
POINTS, IMAGES = normal(4, 3), normal(4, 8, 8, 3)


def built(model, shape):
    model.build(shape)
    return model


def classifier():
    encoder = applications.BERT(
        9, 2, 8, 2, 16, max_sequence_length=4, dropout=0.0
    )
    head = keras_dl.heads.Classification(2, dropout=0.0)
    return applications.TaskModel(encoder, head)


def networks():
    return (
        gan.mlp_generator(latent_dim=2, output_dim=3, units=(4, 4)),
        gan.mlp_discriminator(input_dim=3, units=(4, 4)),
    )


def quantized():
    """An MLP of a layer in int8 and one that learns."""
    model = built(MLP((8, 4), num_outputs=2), (None, 3))
    model.quantize("int8", filters=lambda layer: layer is model.hidden[0])
    return model


# Name: a model, its data, and the paths of what is frozen.
MODELS = {
    "mlp": (
        lambda: built(MLP((8, 4), num_outputs=2), (None, 3)),
        (POINTS, LABELS),
        ["hidden/0"],
    ),
    "quantized": (quantized, (POINTS, LABELS), ["hidden/2"]),
    "vgg": (
        lambda: built(
            applications.VGG16(2, base=1, dense_units=(4,), dropout=0.0),
            (None, 32, 32, 3),
        ),
        (normal(4, 32, 32, 3), LABELS),
        ["chain/0", "chain/1"],
    ),
    "encoder": (classifier, (IDS, LABELS), ["encoder"]),
    # A part of a part, in a list.
    "deep": (
        classifier,
        (IDS, LABELS),
        ["encoder/token_embedding", "encoder/blocks/0/attention"],
    ),
    "writer": (
        lambda: built(applications.LanguageModel(9, 4), (None, 4)),
        (IDS, IDS),
        ["recurrent/0"],
    ),
    "gan": (
        lambda: GAN(*networks(), seed=0),
        (POINTS,),
        ["generator/layers/1"],
    ),
    "dcgan": (
        lambda: gan.DCGAN((8, 8, 3), latent_dim=4, base=2, seed=0),
        (IMAGES,),
        ["generator/layers/1", "discriminator/layers/1"],
    ),
    "trainer": (
        lambda: SupervisedTrainer(built(MLP((8, 4), num_outputs=2), (None, 3))),
        (POINTS, LABELS),
        ["network/hidden/0"],
    ),
}


def frozen(name):
    """A model that was trained with frozen layers, and its data."""
    keras.utils.set_random_seed(1)
    make, data, paths = MODELS[name]
    model = make()
    for path in paths:
        sublayer(model, path).trainable = False
    model.compile()
    step(model, data)
    return model, data


def flags(model):
    return {p: x.trainable for p, x in sublayers(model, by_place=True).items()}


def reloaded(model, folder, **kwargs):
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras", **kwargs)


@pytest.mark.parametrize("name", MODELS)
def test_the_file_keeps_it(name, tmp_path):
    model, data = frozen(name)
    again = reloaded(model, tmp_path)
    assert flags(again) == flags(model)
    before = model.get_weights()
    expected, found = step(model, data), step(again, data)
    assert {k: found[k] for k in ("trained", "iterations")} == {
        k: expected[k] for k in ("trained", "iterations")
    }
    for old, one, other in zip(
        before, model.get_weights(), again.get_weights(), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-5)
        assert (old == one).all() == (old == other).all()


@pytest.mark.compiled
def test_in_a_fresh_process(tmp_path):
    expected, names = {}, ["quantized", "deep", "trainer"]
    if keras.backend.backend() == "torch":  # Which compiles nothing.
        names += ["mlp", "dcgan"]
    for name in names:
        model, data = frozen(name)
        model.save(tmp_path / f"{name}.keras")
        arrays = {f"{i}": part for i, part in enumerate(data)}
        np.savez(tmp_path / f"{name}.npz", **arrays)
        expected[name] = step(model, data)
    script = pathlib.Path(__file__).parents[1] / "trained_on.py"
    found = losses(start(script, keras.backend.backend(), str(tmp_path)))
    for name, there in found.items():
        here = expected[name]
        for one, other in zip(here["weights"], there["weights"], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
        for key in ("trained", "iterations"):
            assert here[key] == there[key], name


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m, "trainable", False),
        lambda m: setattr(m.encoder.blocks[0].attention, "trainable", False),
        # Thawed again, as a whole and in part.
        lambda m: [setattr(m.encoder, "trainable", x) for x in (False, True)],
        lambda m: [
            setattr(part, "trainable", x)
            for part, x in ((m.encoder, False), (m.encoder.blocks[1], True))
        ],
        lambda m: None,
    ],
    ids=["whole", "deep", "thawed", "partly", "nothing"],
)
def test_all_flags(change, tmp_path):
    model = classifier()
    change(model)
    wanted = flags(model)
    names = [v.path.split("/")[-1] for v in model.trainable_variables]
    for again in (
        type(model).from_config(model.get_config()),
        keras.models.clone_model(model),
        reloaded(model, tmp_path),
    ):
        assert flags(again) == wanted
        found = [v.path.split("/")[-1] for v in again.trainable_variables]
        assert found == names
    assert ("frozen" in model.get_config()) == (not all(wanted.values()))


def test_a_copy_that_is_not_built_can_be_frozen_and_thawed():
    model = MODELS["mlp"][0]()
    model.hidden[0].trainable = False
    copy = MLP.from_config(model.get_config())
    copy.hidden[0].trainable, copy.hidden[2].trainable = True, False
    again = MLP.from_config(copy.get_config())
    again.build((None, 3))
    assert [again.hidden[i].trainable for i in (0, 2)] == [True, False]


def test_beside_what_is_quantized_and_replaced(tmp_path):
    model, data = MODELS["mlp"][0](), POINTS
    thin = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(2), keras.layers.Dense(4)]
    )
    replace_layer(model, "hidden/2", thin)
    model.hidden[2].layers[0].trainable = False
    model.quantize("int8", filters=lambda layer: layer is model.hidden[0])
    model.head.trainable = False
    again = reloaded(model, tmp_path)
    assert flags(again) == flags(model)
    assert not again.hidden[2].layers[0].trainable
    assert again.hidden[0].quantization_mode == "int8"
    np.testing.assert_allclose(
        again.predict(data, verbose=0), model.predict(data, verbose=0)
    )


def test_the_next_stage_of_a_gan(tmp_path):
    """A trainer that freezes by itself goes on to do so."""
    arguments = (64, 64, 3), 3, 2, 4, 4, 1
    model = gan.StackGAN(*arguments, stage=1)
    model.discriminators[1].layers[2].trainable = False
    model.compile()
    model.optimizer.build(model.trainable_variables)
    again = reloaded(model, tmp_path)
    assert again.stage == 1 and flags(again) == flags(model)
    assert not again.generators[0].trainable


class Untold(ConfiguredModel):
    """A model whose arguments say less than its file."""

    def __init__(self, several=True, **kwargs):
        super().__init__(**kwargs)
        self.parts = [keras.layers.Dense(1) for _ in range(1 + several)]

    def build(self, shape):
        for part in self.parts:
            part.build(shape)

    def call(self, x):
        return sum(part(x) for part in self.parts)


def test_layers_that_there_are_not():
    model = built(Untold(), (None, 3))
    model.parts[1].trainable = False
    smaller = Untold.from_config({**model.get_config(), "several": False})
    with pytest.raises(ValueError, match=r"`frozen` names.*\['parts/1'\]"):
        smaller.build((None, 3))
