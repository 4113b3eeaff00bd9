"""The layers of progressive growing, in NumPy's float64."""

import keras
import numpy as np
import pytest
from keras import ops
from sequences import compiled, gradients_of, normal, numpy

from keras_dl import autodiff
from keras_dl.layers import (
    EqualizedConv2D,
    EqualizedDense,
    MinibatchStandardDeviation,
    PixelNormalization,
)
from keras_dl.testing import check_layer

X = normal(6, 3, 4, 5)


def test_pixel_normalization():
    for axis in (-1, 1):
        (found,) = numpy(PixelNormalization(axis)(X))
        square = np.mean(X.astype("float64") ** 2, axis, keepdims=True)
        np.testing.assert_allclose(found, X / np.sqrt(square + 1e-8), rtol=1e-5)
        np.testing.assert_allclose(np.mean(found**2, axis), 1, rtol=1e-5)
    (found,) = numpy(PixelNormalization()(np.float32([[3, 4], [0, 0]])))
    np.testing.assert_allclose(found[0], [0.848528, 1.131371], rtol=1e-5)
    assert not found[1].any()


@pytest.mark.parametrize(
    "layer", [PixelNormalization(), MinibatchStandardDeviation(2)]
)
def test_gradients_at_zero_are_finite(layer):
    """Those of a gradient penalty, too."""
    zero = np.zeros((4, 2, 2, 3), "float32")
    weights = normal(4, 2, 2, 4)

    def loss(x):
        y = layer(x)
        return ops.sum(y * ops.convert_to_tensor(weights[..., : y.shape[-1]]))

    def penalty(x):
        return ops.sum(ops.square(autodiff.grad(loss)(x)))

    for fn in (loss, penalty):
        (slope,) = numpy(compiled(layer, autodiff.grad(fn))(zero))
        assert np.isfinite(slope).all()


def test_half_precision():
    """Squares that float16 cannot hold, and an epsilon that it cannot."""
    layer = PixelNormalization(dtype="float16")
    x = np.float16([[3000, 4000], [0, 0], [0.003, 0.004]])
    (found,) = numpy(layer(x))
    expected = np.array([0.848528, 1.131371])
    np.testing.assert_allclose(found[0], expected, rtol=1e-3)
    assert not found[1].any()
    np.testing.assert_allclose(found[2], expected, rtol=1e-2)
    layer = MinibatchStandardDeviation(2, dtype="float16")
    x = np.stack([np.full((2, 2, 1), v, "float16") for v in (2000, 1000)])
    (found,) = numpy(layer(x))
    np.testing.assert_allclose(found[..., 1], 500, rtol=1e-3)


def deviations(x, members):
    """`s` of each sample in float64, by lists of the members of groups."""
    s = np.zeros(len(x))
    for group in members:
        part = x[group].astype("float64")
        s[group] = np.mean(np.sqrt(part.var(axis=0) + 1e-8))
    return s


@pytest.mark.parametrize(
    ("batch", "size", "members"),
    [
        (6, 2, [[0, 3], [1, 4], [2, 5]]),
        (6, 3, [[0, 2, 4], [1, 3, 5]]),
        (6, 6, [[0, 1, 2, 3, 4, 5]]),
        (5, 2, [[0, 2, 4], [1, 3]]),
        (5, 4, [[0, 1, 2, 3, 4]]),
        (3, 4, [[0, 1, 2]]),
        (1, 4, [[0]]),
    ],
)
def test_deviation_of_groups(batch, size, members):
    x = X[:batch] + 10
    layer = MinibatchStandardDeviation(size)
    (found,) = numpy(layer(x))
    np.testing.assert_array_equal(found[..., :-1], x)
    expected = np.broadcast_to(
        deviations(x, members)[:, None, None], found.shape[:3]
    )
    np.testing.assert_allclose(found[..., -1], expected, rtol=1e-4)


def test_deviation_as_published():
    """The published way, for a batch that divides: reshaped to groups first."""
    x = np.concatenate([X, X[:2] + 1])
    y = x.reshape(4, -1, 3, 4, 5).astype("float64")
    y = np.sqrt(np.mean((y - y.mean(axis=0)) ** 2, axis=0) + 1e-8)
    expected = np.tile(y.mean(axis=(1, 2, 3)), 4)
    (found,) = numpy(MinibatchStandardDeviation(4)(x))
    np.testing.assert_allclose(found[:, 0, 0, -1], expected, rtol=1e-5)


def test_groups_of_channels_first():
    last = MinibatchStandardDeviation(2)
    first = MinibatchStandardDeviation(2, data_format="channels_first")
    expected, found = numpy([last(X), first(X.transpose(0, 3, 1, 2))])
    np.testing.assert_allclose(found.transpose(0, 2, 3, 1), expected, rtol=1e-5)
    shape = first.compute_output_shape((None, 5, None, None))
    assert shape == (None, 6, None, None)


