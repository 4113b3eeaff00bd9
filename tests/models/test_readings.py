"""Readings of weights without a trainer: values, slopes, places, errors."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.ops import convert_to_numpy as array

import keras_dl
from keras_dl.models import WeightMask, WeightReading, weights_read

X = np.array([[1.0, 2.0, 3.0]], "float32")
MASK = np.array([[1, 0], [0, 1], [1, 1]])


class Squared(WeightReading):
    def read(self, path, value):
        return ops.square(value)


def linear():
    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, name="last", use_bias=False)]
    )


@pytest.mark.compiled
def test_readings_stack_and_let_gradients_through():
    model = linear()
    kernel = array(model.get_layer("last").kernel)
    readings = [Squared(), WeightMask({"last/kernel": MASK})]
    for reading in readings:
        reading.attach(model)

    def outputs():
        with weights_read(readings):
            return ops.sum(model(X))

    value, (slope,) = keras_dl.compiled(
        lambda: keras_dl.variable_gradients(outputs, model.trainable_variables)
    )()
    expected = X @ (kernel**2 * MASK)
    np.testing.assert_allclose(array(value), expected.sum(), rtol=1e-5)
    np.testing.assert_allclose(array(slope), X.T * 2 * kernel * MASK, rtol=1e-5)
    # Afterwards all is as it was.
    np.testing.assert_array_equal(array(model.weights[0]), kernel)
    np.testing.assert_allclose(array(model(X)), X @ kernel, rtol=1e-5)


def test_what_is_read_by_default_and_by_path():
    model = keras.Sequential(
        [
            keras.Input((2,), dtype="int32"),
            layers.Embedding(5, 3, name="words"),
            layers.Dense(2, name="first"),
            layers.Dense(2, name="second"),
        ]
    )
    for paths, expected in {
        None: ["first/kernel", "second/kernel"],
        "second/.*": ["second/kernel", "second/bias"],
        "words/embeddings": ["words/embeddings"],
    }.items():
        reading = Squared(paths)
        reading.attach(model)
        assert list(reading.of_variables) == expected
        assert not reading.weights  # Those of the model are not its own.


def test_masks():
    model = linear()
    kernel = model.get_layer("last").kernel
    mask = WeightMask({"last/kernel": MASK})
    mask.attach(model)
    mask.after_update()
    np.testing.assert_array_equal(array(kernel) != 0, MASK != 0)
    again = WeightMask.from_config(mask.get_config())
    again.attach(model)
    np.testing.assert_array_equal(array(again.masks["last/kernel"]), MASK)
    for message, masks in {
        r"the shape \(3, 2\) for 'last/kernel'": {"last/kernel": MASK.T},
        "`paths` must match variables": {"first/kernel": MASK},
    }.items():
        with pytest.raises(ValueError, match=message):
            WeightMask(masks).attach(model)
