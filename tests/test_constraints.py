"""Weights that are cut after each update."""

import keras
import numpy as np
import pytest

from keras_dl.constraints import ClipWeights


def test_weights_are_cut_to_the_limit():
    w = np.array([-3.0, -0.01, 0.2, 0.5], "float32")
    expected = np.array([-0.2, -0.01, 0.2, 0.2], "float32")
    np.testing.assert_array_equal(ClipWeights(0.2)(w), expected)


@pytest.mark.compiled
def test_holds_after_a_step_of_training():
    layer = keras.layers.Dense(2, kernel_constraint=ClipWeights(0.05))
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.train_on_batch(np.ones((4, 3)), np.ones((4, 2)))
    assert np.abs(layer.get_weights()[0]).max() <= 0.05 + 1e-8
    copy = keras.layers.Dense.from_config(layer.get_config())
    assert copy.kernel_constraint.limit == 0.05


@pytest.mark.parametrize("limit", [0, -1, None])
def test_limits_are_checked(limit):
    with pytest.raises(ValueError, match="`limit` must be a positive"):
        ClipWeights(limit)
