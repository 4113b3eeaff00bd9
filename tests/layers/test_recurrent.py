"""LSTM and GRU against torch.nn, Keras' own layers, and finite changes."""

import keras
import numpy as np
import pytest
import torch
from keras import ops
from sequences import compiled, masked, normal, numpy

from keras_dl import autodiff, backend
from keras_dl.layers import GRU, LSTM, fast_recurrent
from keras_dl.testing import check_layer

BATCH, STEPS, FEATURES, UNITS = 3, 6, 4, 5
OURS = {"LSTM": LSTM, "GRU": GRU}
KERAS = {"LSTM": keras.layers.LSTM, "GRU": keras.layers.GRU}
PADDED = np.arange(STEPS) < np.array([[6], [3], [1]])
PATTERN = np.array(
    [[0, 1, 1, 0, 0, 1], [1, 0, 1, 0, 1, 0], [0, 0, 0, 0, 0, 0]], bool
)


X = normal(BATCH, STEPS, FEATURES)


def both(kind, **kwargs):
    """Our layer and Keras', built, with the same weights, none of them 0."""
    pair = OURS[kind](UNITS, **kwargs), KERAS[kind](UNITS, **kwargs)
    for layer in pair:
        layer.build(X.shape)
        layer.set_weights(
            [normal(*w.shape, seed=i) / 2 for i, w in enumerate(layer.weights)]
        )
    return pair


def initial(kind):
    count = {"LSTM": 2, "GRU": 1}[kind]
    return [normal(BATCH, UNITS, seed=7 + i) for i in range(count)]


@pytest.fixture
def kernel_calls(kind, monkeypatch):
    """Grows with each call of the fused kernel."""
    calls, kernel = [], OURS[kind]._kernel
    monkeypatch.setattr(
        OURS[kind],
        "_kernel",
        staticmethod(lambda *args: calls.append(1) or kernel(*args)),
    )
    return calls


def value_and_gradients(layer, x, states, mask=None):
    """Outputs, and gradients by inputs, states and weights of a fixed sum."""

    def loss(x, *states):
        outputs = layer(x, initial_state=list(states) or None, mask=mask)
        outputs = keras.tree.flatten(outputs)
        weighed = [
            ops.sum(ops.multiply(y, normal(*y.shape, seed=20 + i)))
            for i, y in enumerate(outputs)
        ]
        return sum(weighed), outputs

    argnums = tuple(range(1 + len(states)))

    def both(*inputs):
        (_, outputs), d_inputs = autodiff.value_and_grad(
            loss, argnums, has_aux=True
        )(*inputs)
        _, d_weights = autodiff.variable_gradients(
            lambda: loss(*inputs)[0], layer.trainable_variables
        )
        return outputs, d_inputs, d_weights

    inputs = [ops.convert_to_tensor(a) for a in (x, *states)]
    outputs, d_inputs, d_weights = compiled(layer, both)(*inputs)
    return numpy(outputs), numpy(d_inputs) + numpy(d_weights)


