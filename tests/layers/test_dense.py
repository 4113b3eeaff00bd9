"""`Dense` against Keras' own."""

import keras
import numpy as np
import pytest
from keras import ops
from sequences import compiled, normal, numpy

from keras_dl import autodiff, backend
from keras_dl.layers import Dense
from keras_dl.testing import check_layer


def pair(*shape, **kwargs):
    """Our layer and Keras', with the same weights, none of them 0."""
    both = [kind(3, **kwargs) for kind in (Dense, keras.layers.Dense)]
    for layer in both:
        layer.build(shape)
        layer.set_weights([normal(*w.shape, seed=1) for w in layer.weights])
    return both


@pytest.mark.parametrize("shape", [(2, 4), (2, 3, 4), (2, 1, 3, 4), (0, 4)])
@pytest.mark.parametrize("activation", [None, "tanh"])
@pytest.mark.compiled("tanh-shape1", "None-shape3")
def test_equals_keras(shape, activation):
    x, results = normal(*shape), []
    for layer in pair(*shape, activation=activation):

        def both(x, layer=layer):
            slope = autodiff.grad(lambda x: ops.sum(ops.square(layer(x))))
            return layer(x), slope(x)

        results.append(numpy(compiled(layer, both)(x)))
    for ours, peer in zip(*results, strict=True):
        np.testing.assert_allclose(ours, peer, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 4), (2, 3, 4)])
def test_without_a_bias(shape):
    ours, peer = pair(*shape, use_bias=False)
    x = normal(*shape)
    np.testing.assert_allclose(*numpy([ours(x), peer(x)]), atol=1e-6)


@pytest.mark.compiled
def test_low_rank_updates_count():
    ours, peer = pair(2, 4)
    x = normal(2, 4)
    before = numpy(ours(x))[0]
    for layer in (ours, peer):
        layer.enable_lora(2)
        layer.lora_kernel_a.assign(normal(4, 2, seed=2))
        layer.lora_kernel_b.assign(normal(2, 3, seed=3))
    after = numpy([ours(x), peer(x)])
    np.testing.assert_allclose(*after, atol=1e-5)
    assert np.abs(after[0] - before).max() > 0.1


@pytest.mark.compiled
def test_contract():
    check_layer(
        lambda **kwargs: Dense(3, activation="tanh", **kwargs), normal(2, 4)
    )


@pytest.mark.skipif(backend.name != "torch", reason="XLA fuses it by itself")
def test_product_and_bias_are_one_operation():
    from torch.profiler import profile

    layer, _ = pair(2, 4)
    x = ops.convert_to_tensor(normal(2, 4))
    with profile() as found:
        layer(x)
    names = {event.key for event in found.key_averages()}
    assert "aten::addmm" in names and "aten::add" not in names


@pytest.mark.skipif(
    backend.name != "torch", reason="elsewhere it is the backend's own product"
)
@pytest.mark.parametrize("half", ["bfloat16", "float16"])
def test_products_of_halves_are_rounded_once(half):
    """Also where the processor cannot multiply halves."""
    rng = np.random.default_rng(0)
    x = ops.cast(rng.normal(size=(5, 300)), half)
    layer = Dense(7, use_bias=False, dtype=f"mixed_{half}")
    layer.build(x.shape)
    wide = [
        ops.convert_to_numpy(ops.cast(t, "float32")).astype("float64")
        for t in (x, ops.cast(layer.kernel, half))
    ]
    found = layer(x)
    assert keras.backend.standardize_dtype(found.dtype) == half
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(found, "float32")),
        wide[0] @ wide[1],
        rtol={"bfloat16": 2**-8, "float16": 2**-11}[half],
        atol=1e-4,
    )
