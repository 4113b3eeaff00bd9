"""Reflection padding, instance normalization and the block made of them."""

import keras
import numpy as np
import pytest
import torch
from keras import ops
from sequences import compiled, gradients_of, normal, numpy

from keras_dl import autodiff
from keras_dl.layers import (
    InstanceNormalization,
    ReflectionPadding2D,
    ResidualBlock,
)
from keras_dl.testing import check_layer

X = normal(2, 5, 6, 3)


def nchw(x):
    return torch.tensor(x).permute(0, 3, 1, 2)


def nhwc(x):
    return x.detach().permute(0, 2, 3, 1).numpy()


def torch_gradient(fn, x):
    """Gradient of the sum of squares of a module of torch."""
    with torch.enable_grad():
        inputs = nchw(x).requires_grad_()
        (slope,) = torch.autograd.grad((fn(inputs) ** 2).sum(), inputs)
    return nhwc(slope)


@pytest.mark.parametrize(
    ("padding", "sides"),
    [
        (2, (2, 2, 2, 2)),
        ((1, 3), (3, 3, 1, 1)),
        (((0, 4), (5, 1)), (5, 1, 0, 4)),
        ((0, 2), (2, 2, 0, 0)),
        (0, (0, 0, 0, 0)),
    ],
)
def test_pads_as_torch_does(padding, sides):
    layer, peer = ReflectionPadding2D(padding), torch.nn.ReflectionPad2d(sides)
    (found,) = numpy(layer(X))
    np.testing.assert_array_equal(found, nhwc(peer(nchw(X))))
    (slope,) = gradients_of(layer, X)
    np.testing.assert_allclose(slope, torch_gradient(peer, X), rtol=1e-6)
    first = ReflectionPadding2D(padding, data_format="channels_first")
    (turned,) = numpy(first(X.transpose(0, 3, 1, 2)))
    np.testing.assert_array_equal(turned.transpose(0, 2, 3, 1), found)


def test_second_order_through_the_padding():
    """A gradient penalty: of sum y^3 / 6 the gradient is linear in y^2."""
    layer = ReflectionPadding2D(2)

    def norm(x):
        slope = autodiff.grad(lambda x: ops.sum(layer(x) ** 3) / 6)(x)
        return ops.sum(ops.square(slope))

    (found,) = numpy(compiled(layer, autodiff.grad(norm))(X))
    times = torch_gradient(torch.nn.ReflectionPad2d(2), np.ones_like(X)) / 2
    # slope = times x^2 / 2, so its square has the gradient times^2 x^3.
    np.testing.assert_allclose(found, times**2 * X**3, rtol=1e-4, atol=1e-6)


@pytest.mark.compiled
def test_padding_of_images_of_any_size():
    inputs = keras.Input((None, None, 3))
    layer = ReflectionPadding2D((2, 1))
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, None, None, 3)
    peer = torch.nn.ReflectionPad2d((1, 1, 2, 2))
    for x in (X, X[:1, :3, :2]):
        found = model.predict(x, verbose=0)
        np.testing.assert_array_equal(found, nhwc(peer(nchw(x))))
    with pytest.raises(ValueError, match="larger than their padding"):
        layer(X[:, :2])


