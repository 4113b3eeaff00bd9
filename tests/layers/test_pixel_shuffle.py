"""`PixelShuffle` against torch.nn's."""

import keras
import numpy as np
import pytest
import torch
from keras import ops
from sequences import gradients_of, normal, numpy

from keras_dl.layers import PixelShuffle
from keras_dl.testing import check_layer


def as_torch(x, factor):
    """What torch makes of channels_last images."""
    y = torch.nn.PixelShuffle(factor)(torch.tensor(x).permute(0, 3, 1, 2))
    return y.permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_order_of_torch(factor):
    x = normal(2, 3, 4, 5 * factor**2)
    (found,) = numpy(PixelShuffle(factor)(x))
    np.testing.assert_array_equal(found, as_torch(x, factor))


def test_channels_first():
    x = normal(2, 8, 3, 4)
    layer = PixelShuffle(2, data_format="channels_first")
    (found,) = numpy(layer(x))
    expected = torch.nn.PixelShuffle(2)(torch.tensor(x)).numpy()
    np.testing.assert_array_equal(found, expected)
    assert layer.compute_output_shape((None, 8, None, 4)) == (None, 2, None, 8)


def test_gradient_goes_back_to_its_place():
    x = normal(1, 2, 3, 8)
    (slope,) = gradients_of(PixelShuffle(2), x)
    np.testing.assert_allclose(slope, 2 * x, rtol=1e-6)


def test_dynamic_sizes():
    inputs = keras.Input((None, None, 12))
    model = keras.Model(inputs, PixelShuffle(2)(inputs))
    assert model.output_shape == (None, None, None, 3)
    for height, width in ((2, 3), (4, 1)):
        x = normal(2, height, width, 12)
        found = model.predict(x, verbose=0)
        np.testing.assert_array_equal(found, as_torch(x, 2))


@pytest.mark.compiled
def test_contract():
    check_layer(lambda **kwargs: PixelShuffle(2, **kwargs), normal(3, 4, 5, 8))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((None, 4, 4, 6), r"multiple of factor \*\* 2 = 4.*\(None, 4, 4, 6\)"),
        ((None, 4, 4, None), "multiple of factor"),
        ((None, 4, 4), "must be images"),
    ],
)
def test_wrong_inputs(shape, message):
    with pytest.raises(ValueError, match=message):
        PixelShuffle(2).build(shape)


def test_wrong_arguments():
    for factor in (0, 1.5, True):
        with pytest.raises(ValueError, match="`factor` must be"):
            PixelShuffle(factor)
    with pytest.raises(ValueError, match="`data_format` must be"):
        PixelShuffle(2, data_format="channels")


def test_no_batch_at_all():
    x = ops.zeros((0, 2, 2, 4))
    assert tuple(PixelShuffle(2)(x).shape) == (0, 4, 4, 1)