def assert_equal(ours, peer):
    for part, tolerance in ((0, 1e-5), (1, 1e-4)):
        for a, b in zip(ours[part], peer[part], strict=True):
            np.testing.assert_allclose(
                a, b, rtol=tolerance, atol=tolerance * max(1, np.abs(b).max())
            )


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.compiled
def test_contract(kind):
    check_layer(
        lambda dtype: OURS[kind](
            4, return_sequences=True, dropout=0.2, dtype=dtype
        ),
        X,
    )


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.compiled
def test_torch_is_the_oracle(kind):
    layer, _ = both(kind, return_sequences=True, return_state=True)
    states = initial(kind)
    outputs, gradients = value_and_gradients(layer, X, states)

    peer = getattr(torch.nn, kind)(FEATURES, UNITS, batch_first=True)
    kernel, recurrent, bias = layer.get_weights()
    order = [1, 0, 2] if kind == "GRU" else [0, 1, 2, 3]

    def as_torch(weights):
        parts = np.split(weights, len(order), -1)
        parts = np.concatenate([parts[i] for i in order], -1)
        return torch.tensor(parts.T)

    biases = bias if kind == "GRU" else (bias, np.zeros_like(bias))
    with torch.no_grad():
        peer.weight_ih_l0.copy_(as_torch(kernel))
        peer.weight_hh_l0.copy_(as_torch(recurrent))
        peer.bias_ih_l0.copy_(as_torch(biases[0]))
        peer.bias_hh_l0.copy_(as_torch(biases[1]))
    with torch.enable_grad():
        inputs = [torch.tensor(a, requires_grad=True) for a in (X, *states)]
        state = tuple(s[None] for s in inputs[1:])
        y, last = peer(inputs[0], state if kind == "LSTM" else state[0])
        last = last if kind == "LSTM" else (last,)
        results = [y, *(s[0] for s in last)]
        loss = sum(
            (r * torch.tensor(normal(*r.shape, seed=20 + i))).sum()
            for i, r in enumerate(results)
        )
        weights = [peer.weight_ih_l0, peer.weight_hh_l0]
        found = torch.autograd.grad(loss, [*inputs, *weights])
    for a, b in zip(outputs, results, strict=True):
        np.testing.assert_allclose(a, b.detach(), atol=1e-5)
    count = len(inputs)
    for a, b in zip(gradients[:count], found[:count], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    for a, b in zip(gradients[count:-1], found[count:], strict=True):
        np.testing.assert_allclose(as_torch(a), b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize(
    ("mask", "go_backwards"),
    [(None, True), (PADDED, True), (PATTERN, False)],
    ids=["backwards", "padded, backwards", "pattern"],
)
@pytest.mark.compiled("pattern-LSTM", "pattern-GRU", "padded, backwards-GRU")
def test_equals_keras(kind, mask, go_backwards):
    ours, peer = both(
        kind,
        return_sequences=True,
        return_state=True,
        go_backwards=go_backwards,
    )
    # Keras' backends differ in what they give before the first real step,
    # unless the initial state is zero.
    states = initial(kind) if mask is None else []
    assert_equal(
        value_and_gradients(ours, X, states, mask),
        value_and_gradients(peer, X, states, mask),
    )


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"return_sequences": True},
        {"unroll": True},
        {"activation": "relu"},
        {"use_bias": False},
        {"use_cudnn": False},
        {"reset_after": False},
        {"dropout": 0.5, "recurrent_dropout": 0.5, "seed": 1},
        {"zero_output_for_mask": True, "return_sequences": True},
    ],
    ids=str,
)
@pytest.mark.compiled(
    "{'dropout': 0.5, 'recurrent_dropout': 0.5, 'seed': 1}-LSTM"
)
def test_arguments_mean_what_they_mean_in_keras(kind, kwargs):
    if kind == "LSTM" and "reset_after" in kwargs:
        kwargs = {"unit_forget_bias": False}
    ours, peer = both(kind, **kwargs)
    modes = {False, "dropout" in kwargs}
    pair = [
        compiled(
            layer,
            lambda x, layer=layer: [
                layer(x, mask=PADDED, training=mode) for mode in modes
            ],
        )(X)
        for layer in (ours, peer)
    ]
    for a, b in zip(*map(numpy, pair), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.compiled("True-GRU")
def test_bidirectional_runs_the_kernel_and_equals_keras(
    kind, return_sequences, kernel_calls
):
    kwargs = {"return_sequences": return_sequences, "return_state": True}
    ours, peer = (
        keras.layers.Bidirectional(kinds[kind](UNITS, **kwargs))
        for kinds in (OURS, KERAS)
    )
    for layer in (ours, peer):
        layer.build(X.shape)
        layer.set_weights(
            [normal(*w.shape, seed=i) / 2 for i, w in enumerate(layer.weights)]
        )
    found = value_and_gradients(ours, X, [], PADDED)
    assert len(kernel_calls) == 4  # Two directions, for two gradients each.
    assert_equal(found, value_and_gradients(peer, X, [], PADDED))


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [("LSTM", {}), ("LSTM", {"use_bias": False}), ("GRU", {})],
    ids=str,
)
def test_many_rows(kind, kwargs):
    """Which may be computed otherwise than a few."""
    ours, peer = both(kind, return_sequences=True, **kwargs)
    x, mask = normal(129, STEPS, FEATURES), np.resize(PATTERN, (129, STEPS))
    assert_equal(
        value_and_gradients(ours, x, [], mask),
        value_and_gradients(peer, x, [], mask),
    )


