"""A network run without what nobody asked for does what Keras does."""

import contextlib
import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops
from sequences import Masked, masked, normal, numpy

import keras_dl
from keras_dl import autodiff, backend
from keras_dl.layers import Conv2D, InstanceNormalization, ResidualBlock

X = normal(3, 4, 4, 2)
own_way = pytest.mark.skipif(
    backend.name != "torch", reason="elsewhere it is Keras' own call"
)


@keras.saving.register_keras_serializable("test_run_network")
class Quiet(keras.Layer):
    """Drops half, without a word of training."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.drop = layers.Dropout(0.5, seed=1)

    def build(self, input_shape):
        self.built = True

    def call(self, inputs):
        return self.drop(inputs)


@keras.saving.register_keras_serializable("test_run_network")
class Costly(keras.Layer):
    def call(self, inputs):
        self.add_loss(ops.mean(inputs))
        return inputs


@keras.saving.register_keras_serializable("test_run_network")
class Exact(keras.Layer):
    """Its weight is not rounded."""

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def build(self, input_shape):
        self.scale = self.add_weight(
            (), keras.initializers.Constant(1.0009765625)
        )

    def call(self, inputs):
        return ops.cast(inputs, "float32") * self.scale


@keras.saving.register_keras_serializable("test_run_network")
class Unmasked(layers.Dropout):
    """Has its own idea of masks, and is not called by `call` alone."""

    def compute_mask(self, inputs, mask=None):
        return None


@contextlib.contextmanager
def as_policy(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def branched():
    """Two branches of one layer, an operation, and layers that keep state."""
    keras.utils.set_random_seed(0)
    x = keras.Input((4, 4, 2))
    shared = Conv2D(2, 3, padding="same")
    y = layers.Concatenate()(
        [shared(x), layers.ReLU()(shared(ops.flip(x, 1) * 2.0))]
    )
    y = InstanceNormalization(center=True, scale=True)(y)
    y = layers.BatchNormalization()(y)
    y = ResidualBlock(4, dropout=0.5, seed=2)(y)
    y = Quiet()(Exact()(y))
    inner = keras.Sequential([keras.Input((4, 4, 4)), layers.Flatten()])
    y = layers.Dense(4)(inner(y))
    last = Unmasked(0.5, seed=3, dtype="float32")(y)
    return keras.Model(x, [y, layers.Dense(1, dtype="float32")(last)])


def results(network, run, training):
    """What comes out, gradients, and what the network remembers."""
    x = ops.convert_to_tensor(X)

    def loss():
        outputs = run(network, x, training=training)
        total = sum(ops.sum(ops.cast(y, "float32") ** 2) for y in outputs)
        return total, tuple(outputs)

    weights = network.trainable_variables
    (value, outputs), slopes = autodiff.variable_gradients(
        loss, weights, has_aux=True
    )
    rest = [ops.convert_to_tensor(w) for w in network.non_trainable_variables]
    return numpy([value, *outputs, *slopes, *rest])


def by_keras(network, inputs, **kwargs):
    return network(inputs, **kwargs)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("training", [True, False])
def test_values_gradients_and_state(policy, training):
    with as_policy(policy):
        found, expected = (
            results(branched(), run, training)
            for run in (backend.run_network, by_keras)
        )
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_layers_inside_of_layers_learn_that_this_is_training():
    x = keras.Input((8,))
    network = keras.Model(x, Quiet()(x))
    ones = ops.ones((4, 8))
    for training in (True, None, False):
        y = backend.run_network(network, ones, training=training)
        assert bool(ops.any(y == 0.0)) == bool(training)


def test_losses_are_those_of_the_last_call():
    x = keras.Input((3,))
    y = layers.Dense(2, activity_regularizer="l2")(Costly()(x))
    network = keras.Model(x, y)
    for factor in (1.0, 3.0):
        given = ops.full((2, 3), factor)
        backend.run_network(network, given)
        found = numpy(network.losses)
        network(given)
        np.testing.assert_array_equal(found, numpy(network.losses))
    assert len(found) == 2 and found[0] == 3.0


def test_masks_go_out():
    """A loss of Keras looks for them there."""
    mask = np.array([[True, True, False, False], [True, False, False, False]])
    x = keras.Input((4, 3))
    network = keras.Model(x, layers.Dense(2)(Masked(mask)(layers.ReLU()(x))))
    y = backend.run_network(network, ops.ones((2, 4, 3)))
    np.testing.assert_array_equal(*numpy([y._keras_mask, mask]))


@pytest.mark.filterwarnings("ignore:Layer 'functional'")
def test_masks_come_in():
    x, last = keras.Input((4, 3)), layers.LSTM(2)
    network = keras.Model(x, last(layers.ReLU()(x)))
    mask = np.array([[True, True, False, False], [True, False, False, False]])
    given = masked(normal(2, 4, 3), mask)
    found, expected, without = numpy(
        [
            backend.run_network(network, given),
            network(given),
            last(ops.relu(ops.convert_to_tensor(normal(2, 4, 3)))),
        ]
    )
    np.testing.assert_array_equal(found, expected)
    assert np.abs(found - without).max() > 1e-3


def test_what_is_not_a_graph_is_called():
    class Own(keras.Model):
        def call(self, inputs, training=None):
            return inputs + (1.0 if training else 0.0)

    class Twice(keras.Model):
        def call(self, *args, **kwargs):
            return 2.0 * super().call(*args, **kwargs)

    x = keras.Input((2,))
    ones = ops.ones((1, 2))
    patched = keras.Model(x, layers.ReLU()(x))
    patched.call = lambda inputs, **kwargs: 2.0 * inputs
    for network in (Own(), Twice(x, layers.ReLU()(x)), patched):
        y = backend.run_network(network, ones, training=True)
        np.testing.assert_array_equal(*numpy([y, 2.0 * ones]))


def test_inputs_are_checked_and_converted():
    x = keras.Input((2,))
    network = keras.Model(x, layers.ReLU()(x))
    with pytest.raises(ValueError, match="expected"):
        backend.run_network(network, ops.ones((1, 3)))
    y = backend.run_network(network, np.ones((1, 2), "int32"))
    assert keras.backend.standardize_dtype(y.dtype) == "float32"
    x = keras.Input((2,), name="x")
    named = keras.Model(x, layers.ReLU()(x))
    with pytest.warns(UserWarning, match="structure"):
        backend.run_network(named, {"x": ops.ones((1, 2))})


@own_way
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_model_alone_is_called(policy, monkeypatch):
    """Of layers without conditions, none is: that is what it is for."""
    with as_policy(policy):
        network = keras.Sequential(
            [
                keras.Input((4, 4, 2)),
                Conv2D(2, 3),
                layers.Dropout(0.5),
                layers.LeakyReLU(),
            ]
        )
    called, call = [], keras.Operation.__call__

    def counted(self, *args, **kwargs):
        called.append(self.name)
        return call(self, *args, **kwargs)

    monkeypatch.setattr(keras.Operation, "__call__", counted)
    backend.run_network(network, ops.convert_to_tensor(X), training=True)
    assert called == [network.name]


def test_a_sequential_model_may_grow():
    network = keras.Sequential([keras.Input((2,)), layers.ReLU()])
    ones = ops.ones((1, 2))
    backend.run_network(network, ones)
    network.add(layers.Rescaling(3.0))
    np.testing.assert_array_equal(
        *numpy([backend.run_network(network, ones), 3.0 * ones])
    )


@own_way
@pytest.mark.parametrize("kind", ["forward_hook", "forward_pre_hook"])
def test_hooks_are_called(kind):
    x = keras.Input((2,))
    layer = layers.ReLU()
    network = keras.Model(x, layer(x))
    ones, heard = ops.ones((1, 2)), []
    backend.run_network(network, ones)
    for one in (layer, network):
        hook = getattr(one, f"register_{kind}")
        hook(lambda *args: heard.append(args[0]))
        backend.run_network(network, ones)
    both = [network, layer] if "pre" in kind else [layer, network]
    assert heard == [layer, *both]


@own_way
def test_a_model_can_be_freed():
    x = keras.Input((2,))
    network = keras.Model(x, layers.ReLU()(x))
    backend.run_network(network, ops.ones((1, 2)))
    alive = weakref.ref(network)
    del network, x
    gc.collect()
    assert alive() is None


def test_it_is_public():
    model = keras.Sequential([keras.Input((4, 4, 2)), Conv2D(3, 2)])
    found = keras_dl.run_network(model, ops.convert_to_tensor(X))
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, (found, model(X))))
