"""Layers of low rank beside NumPy. In models: test_factorization.py."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as array
from sequences import normal

from keras_dl.layers import FactorizedDense, FactorizedEmbedding
from keras_dl.testing import check_layer

IDS = np.array([[1, 4, 0], [2, 3, 1]])


@pytest.mark.compiled
def test_contract():
    check_layer(lambda **kwargs: FactorizedDense(4, 2, **kwargs), normal(4, 3))


def test_values():
    layer = FactorizedDense(4, 2, activation="relu")
    x = normal(2, 5, 3)
    y = array(layer(x))
    kernel = array(layer.reduce.kernel) @ array(layer.expand.kernel)
    np.testing.assert_allclose(y, np.maximum(x @ kernel, 0), atol=1e-6)
    table = FactorizedEmbedding(5, 4, 2)
    matrix = array(table(np.arange(5)))
    np.testing.assert_allclose(array(table(IDS)), matrix[IDS], atol=1e-6)
    x = normal(2, 3, 4)
    np.testing.assert_allclose(
        array(table(x, reverse=True)), x @ matrix.T, atol=1e-5
    )
    assert table.count_params() == 5 * 2 + 2 * 4


def test_precision_and_masks():
    table = FactorizedEmbedding(5, 4, 2, mask_zero=True, dtype="mixed_float16")
    ids = keras.Input((None,), dtype="int32")
    x = table(ids)
    model = keras.Model(ids, [x, table(x, reverse=True)])
    vectors, logits = model(IDS)
    kind = keras.backend.standardize_dtype(vectors.dtype)
    assert kind == "float16"
    assert keras.backend.standardize_dtype(logits.dtype) == kind
    assert logits.shape == (2, 3, 5) and model.output_shape[1][-1] == 5
    pooled = keras.layers.GlobalAveragePooling1D()(x)
    mean = array(keras.Model(ids, pooled)(IDS))
    expected = array(vectors)[0, :2].mean(0)
    np.testing.assert_allclose(mean[0], expected, rtol=1e-2)


def test_int8_tables():
    """Keras quantizes what is inside: the table, and both products."""
    model = keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            FactorizedEmbedding(5, 4, 2),
            FactorizedDense(6, 2),
        ]
    )
    before = array(model(IDS))
    for layer in model.layers:
        for part in layer._flatten_layers(include_self=False):
            part.quantize("int8")
    near = np.abs(before).max() * 0.05
    np.testing.assert_allclose(array(model(IDS)), before, atol=near)


def test_arguments():
    with pytest.raises(ValueError, match="`rank` must be an integer of at"):
        FactorizedDense(4, 0)
    with pytest.raises(ValueError, match="`input_dim` must be an integer"):
        FactorizedEmbedding(0, 4, 2)