@pytest.mark.parametrize("kind", OURS)
def test_dropout_drops_a_feature_in_all_steps(kind):
    layer = OURS[kind](
        1,
        dropout=0.5,
        seed=1,
        kernel_initializer="ones",
        return_sequences=True,
    )
    x = np.tile(np.arange(1, 6, dtype="float32")[:, None] / 5, (64, 1, 1))
    layer.build(x.shape)
    outputs, plain = numpy(
        compiled(layer, lambda x: (layer(x, training=True), layer(x)))(x)
    )
    rows = np.unique(outputs[..., 0].round(5), axis=0)
    assert len(rows) == 2 and len(np.unique(rows[1])) == 5
    assert np.ptp(plain, axis=0).max() == 0


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.compiled
def test_a_masked_step_changes_nothing_whatever_it_holds(kind):
    mask = PATTERN
    layer, _ = both(kind, return_sequences=True, return_state=True)
    states = initial(kind)
    expected = value_and_gradients(layer, X, states, mask)
    for junk in (np.nan, 1e30):
        x = np.where(mask[..., None], X, np.float32(junk))
        found = value_and_gradients(layer, x, states, mask)
        for a, b in zip(*map(sum_of_lists, (found, expected)), strict=True):
            np.testing.assert_array_equal(a, b)
    # The state that comes out of a row without a real step went in.
    for state, first in zip(expected[0][1:], states, strict=True):
        np.testing.assert_array_equal(state[-1], first[-1])
    for output in expected[0][0][-1]:
        np.testing.assert_array_equal(output, states[0][-1])


def sum_of_lists(pair):
    return [*pair[0], *pair[1]]


@pytest.mark.parametrize("kind", OURS)
def test_masked_equals_the_real_steps_alone(kind):
    layer, _ = both(kind, return_sequences=True, return_state=True)
    outputs, *states = numpy(layer(X, mask=PATTERN))
    for row in (0, 1):
        real = PATTERN[row]
        alone, *last = numpy(layer(X[row : row + 1, real]))
        np.testing.assert_allclose(outputs[row, real], alone[0], atol=1e-6)
        for a, b in zip(states, last, strict=True):
            np.testing.assert_allclose(a[row], b[0], atol=1e-6)


@pytest.mark.parametrize("kind", OURS)
def test_bidirectional_reverses_the_real_steps(kind):
    layer = keras.layers.Bidirectional(OURS[kind](UNITS, return_sequences=True))
    outputs = numpy(layer(X, mask=PADDED))[0]
    for row, length in enumerate(PADDED.sum(1)):
        alone = numpy(layer.backward_layer(X[row : row + 1, :length][:, ::1]))
        np.testing.assert_allclose(
            outputs[row, :length, UNITS:], alone[0][0, ::-1], atol=1e-6
        )


