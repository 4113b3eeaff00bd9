"""Weights are loaded into a trainer that has not trained yet."""

import keras
import numpy as np
import pytest
from gans import POINTS, adam, cycle_gan, players, small_gan
from sequences import numpy
from trainers import Supervised, network

from keras_dl.training import GAN


def supervised():
    trainer = Supervised(network(inputs=2, outputs=1))
    trainer.compile("adam", loss="mse")
    return trainer


MAKE = {
    "gan": (small_gan, (POINTS,)),
    "cycle": (cycle_gan, (POINTS, POINTS)),
    "one optimizer": (supervised, (POINTS, POINTS[:, :1])),
}


@pytest.mark.parametrize("file", ["trainer.weights.h5", "trainer.keras"])
@pytest.mark.parametrize("name", MAKE)
@pytest.mark.compiled("gan-trainer.weights.h5")
def test_training_goes_on_with_the_optimizers_state(name, file, tmp_path):
    make, data = MAKE[name]
    first, rest = make(), {"batch_size": 8, "shuffle": False, "verbose": 0}
    first.fit(*data, **rest)
    if file.endswith(".keras"):
        first.save(tmp_path / file)
    else:
        first.save_weights(tmp_path / file)
    second = make()
    second.load_weights(tmp_path / file)
    for one, other in zip(
        [*first.variables, *first.optimizer.variables],
        [*second.variables, *second.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(*numpy([one, other]), one.path)
    expected, found = (t.fit(*data, **rest).history for t in (first, second))
    for key, values in expected.items():
        assert found[key] == pytest.approx(values, rel=1e-6), key


def test_without_compile(tmp_path):
    path = tmp_path / "gan.weights.h5"
    first = small_gan()
    first.fit(POINTS, verbose=0)
    first.save_weights(path)
    second = GAN(*players(), seed=1)
    second.load_weights(path)
    for one, other in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(*numpy([one, other]), one.path)
    second.fit(POINTS, verbose=0)
    assert set(second.optimizer.names) == {"generator", "discriminator"}


def test_a_file_without_optimizers_says_that_they_begin_anew(tmp_path):
    path = tmp_path / "gan.weights.h5"
    first = GAN(*players(), seed=1)
    assert not first.compiled
    first.save_weights(path)
    second = small_gan()
    with pytest.warns(UserWarning, match="saved optimizer has 0 variables"):
        second.load_weights(path)
    np.testing.assert_array_equal(
        *numpy([first.generator.variables[0], second.generator.variables[0]])
    )
    second.fit(POINTS, verbose=0)


def test_other_optimizers_are_refused_all_the_same(tmp_path):
    path = tmp_path / "gan.weights.h5"
    first = small_gan()
    first.fit(POINTS, verbose=0)
    first.save_weights(path)
    second = GAN(*players(), seed=1)
    sgd = keras.optimizers.SGD(0.1, name="sgd")
    second.compile({**adam(), "discriminator": sgd})
    before = second.get_weights()
    with (
        pytest.warns(UserWarning, match="Skipping variable loading"),
        pytest.raises(ValueError, match="do not fit"),
    ):
        second.load_weights(path)
    for old, new in zip(before, second.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
