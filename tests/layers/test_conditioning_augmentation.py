"""Conditioning augmentation: its divergence is torch's, its noise normal."""

import keras
import numpy as np
import pytest
import torch
from keras import ops
from sequences import compiled, normal, numpy

from keras_dl import autodiff
from keras_dl.layers import ConditioningAugmentation
from keras_dl.testing import check_layer

X = normal(3, 5)


def shaken(units=4, **kwargs):
    layer = ConditioningAugmentation(units, **kwargs)
    layer.build(X.shape)
    layer.set_weights(
        [normal(*w.shape, seed=1) / 2 for w in layer.trainable_weights]
        + [w.numpy() for w in layer.non_trainable_weights]
    )
    return layer


def parameters(layer, x=X, slope=0.2):
    kernel, bias = (w.astype("float64") for w in layer.get_weights()[:2])
    y = x @ kernel + bias
    return np.split(np.where(y > 0, y, slope * y), 2, axis=-1)


@pytest.mark.parametrize("weight", [2.0, 0.5])
def test_divergence(weight):
    layer = shaken(kl_weight=weight)
    mu, log_sigma = map(torch.tensor, parameters(layer))
    normal_ = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal_(mu, log_sigma.exp()), normal_(0.0, 1.0)
    )
    layer(X)
    (loss,) = numpy(layer.losses)
    assert loss == pytest.approx(weight * float(expected.mean()), rel=1e-5)
    silent = shaken(kl_weight=0)
    silent(X)
    assert not silent.losses


def test_draws_are_normal():
    layer = shaken(seed=3)
    x = np.repeat(X[:1], 4000, axis=0)
    mu, log_sigma = (part[0] for part in parameters(layer, X[:1]))
    for training in (True, False):
        (c,) = numpy(layer(x, training=training))
        z = (c - mu) / np.exp(log_sigma)
        np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.08)
        np.testing.assert_allclose(z.std(axis=0), 1, atol=0.08)
        np.testing.assert_allclose(np.corrcoef(z.T), np.eye(4), atol=0.08)
        # Not cut off at two deviations.
        assert np.mean(np.abs(z) > 2) == pytest.approx(0.0455, abs=0.01)


def test_the_mean_in_inference():
    layer = shaken(sample_at_inference=False)
    mu, _ = parameters(layer)
    first, again, drawn = numpy(
        [layer(X), layer(X, training=False), layer(X, training=True)]
    )
    np.testing.assert_allclose(first, mu, atol=1e-5)
    np.testing.assert_array_equal(first, again)
    assert np.abs(drawn - mu).max() > 0.1


def test_seeds():
    def draws(seed):
        layer = shaken(seed=seed)
        return numpy([layer(X), layer(X)])

    one, two = draws(7)
    assert np.abs(one - two).max() > 0.1
    np.testing.assert_array_equal(draws(7), [one, two])
    assert np.abs(draws(8)[0] - one).max() > 0.1


def test_every_weight_gets_a_gradient():
    """From the draws, and from the divergence alone."""
    layer = shaken(seed=1)

    def of_draws():
        return ops.sum(ops.square(layer(X, training=True)))

    def of_divergence():
        layer(X)
        return sum(layer.losses)

    for loss in (of_draws, of_divergence):

        def gradients(loss=loss):
            return autodiff.variable_gradients(loss, layer.trainable_variables)

        for gradient in numpy(compiled(layer, gradients)()[1]):
            assert (gradient != 0).all(axis=0).any()
            assert np.any(gradient[..., :4]) and np.any(gradient[..., 4:])


def test_half_precision_draws_and_weighs_in_float32():
    """exp(2 log_sigma) would be infinite in float16."""
    layer = shaken(dtype="mixed_float16", activation="linear")
    (c,) = numpy(layer(8 * X))
    assert c.dtype == "float16"
    assert np.isfinite(numpy(layer.losses)[0])


@pytest.mark.compiled
def test_contract():
    check_layer(
        lambda **kwargs: ConditioningAugmentation(
            4, sample_at_inference=False, **kwargs
        ),
        X,
    )


def test_the_divergence_falls_in_fit():
    layer = shaken()
    model = keras.Sequential([keras.Input((5,)), layer])
    model.compile(keras.optimizers.Adam(0.05), loss=None)
    history = model.fit(X, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 0}, "`units` must be"),
        ({"kl_weight": -1}, "`kl_weight` must be"),
        ({"kl_weight": True}, "`kl_weight` must be"),
        ({"kl_weight": float("nan")}, "`kl_weight` must be"),
        ({"seed": 1.5}, "`seed` must be"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConditioningAugmentation(**{"units": 4, **arguments})