@pytest.mark.parametrize("kind", OURS)
def test_later_inputs_cannot_be_seen(kind):
    layer, _ = both(kind, return_sequences=True)
    gradient = autodiff.grad(lambda x: ops.sum(layer(x)[:, 2]))(X)
    gradient = numpy(gradient)[0]
    assert np.all(gradient[:, 3:] == 0)
    assert np.all(np.any(gradient[:, :3] != 0, axis=(0, 2)))


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.compiled
def test_second_order_equals_keras(kind):
    ours, peer = both(kind, return_sequences=True)

    def penalty(layer):
        def inner(x):
            return ops.sum(ops.square(layer(x, mask=PADDED)))

        return lambda x: ops.sum(ops.square(autodiff.grad(inner)(x)))

    x = ops.convert_to_tensor(X)
    found, expected = (
        numpy(compiled(layer, autodiff.grad(penalty(layer)))(x))[0]
        for layer in (ours, peer)
    )
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(backend.name != "tensorflow", reason="only it has tapes")
@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.compiled
def test_gradient_by_a_tape(kind, training):
    """Which comes unannounced, where nothing was saved for it."""
    import tensorflow as tf

    gradients = []
    for layer in both(kind):
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(layer(X, mask=PADDED, training=training) ** 2)
        gradients.append(numpy(tape.gradient(value, layer.trainable_weights)))
    for found, expected in zip(*gradients, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.compiled
def test_stateful_goes_on(kind):
    layer, _ = both(kind, return_sequences=True)
    stateful = OURS[kind](UNITS, return_sequences=True, stateful=True)
    stateful.build((BATCH, 3, FEATURES))
    stateful.set_weights(layer.get_weights())
    halves = [numpy(stateful(part))[0] for part in (X[:, :3], X[:, 3:])]
    np.testing.assert_allclose(
        np.concatenate(halves, 1), numpy(layer(X))[0], atol=1e-6
    )


def keras_model():
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(7, FEATURES, mask_zero=True)(inputs)
    x = keras.layers.Bidirectional(
        keras.layers.LSTM(UNITS, return_sequences=True)
    )(x)
    x = keras.layers.GRU(UNITS, name="second")(x)
    return keras.Model(inputs, keras.layers.Dense(2)(x))


def test_fast_recurrent_replaces_and_shares_weight_files(tmp_path):
    model = keras_model()
    fast = fast_recurrent(model)
    kinds = [type(layer) for layer in fast.layers]
    assert GRU in kinds and type(fast.layers[2].backward_layer) is LSTM
    ids = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 1, 2]])
    expected = model.predict(ids, verbose=0)
    np.testing.assert_allclose(
        fast.predict(ids, verbose=0), expected, atol=1e-5
    )
    model.save_weights(tmp_path / "of_keras.weights.h5")
    other = fast_recurrent(keras_model())
    other.load_weights(tmp_path / "of_keras.weights.h5")
    np.testing.assert_allclose(
        other.predict(ids, verbose=0), expected, atol=1e-5
    )
    fast.save_weights(tmp_path / "ours.weights.h5")
    back = keras_model()
    back.load_weights(tmp_path / "ours.weights.h5")
    np.testing.assert_allclose(
        back.predict(ids, verbose=0), expected, atol=1e-5
    )


@pytest.mark.parametrize("kind", OURS)
def test_the_mask_comes_along_with_states(kind):
    layer, _ = both(kind)
    expected = layer(X, mask=PADDED, initial_state=initial(kind))
    found = layer(masked(X, PADDED), initial_state=initial(kind))
    np.testing.assert_allclose(*numpy([found, expected]), atol=1e-6)


