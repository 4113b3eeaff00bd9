"""Convolutions and their padding against Keras' own."""

import keras
import numpy as np
import pytest
from keras import ops
from sequences import compiled, normal, numpy

from keras_dl import autodiff, backend
from keras_dl.layers import Conv2D, Conv2DTranspose, ZeroPadding2D
from keras_dl.testing import check_layer

X = normal(2, 5, 6, 4)
own_way = pytest.mark.skipif(
    backend.name != "torch", reason="elsewhere Keras' operations"
)
BACK = [
    # Kernel, strides, padding: what is cut off on both sides is alike, or not,
    # or is more than there is.
    (4, 2, "same"),
    ((2, 4), 2, "same"),
    (3, 1, "same"),
    (3, 2, "same"),
    (2, 3, "same"),
    (2, 4, "same"),
    (3, (2, 1), "valid"),
    (2, 3, "valid"),
]


def agree(kinds, x, tolerance=1e-5, **kwargs):
    """Values and gradients, by the input and by all weights, are alike."""
    results = []
    for kind in kinds:
        layer = kind(3, **kwargs)
        layer.build(x.shape)
        layer.set_weights([normal(*w.shape, seed=1) for w in layer.weights])

        def loss(x, layer=layer):
            return ops.sum(ops.sin(layer(x)))

        def all_of_it(x, layer=layer, loss=loss):
            weights = layer.trainable_variables
            _, slopes = autodiff.variable_gradients(lambda: loss(x), weights)
            return layer(x), autodiff.grad(loss)(x), *slopes

        results.append(numpy(compiled(layer, all_of_it)(x)))
    assert len(results[0]) == 2 + len(layer.weights)
    for ours, peer in zip(*results, strict=True):
        np.testing.assert_allclose(ours, peer, atol=tolerance, rtol=1e-5)


def test_equals_keras():
    kinds = Conv2D, keras.layers.Conv2D
    agree(kinds, X, kernel_size=3, padding="same", activation="tanh")


def test_transposed_equals_keras():
    kinds = Conv2DTranspose, keras.layers.Conv2DTranspose
    agree(kinds, X, kernel_size=4, strides=2, padding="same", activation="tanh")


@own_way
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    "kwargs",
    [
        # Padding alike on both sides of an axis, and not.
        {"kernel_size": (3, 5), "padding": "same"},
        {"kernel_size": 4, "padding": "same", "strides": 2},
        {"kernel_size": (3, 2), "padding": "same", "strides": (1, 3)},
        {"kernel_size": 2, "padding": "same", "dilation_rate": (1, 3)},
        {"kernel_size": 3, "strides": 2, "use_bias": False},
    ],
)
def test_all_paddings_equal_keras(kwargs, data_format):
    x = X if data_format == "channels_last" else X.transpose(0, 3, 1, 2)
    agree((Conv2D, keras.layers.Conv2D), x, data_format=data_format, **kwargs)


@own_way
def test_groups_equal_keras():
    both = [
        kind(6, 3, groups=2, padding="same")
        for kind in (Conv2D, keras.layers.Conv2D)
    ]
    for layer in both:
        layer.build(X.shape)
        layer.set_weights([normal(*w.shape, seed=1) for w in layer.weights])
    np.testing.assert_allclose(*numpy([layer(X) for layer in both]), atol=1e-5)


@own_way
@pytest.mark.parametrize("kind", [Conv2D, Conv2DTranspose])
def test_images_of_either_memory_layout(kind):
    """What comes out lies as what went in, as copies would cost time."""
    layer = kind(3, 4, 2, padding="same")
    layer.build(X.shape)
    by_rows = ops.convert_to_tensor(X)
    by_channels = by_rows.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    ones = [layer(x) for x in (by_rows, by_channels)]
    np.testing.assert_allclose(*numpy(ones), atol=1e-5)
    assert [one.is_contiguous() for one in ones] == [True, False]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("padding", [1, (0, 2), ((1, 0), (2, 3))])
def test_zeros_around(padding, data_format):
    kinds = ZeroPadding2D, keras.layers.ZeroPadding2D
    ours, peer = (kind(padding, data_format=data_format) for kind in kinds)
    np.testing.assert_array_equal(*numpy([ours(X), peer(X)]))
    assert ours.compute_output_shape(X.shape) == ours(X).shape


@pytest.mark.compiled
def test_low_rank_updates_count():
    both, found = [Conv2D(3, 3), keras.layers.Conv2D(3, 3)], []
    for layer in both:
        layer.build(X.shape)
        layer.enable_lora(2)
        layer.set_weights([normal(*w.shape, seed=1) for w in layer.weights])
        found.append(layer(X))
    np.testing.assert_allclose(*numpy(found), rtol=1e-5, atol=1e-4)
    both[0].lora_kernel_b.assign(0 * both[0].lora_kernel_b)
    assert np.abs(numpy([both[0](X)])[0] - numpy(found)[0]).max() > 0.1


@own_way
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("kernel_size", "strides", "padding"), BACK)
def test_all_croppings_equal_keras(kernel_size, strides, padding, data_format):
    x = X if data_format == "channels_last" else X.transpose(0, 3, 1, 2)
    agree(
        (Conv2DTranspose, keras.layers.Conv2DTranspose),
        x,
        kernel_size=kernel_size,
        strides=strides,
        padding=padding,
        data_format=data_format,
    )


@own_way
@pytest.mark.parametrize(
    "kwargs",
    [
        {"output_padding": 0, "strides": 2, "padding": "same"},
        {"dilation_rate": 2, "padding": "valid"},
    ],
)
def test_what_is_left_to_keras(kwargs):
    kinds = Conv2DTranspose, keras.layers.Conv2DTranspose
    agree(kinds, X, kernel_size=4, **kwargs)


@own_way
@pytest.mark.parametrize("kind", [Conv2D, Conv2DTranspose])
def test_product_and_bias_are_one_operation(kind):
    from torch.profiler import profile

    layer = kind(3, 4, 2, padding="same")
    layer.build(X.shape)
    x = ops.convert_to_tensor(X)
    with profile() as found:
        layer(x)
    names = {event.key for event in found.key_averages()}
    assert "aten::add" not in names


@pytest.mark.parametrize("kind", [Conv2D, Conv2DTranspose])
@pytest.mark.compiled
def test_contract(kind):
    check_layer(lambda **kwargs: kind(2, 4, 2, padding="same", **kwargs), X[:1])


def test_contract_of_padding():
    check_layer(lambda **kwargs: ZeroPadding2D((1, 2), **kwargs), X[:1])


def test_weights_are_those_of_keras(tmp_path):
    for kind in (Conv2D, Conv2DTranspose):
        ours, peer = (
            keras.Sequential([keras.Input((5, 6, 4)), one(2, 3, name="one")])
            for one in (kind, getattr(keras.layers, kind.__name__))
        )
        peer.save_weights(tmp_path / "one.weights.h5")
        ours.load_weights(tmp_path / "one.weights.h5")
        for one, other in zip(
            ours.get_weights(), peer.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(one, other)