def test_wrong_paddings():
    for padding in ((1, 2, 3), ((1, 2), (1,)), ((1, 2, 3), 1)):
        with pytest.raises(ValueError, match="`padding` must be an integer, a"):
            ReflectionPadding2D(padding)
    for padding in (-1, 1.5, "same", (1, -2)):
        with pytest.raises(ValueError, match="`padding` must be an integer of"):
            ReflectionPadding2D(padding)
    for shape in ((None, 3, 9, 1), (None, 9, 3, 1)):
        with pytest.raises(ValueError, match="larger than their padding"):
            ReflectionPadding2D(3).build(shape)
    ReflectionPadding2D(3).build((None, 4, 4, 1))
    with pytest.raises(ValueError, match="must be images"):
        ReflectionPadding2D(3).build((None, 4, 4))


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.compiled("False")
def test_normalizes_as_torch_does(affine):
    layer = InstanceNormalization(center=affine, scale=affine)
    layer.build(X.shape)
    peer = torch.nn.InstanceNorm2d(3, affine=affine)
    if affine:
        gamma, beta = normal(3, seed=1), normal(3, seed=2)
        layer.set_weights([gamma, beta])
        with torch.no_grad():
            peer.weight.copy_(torch.tensor(gamma))
            peer.bias.copy_(torch.tensor(beta))
    assert len(layer.weights) == 2 * affine
    x = 3 * X + 5
    (found,) = numpy(layer(x))
    np.testing.assert_allclose(found, nhwc(peer(nchw(x))), atol=1e-5)
    weights = normal(*X.shape, seed=3)

    def weighted(x):
        return layer(x) + ops.convert_to_tensor(weights)

    (slope,) = gradients_of(weighted, x)
    expected = torch_gradient(lambda x: peer(x) + nchw(weights), x)
    np.testing.assert_allclose(slope, expected, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.compiled("1")
def test_slope_in_closed_form(count):
    """PyTorch 2.13's own is wrong for one image with its channels last."""
    layer = InstanceNormalization(center=False, scale=False)
    x, w = X[:count], normal(*X[:count].shape, seed=1)

    def loss(x):
        return ops.sum(layer(x) * ops.convert_to_tensor(w))

    (found,) = numpy(compiled(layer, autodiff.grad(loss))(x))

    def mean(x):
        return x.mean(axis=(1, 2), keepdims=True, dtype="float64")

    scale = np.sqrt(mean((x - mean(x)) ** 2) + layer.epsilon)
    y = (x - mean(x)) / scale
    expected = (w - mean(w) - y * mean(w * y)) / scale
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_other_axes():
    x = normal(2, 3, 7)
    (found,) = numpy(InstanceNormalization(axis=1)(x))
    expected = torch.nn.InstanceNorm1d(3)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_large_means_cost_no_digits():
    """Nor do flat channels give NaN, which Keras' way does on PyTorch."""
    x = (normal(1, 32, 32, 2) + 1000.0).astype("float32")
    wide = x.astype("float64")
    wide = wide - wide.mean(axis=(1, 2), keepdims=True)
    deviation = np.sqrt(np.mean(wide**2, axis=(1, 2), keepdims=True) + 1e-5)
    (found,) = numpy(InstanceNormalization()(x))
    np.testing.assert_allclose(found, wide / deviation, atol=2e-3)
    flat = np.full((1, 32, 32, 2), 30.3, "float32")
    (found,) = numpy(InstanceNormalization()(flat))
    assert np.abs(found).max() < 0.5  # 30.3 less its mean, both rounded.
    (slope,) = gradients_of(InstanceNormalization(), flat)
    assert np.isfinite(slope).all()


def test_half_precision_of_large_values():
    """Squares that float16 cannot hold."""
    layer = InstanceNormalization(dtype="mixed_float16")
    (found,) = numpy(layer((300 * X).astype("float16")))
    assert found.dtype == "float16"
    (expected,) = numpy(InstanceNormalization()(300 * X))
    np.testing.assert_allclose(found, expected, atol=1e-2)


@pytest.mark.parametrize(
    ("axis", "shape"),
    [(0, (2, 3, 4)), (3, (2, 3, 4)), (-1, (2, 3)), (-3, (2, 3, 4))],
)
def test_wrong_axes(axis, shape):
    with pytest.raises(ValueError, match="`axis` must be an axis"):
        InstanceNormalization(axis).build(shape)


def test_unknown_channels():
    with pytest.raises(ValueError, match="channels must be known"):
        InstanceNormalization().build((None, 4, 4, None))
    with pytest.raises(ValueError, match="`epsilon` must be"):
        InstanceNormalization(epsilon=0)


def torch_block(block, *layers):
    """The same in torch, with the weights of our block, in training mode."""
    convolutions = [
        x for x in block.chain if isinstance(x, keras.layers.Conv2D)
    ]
    for layer in layers:
        if isinstance(layer, torch.nn.Conv2d):
            kernel, bias = convolutions.pop(0).get_weights()
            with torch.no_grad():
                layer.weight.copy_(torch.tensor(kernel.transpose(3, 2, 0, 1)))
                layer.bias.copy_(torch.tensor(bias))
    chain = torch.nn.Sequential(*layers).train()
    return lambda x: x + chain(x)


def shaken(block):
    block.build(X.shape)
    for i, weight in enumerate(block.trainable_weights):
        if weight.name in ("kernel", "bias"):
            weight.assign(normal(*weight.shape, seed=i) / 3)
    return block


def test_block_of_cyclegan():
    block = shaken(
        ResidualBlock(3, normalization="instance", padding="reflect")
    )
    peer = torch_block(
        block,
        torch.nn.ReflectionPad2d(1),
        torch.nn.Conv2d(3, 3, 3),
        torch.nn.InstanceNorm2d(3),
        torch.nn.ReLU(),
        torch.nn.ReflectionPad2d(1),
        torch.nn.Conv2d(3, 3, 3),
        torch.nn.InstanceNorm2d(3),
    )
    assert len(block.weights) == 4  # Two kernels and their biases.
    (found,) = numpy(block(X))
    np.testing.assert_allclose(found, nhwc(peer(nchw(X))), atol=1e-4)


def test_large_kernels_padded_by_reflection():
    block = shaken(ResidualBlock(3, 5, None, padding="reflect"))
    peer = torch_block(
        block,
        torch.nn.Conv2d(3, 3, 5, padding=2, padding_mode="reflect"),
        torch.nn.ReLU(),
        torch.nn.Conv2d(3, 3, 5, padding=2, padding_mode="reflect"),
    )
    (found,) = numpy(block(X))
    np.testing.assert_allclose(found, nhwc(peer(nchw(X))), atol=1e-4)


def test_block_of_srgan():
    block = shaken(ResidualBlock(3, activation="prelu"))
    peer = torch_block(
        block,
        torch.nn.Conv2d(3, 3, 3, padding=1),
        torch.nn.BatchNorm2d(3),
        torch.nn.PReLU(3),
        torch.nn.Conv2d(3, 3, 3, padding=1),
        torch.nn.BatchNorm2d(3),
    )
    (found,) = numpy(block(X, training=True))
    np.testing.assert_allclose(found, nhwc(peer(nchw(X))), atol=1e-4)
    # Its statistics have moved, and hold in inference.
    means = [w for w in block.weights if w.name == "moving_mean"]
    assert all(np.abs(mean).max() > 1e-3 for mean in numpy(means))
    assert np.abs(numpy(block(X))[0] - found).max() > 1e-2


def test_a_block_without_normalization():
    block = shaken(ResidualBlock(3, 5, None, "tanh"))
    peer = torch_block(
        block,
        torch.nn.Conv2d(3, 3, 5, padding=2),
        torch.nn.Tanh(),
        torch.nn.Conv2d(3, 3, 5, padding=2),
    )
    (found,) = numpy(block(X))
    np.testing.assert_allclose(found, nhwc(peer(nchw(X))), atol=1e-4)


def test_dropout_in_training_alone():
    block = shaken(ResidualBlock(3, normalization=None, dropout=0.5, seed=1))
    plain, dropped, again = numpy(
        [block(X), block(X, training=True), block(X, training=False)]
    )
    np.testing.assert_array_equal(plain, again)
    assert np.abs(plain - dropped).max() > 1e-2


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow",
    reason="TensorFlow has no channels_first convolution on CPU",
)
def test_block_of_channels_first():
    for options in (
        {"activation": "prelu"},
        {"normalization": "instance", "padding": "reflect"},
    ):
        last = shaken(ResidualBlock(3, **options))
        first = ResidualBlock(3, data_format="channels_first", **options)
        first.build((2, 3, 5, 6))
        for mine, theirs in zip(first.weights, last.weights, strict=True):
            mine.assign(ops.reshape(theirs, mine.shape))
        x = X.transpose(0, 3, 1, 2)
        expected, found = numpy(
            [last(X, training=True), first(x, training=True)]
        )
        np.testing.assert_allclose(
            found.transpose(0, 2, 3, 1), expected, atol=1e-5
        )