@pytest.mark.compiled
def test_fast_recurrent_goes_into_models_and_wrappers():
    def nested():
        inputs = keras.Input((STEPS, FEATURES))
        lstm = keras.layers.LSTM(FEATURES, return_sequences=True)
        shared = keras.Sequential([inputs, lstm])
        functional = keras.Model(inputs, keras.layers.GRU(UNITS)(inputs))
        deep = keras.Sequential([inputs, shared, functional])
        half = keras.Input((STEPS // 2, FEATURES))
        two = keras.layers.Reshape((2, STEPS // 2, FEATURES))(inputs)
        each = keras.layers.TimeDistributed(keras.layers.GRU(UNITS))(two)
        many = keras.layers.TimeDistributed(
            keras.Sequential([half, keras.layers.LSTM(UNITS)])
        )(two)
        return keras.Model(inputs, [deep(inputs), lstm(inputs), each, many])

    model = nested()
    fast = fast_recurrent(model)
    kinds = [
        type(layer)
        for layer in fast._flatten_layers()
        if isinstance(layer, (keras.layers.LSTM, keras.layers.GRU))
    ]
    assert sorted(kinds, key=str) == [GRU, GRU, LSTM, LSTM]
    for a, b in zip(numpy(fast(X)), numpy(model(X)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def trained(optimizer):
    """A model of Keras after one epoch, and what it was trained on."""
    inputs = keras.Input((STEPS, FEATURES))
    x = keras.layers.LSTM(UNITS, name="read")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    model.compile(optimizer, loss="mse")
    data = X, normal(BATCH, 1, seed=1)
    model.fit(*data, batch_size=1, shuffle=False, verbose=0)
    return model, data


@pytest.mark.compiled("adam")
@pytest.mark.parametrize("kind", ["adam", "scaled", "schedule"])
def test_fast_recurrent_trains_on(kind):
    """The next steps are those of the original: moments, iterations, rate."""
    optimizer = keras.optimizers.Adam(0.05)
    if kind == "scaled":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    elif kind == "schedule":
        rate = keras.optimizers.schedules.CosineDecay(0.1, 8)
        optimizer = keras.optimizers.SGD(rate, momentum=0.9)
    model, data = trained(optimizer)
    if kind == "adam":
        model.optimizer.learning_rate = 0.02
    fast = fast_recurrent(model)
    for one in (model, fast):
        one.fit(*data, batch_size=1, shuffle=False, verbose=0)
    assert int(numpy(fast.optimizer.iterations)[0]) == 2 * BATCH
    for a, b in zip(fast.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_fast_recurrent_says_where_the_optimizer_begins_anew():
    model, _ = trained("adam")
    model.get_layer("read").trainable = False
    with pytest.warns(UserWarning, match="begins anew.*12 variables.*6 var"):
        fast = fast_recurrent(model)
    assert int(numpy(fast.optimizer.iterations)[0]) == 0
    # Frozen before it was compiled: all fits.
    model.compile("adam", loss="mse")
    assert len(fast_recurrent(model).trainable_variables) == 2


def test_fast_recurrent_refuses_what_it_cannot_copy():
    class Own(keras.Model):
        pass

    with pytest.raises(ValueError, match="`model` must be a functional"):
        fast_recurrent(Own())
    with pytest.raises(ValueError, match="`model` must be built"):
        fast_recurrent(keras.Sequential([keras.layers.LSTM(2)]))


@pytest.mark.skipif(backend.name != "torch", reason="elsewhere it always pays")
@pytest.mark.parametrize("kind", OURS)
def test_few_steps_of_a_large_layer_run_one_by_one(kind, kernel_calls):
    """Where the kernel has to transpose more than it computes."""
    layer = OURS[kind](200, return_sequences=True)
    x = ops.convert_to_tensor(normal(1, 9, 200))
    with torch.no_grad():
        step = layer(x[:, :1])
        assert not kernel_calls
        whole = layer(x)
    assert len(kernel_calls) == 1
    np.testing.assert_allclose(*numpy([step, whole[:, :1]]), atol=1e-6)
    layer(x[:, :1])
    assert len(kernel_calls) == 2  # With a gradient so few weights are cheap.
    larger = OURS[kind](300)
    larger(normal(1, 9, 200))
    assert len(kernel_calls) == 2
    larger(normal(1, 24, 200))
    larger(normal(2, 12, 200))
    assert len(kernel_calls) == 4