@pytest.mark.compiled
def test_batches_of_any_size_in_one_model():
    inputs = keras.Input((None, None, 5))
    model = keras.Model(inputs, MinibatchStandardDeviation(2)(inputs))
    assert model.output_shape == (None, None, None, 6)
    found = model.predict(X[:5], batch_size=3, verbose=0)[:, 0, 0, -1]
    parts = deviations(X[:3], [[0, 1, 2]]), deviations(X[3:5], [[0, 1]])
    np.testing.assert_allclose(found, np.concatenate(parts), rtol=1e-4)
    empty = ops.zeros((0, 3, 4, 5))
    assert tuple(MinibatchStandardDeviation(2)(empty).shape) == (0, 3, 4, 6)


def test_equal_images_are_told_from_others():
    same = np.repeat(X[:1], 4, axis=0)
    layer = MinibatchStandardDeviation(4)
    equal, various = numpy([layer(same), layer(X[:4])])
    np.testing.assert_allclose(equal[..., -1], 1e-4, rtol=1e-3)
    assert various[..., -1].min() > 0.5
    # The gradient of the channel by the images is 0 there.
    (slope,) = gradients_of(lambda x: layer(x)[..., -1], same)
    np.testing.assert_allclose(slope, 0, atol=1e-6)


PAIRS = [
    (
        lambda **kwargs: EqualizedDense(4, **kwargs),
        keras.layers.Dense(4, activation="tanh"),
        5,
    ),
    (
        lambda **kwargs: EqualizedConv2D(4, 3, **kwargs),
        keras.layers.Conv2D(4, 3, activation="tanh"),
        3 * 3 * 5,
    ),
]


@pytest.mark.parametrize("number", [0, 1])
def test_equalized_layers(number):
    """Keras' layers with scaled weights, whose gradients are scaled as well."""
    make, peer, fan_in = PAIRS[number]
    layer = make(gain=1.5, activation="tanh")
    layer.build(X.shape)
    peer.build(X.shape)
    kernel, bias = (normal(*w.shape, seed=1) for w in layer.weights)
    scale = 1.5 / np.sqrt(fan_in)
    layer.set_weights([kernel, bias])
    peer.set_weights([scale * kernel, bias])
    np.testing.assert_allclose(*numpy([layer(X), peer(X)]), atol=1e-5)
    slopes = []
    for one in (layer, peer):
        _, found = autodiff.variable_gradients(
            lambda one=one: ops.sum(ops.square(one(X))), one.trainable_variables
        )
        slopes.append(numpy(found))
    np.testing.assert_allclose(
        slopes[0][0], scale * slopes[1][0], rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(slopes[0][1], slopes[1][1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("number", [0, 1])
def test_equalized_weights_begin_with_variance_1(number):
    """And keep the variance of what goes through, with gain 1."""
    make = PAIRS[number][0]
    layer = make(gain=1.0)
    layer.build((None, 8, 8, 500))
    kernel, bias = layer.get_weights()
    assert kernel.std() == pytest.approx(1, abs=0.05) and not bias.any()
    (y,) = numpy(layer(normal(2, 8, 8, 500)))
    assert y.std() == pytest.approx(1, abs=0.2)
    again = type(layer).from_config(layer.get_config())
    assert again.gain == 1.0
    assert again.kernel_initializer.stddev == 1.0
    assert make().gain == pytest.approx(np.sqrt(2))
    with pytest.raises(ValueError, match="`gain` must be"):
        make(gain=0)


def test_convolution_in_groups():
    """Each output value has the inputs of its own group alone."""
    layer = EqualizedConv2D(4, 3, gain=1.0, groups=2)
    peer = keras.layers.Conv2D(4, 3, groups=2)
    x = normal(1, 4, 4, 6)
    for one in (layer, peer):
        one.build(x.shape)
    peer.set_weights([layer.get_weights()[0] / np.sqrt(27), np.zeros(4)])
    np.testing.assert_allclose(*numpy([layer(x), peer(x)]), atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        PixelNormalization,
        lambda **kwargs: MinibatchStandardDeviation(2, **kwargs),
        PAIRS[0][0],
        PAIRS[1][0],
    ],
    ids=["pixel", "minibatch", "dense", "convolution"],
)
@pytest.mark.compiled
def test_contract(make):
    check_layer(make, X[:3])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PixelNormalization(epsilon=0), "`epsilon` must be"),
        (lambda: MinibatchStandardDeviation(0), "`group_size` must be"),
        (lambda: MinibatchStandardDeviation(epsilon=-1), "`epsilon` must be"),
        (
            lambda: MinibatchStandardDeviation().build((None, 3)),
            "must be images",
        ),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