@pytest.mark.parametrize(
    "make",
    [
        lambda **kwargs: ReflectionPadding2D(((1, 2), (0, 3)), **kwargs),
        InstanceNormalization,
        lambda **kwargs: ResidualBlock(
            3, activation="prelu", use_bias=False, dropout=0.1, **kwargs
        ),
        lambda **kwargs: ResidualBlock(
            3, normalization="instance", padding="reflect", **kwargs
        ),
    ],
    ids=["padding", "normalization", "SRGAN", "CycleGAN"],
)
@pytest.mark.compiled("padding", "normalization", "CycleGAN")
def test_contract(make):
    check_layer(make, X)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": 0}, "`filters` must be"),
        ({"kernel_size": 0}, "`kernel_size` must be an integer"),
        ({"normalization": "layer"}, "`normalization` must be"),
        ({"padding": "valid"}, "`padding` must be one of"),
        ({"padding": "reflect", "kernel_size": 4}, "`kernel_size` must be odd"),
        ({"dropout": 1.0}, "`dropout` must be"),
        ({"epsilon": 0}, "`epsilon` must be"),
        ({"seed": -1}, "`seed` must be"),
        ({"data_format": "last"}, "`data_format` must be"),
    ],
)
def test_wrong_blocks(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResidualBlock(**{"filters": 3, **arguments})


def test_wrong_channels():
    with pytest.raises(ValueError, match="filters=4 channels"):
        ResidualBlock(4).build(X.shape)
