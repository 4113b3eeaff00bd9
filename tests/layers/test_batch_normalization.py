"""`BatchNormalization` against Keras' own."""

import keras
import numpy as np
import pytest
from keras import ops
from sequences import compiled, normal, numpy

from keras_dl import autodiff, backend
from keras_dl.layers import BatchNormalization
from keras_dl.testing import check_layer

X = 3 * normal(4, 3, 2, 5) + 1
KINDS = BatchNormalization, keras.layers.BatchNormalization
own_way = pytest.mark.skipif(
    backend.name != "torch", reason="elsewhere Keras' operations"
)


def pair(shape=X.shape, **kwargs):
    """Our layer and Keras', with the same weights, all of them above 0."""
    both = [kind(**kwargs) for kind in KINDS]
    for layer in both:
        layer.build(shape)
        layer.set_weights(
            [
                1 + normal(*w.shape, seed=i) ** 2
                for i, w in enumerate(layer.weights)
            ]
        )
    return both


def results(layer, x, training):
    """The output, its gradients, first and second, and the statistics."""

    def loss(x):
        return ops.sum(ops.sin(layer(x, training=training)))

    def penalty(x):
        return ops.sum(ops.square(autodiff.grad(loss)(x)))

    def all_of_it(x):
        weights = layer.trainable_variables
        slopes = ()
        if weights:
            _, slopes = autodiff.variable_gradients(lambda: loss(x), weights)
        y = layer(x, training=training)
        return y, *slopes, autodiff.grad(loss)(x), autodiff.grad(penalty)(x)

    found = numpy(compiled(layer, all_of_it)(x))
    return [*found, *numpy(list(map(ops.convert_to_tensor, layer.weights)))]


def check(kwargs, x=X, training=True):
    ours, peer = (results(one, x, training) for one in pair(x.shape, **kwargs))
    for one, other in zip(ours, peer, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("training", [False, True])
def test_equals_keras(training):
    check({"momentum": 0.9, "epsilon": 0.1}, training=training)


@own_way
@pytest.mark.parametrize(
    "kwargs",
    [
        {"axis": 1},
        {"axis": 2},
        {"scale": False},
        {"center": False},
        {"renorm": True},
    ],
)
def test_arguments_mean_what_they_mean_in_keras(kwargs):
    check(kwargs)


@own_way
def test_rows_and_sequences():
    check({}, X[:, 0, 0])
    check({}, X[:, 0])


def test_does_not_learn_where_it_shall_not():
    layer = BatchNormalization(trainable=False)
    layer.build(X.shape)
    y = layer(X, training=True)
    np.testing.assert_allclose(*numpy([y, ops.convert_to_tensor(X)]), rtol=1e-2)
    assert not np.any(numpy([layer.moving_mean])[0])


@pytest.mark.parametrize("epsilon", [3e-5, 1e-3, 0.3])
def test_flat_channels_have_no_variance(epsilon):
    layer = BatchNormalization(
        momentum=0.0, epsilon=epsilon, moving_variance_initializer="zeros"
    )
    layer.build(X.shape)
    layer(np.full_like(X, 7.0), training=True)
    variance = layer.get_weights()[-1]
    assert variance.min() >= 0 and variance.max() < 1e-7


@pytest.mark.compiled
def test_masked_steps_do_not_count():
    x, mask = X[:, :, 0], np.array(4 * [[True, True, False]])
    ours, peer = pair(x.shape)
    for layer in (ours, peer):
        layer(x, mask=mask, training=True)
    for one, other in zip(ours.get_weights(), peer.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.compiled
def test_in_half_precision():
    """Statistics are those of numbers far above what a half can square."""
    ours, peer = pair(dtype="mixed_float16")
    x = ops.cast(1000 * X, "float16")
    found = [layer(x, training=True) for layer in (ours, peer)]
    assert keras.backend.standardize_dtype(found[0].dtype) == "float16"
    np.testing.assert_allclose(
        *numpy([ops.cast(y, "float32") for y in found]), atol=1e-2
    )
    np.testing.assert_allclose(
        ours.get_weights()[-1], peer.get_weights()[-1], rtol=1e-3
    )


@own_way
def test_is_one_operation():
    from torch.profiler import profile

    layer, _ = pair()
    x = ops.convert_to_tensor(X)
    with profile() as found:
        layer(x, training=True)
    names = {event.key for event in found.key_averages()}
    assert "aten::native_batch_norm" in names and "aten::var" not in names


@pytest.mark.compiled
def test_contract():
    check_layer(lambda **kwargs: BatchNormalization(**kwargs), X[:2])
