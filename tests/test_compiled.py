"""Functions compiled by the backend, which read a model's variables."""

import keras
import numpy as np
import pytest
from keras import ops
from keras.ops import convert_to_numpy as array

import keras_dl
from keras_dl import backend, layers

pytestmark = pytest.mark.compiled

X = np.array([[1.0, -2.0], [3.0, 4.0]], "float32")


def dense():
    model = keras.Sequential([keras.layers.Dense(2, activation="tanh")])
    model.build((None, 2))
    return model


def test_it_follows_every_weight():
    model = dense()

    def function(x, state):
        return model(x), {"count": state["count"] + 1}

    compiled = backend.compiled(function)
    for number in range(4):
        for weight in model.weights:
            weight.assign(number + weight)
        found, state = compiled(X, {"count": ops.convert_to_tensor(number)})
        np.testing.assert_allclose(array(found), array(model(X)), atol=1e-6)
        assert int(state["count"]) == number + 1


def test_other_shapes_and_nothing():
    model = dense()
    compiled = backend.compiled(
        lambda x, y: model(x) if y is None else model(x) + y
    )
    for _ in range(3):
        for x, y in ((X, None), (X, X), (X[:1], None)):
            expected = array(model(x)) + (0 if y is None else y)
            found = array(compiled(x, y))
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_loop():
    model = dense()

    def body(goes_on, count, total):
        total = total + ops.sum(model(X))
        return count + 1 < 5, count + 1, total

    loop = backend.compiled_loop(body)
    for _ in range(3):
        _, count, total = loop(
            ops.convert_to_tensor(True), ops.zeros((), "int32"), ops.zeros(())
        )
        assert int(count) == 5
        expected = 5 * array(model(X)).sum()
        np.testing.assert_allclose(array(total), expected, rtol=1e-5)


def test_a_loop_that_writes_to_its_state_leaves_what_came_in_alone():
    rows, parts = ops.zeros((2, 6, 2)), ops.convert_to_tensor(X)[:, None]

    def body(goes_on, count, rows, kept):
        kept = kept + ops.sum(rows)  # Read before it is written to.
        part = ops.cast(count + 1, "float32") * parts
        rows = backend.write_at(rows, part, count)
        other = backend.write_at(rows, parts, 5)
        return count + 1 < 4, count + 1, rows, kept + ops.sum(other)

    def begin():
        true = ops.convert_to_tensor(True)
        return true, ops.zeros((), "int32"), rows, ops.zeros(())

    state = begin()
    while state[0]:
        state = body(*state)
    loop = backend.compiled_loop(body)
    for _ in range(3):
        found = loop(*begin())
        for a, b in zip(found[1:], state[1:], strict=True):
            np.testing.assert_allclose(array(a), array(b), rtol=1e-5)
        assert not array(rows).any()


@pytest.mark.skipif(backend.name != "torch", reason="others have no strides")
def test_a_recorded_function_reads_any_layout():
    import torch

    def function(x):
        return torch.as_strided(x.contiguous(), (4,), (1,))

    compiled = backend.compiled(function)
    x = ops.convert_to_tensor(X)
    for layout in (x, x, x.T.contiguous().T):
        np.testing.assert_array_equal(array(compiled(layout)), X.ravel())


@pytest.mark.skipif(backend.name != "torch", reason="compilers do it too")
def test_what_is_computed_several_times_is_left_in_once():
    from torch.profiler import profile

    model = dense()

    compiled = backend.compiled(
        lambda x: [model(x) * ops.arange(2.0) for _ in range(2)]
    )
    for _ in range(3):
        compiled(X)
    with profile() as found:
        first, second = compiled(X)
    counts = {event.key: event.count for event in found.key_averages()}
    assert counts["aten::tanh"] == 1
    np.testing.assert_array_equal(array(first), array(second))


def test_what_is_drawn_twice_differs():
    model = keras.Sequential([keras.layers.Dropout(0.5, seed=0)])

    def function(x):
        return [model(x, training=True) for _ in range(2)]

    compiled = backend.compiled(function)
    x = np.ones((1, 50), "float32")
    for _ in range(3):
        first, second = map(array, compiled(x))
        assert (first != second).any()


def test_it_follows_weights_that_are_replaced():
    model = dense()
    compiled = backend.compiled(lambda x: model(x))
    for number in range(3):
        values = [number + ops.copy(w.value) for w in model.weights]
        with backend.substituted(zip(model.weights, values, strict=True)):
            np.testing.assert_allclose(
                array(compiled(X)), array(model(X)), atol=1e-6
            )


@pytest.mark.skipif(backend.name != "torch", reason="others cannot at all")
@pytest.mark.parametrize("look", ["numpy", "tolist", "item", "bool"])
def test_a_function_that_looks_at_values_stays_as_it_is(look):

    def function(x):
        if look == "bool":
            return x if x.sum() > 0 else -x
        value = getattr(x.sum(), look)()
        return x * float(value)

    compiled = backend.compiled(function)
    for sign in (1, 1, -1, 1):
        x = ops.convert_to_tensor(sign * X)
        np.testing.assert_allclose(array(compiled(x)), array(function(x)))


@pytest.mark.skipif(backend.name != "torch", reason="others have no aliases")
def test_an_alias_whose_shape_is_changed_in_place():
    weight = keras.Variable([1.0, 2.0])

    def function(x):
        alias = weight.value.detach()
        return x + alias.unsqueeze_(0)

    compiled = backend.compiled(function)
    with backend.own_step():
        for _ in range(5):
            np.testing.assert_array_equal(array(compiled(X)), X + [[1.0, 2.0]])
    assert tuple(weight.value.shape) == (2,)


@pytest.mark.skipif(backend.name != "torch", reason="a module of PyTorch")
def test_statistics_of_a_module_of_pytorch_move_each_time():
    import torch

    norm = torch.nn.BatchNorm1d(2, affine=False)
    peer = torch.nn.BatchNorm1d(2, affine=False)

    def twice(norm):
        def call(x):
            return norm(x) + norm(x)

        return call

    compiled = backend.compiled(twice(norm))
    with torch.no_grad():
        for _ in range(5):
            compiled(X)
            twice(peer)(torch.tensor(X))
    np.testing.assert_array_equal(norm.running_mean, peer.running_mean)
    np.testing.assert_array_equal(norm.running_var, peer.running_var)


def test_errors_come_through():
    model = dense()
    compiled = backend.compiled(lambda x: model(x))
    for _ in range(3):
        with pytest.raises(ValueError, match="incompatible"):
            compiled(np.ones((2, 3), "float32"))


# The public function: of any variables, which it may write to.


def test_it_finds_the_variables_by_itself():
    first, second = dense(), dense()

    @keras_dl.compiled
    def function(x):
        return first(x) + second(x)

    for number in range(4):
        for weight in (*first.weights, *second.weights):
            weight.assign(0.1 * number + weight)
        expected = array(first(X)) + array(second(X))
        np.testing.assert_allclose(array(function(X)), expected, atol=1e-6)


def test_variables_that_show_up_later():
    first, second = dense(), dense()

    @keras_dl.compiled
    def function(x):
        return first(x) if x.shape[0] == 2 else first(x) + second(x)

    for number in range(4):
        for weight in (*first.weights, *second.weights):
            weight.assign(0.1 * number + weight)
        for x in (X, X[:1]):
            expected = array(first(x)) + (len(x) == 1) * array(second(x))
            np.testing.assert_allclose(array(function(x)), expected, atol=1e-6)


def test_what_it_writes_is_written():
    """Statistics, metrics and seeds, once in each call."""
    norm, mean = layers.BatchNormalization(), keras.metrics.Mean()
    seed = keras.random.SeedGenerator(3)
    norm.build((None, 2))

    @keras_dl.compiled
    def function(x):
        noise = keras.random.uniform((), seed=seed)
        mean.update_state(ops.mean(x))
        return norm(x, training=True), noise

    drawn = set()
    for number in range(1, 5):
        _, noise = function(X)
        drawn.add(float(noise))
        assert float(array(mean.count)) == number
        share = 1.0 - 0.99**number
        np.testing.assert_allclose(
            array(norm.moving_mean), share * X.mean(0), rtol=1e-4
        )
    assert len(drawn) == 4


def test_a_count_goes_on():
    """Nothing but the write forbids to record this on PyTorch."""
    count = keras.Variable(0.0)

    @keras_dl.compiled
    def function(x):
        count.assign_add(1.0)
        return x + count

    for number in range(1, 5):
        np.testing.assert_allclose(array(function(X)), X + number)
        assert float(array(count)) == number


def test_gradients_inside_and_through():
    model = dense()

    def slope(x):
        return keras_dl.grad(lambda x: ops.sum(model(x) ** 2))(x)

    quick, x = keras_dl.compiled(slope), ops.convert_to_tensor(X)
    for _ in range(3):
        np.testing.assert_allclose(array(quick(x)), array(slope(x)), atol=1e-6)
    outer = [
        keras_dl.grad(lambda x, f=f: ops.sum(f(x) ** 3))(x)
        for f in (quick, slope)
    ]
    np.testing.assert_allclose(*map(array, outer), atol=1e-4)
    _, (kernel, _) = keras_dl.variable_gradients(
        lambda: ops.sum(quick(x)), model.weights
    )
    assert np.abs(array(kernel)).max() > 0.1


def test_inside_keras_own_fit():
    """Its step differentiates through it, which nobody says on PyTorch."""

    class Plain(keras.Model):
        def __init__(self, wrap):
            super().__init__()
            self.inner = dense()
            self.inner.set_weights([0.5 * np.eye(2), np.ones(2)])
            self.part = wrap(lambda x: self.inner(x))

        def call(self, x):
            return self.part(x)

    def trained(wrap):
        model = Plain(wrap)
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(X, X, epochs=4, batch_size=2, shuffle=False, verbose=0)
        return model.inner.get_weights()

    pairs = zip(trained(keras_dl.compiled), trained(lambda f: f), strict=True)
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(expected - 1.0).min() > 1e-3  # The biases have moved.


def test_inside_a_layer_of_half_precision():
    """What it reads there is rounded, and must not be written back."""
    weight = keras.Variable(1.0009765625)

    class Scaled(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight((), "ones")
            self.scale.assign(1.0009765625)
            self.run = keras_dl.compiled(lambda x: x * self.scale * weight)

        def call(self, x):
            return self.run(x)

    layer = Scaled(dtype="mixed_bfloat16")
    for _ in range(3):
        layer(X)
    assert float(array(layer.scale)) == float(array(weight)) == 1.0009765625


def test_second_order_through_a_recurrent_layer():
    """What is compiled for one order is not taken for another."""
    layer = keras_dl.layers.LSTM(3)
    x = ops.convert_to_tensor(np.stack([X, X + 1.0], 1))
    layer.build(x.shape)

    def slope(function):
        return keras_dl.grad(lambda x: ops.sum(function(x) ** 2))

    def second(function):
        return slope(slope(function))(x)

    quick = keras_dl.compiled(lambda x: layer(x))
    for _ in range(2):
        quick(x)
        slope(quick)(x)
    np.testing.assert_allclose(
        array(second(quick)), array(second(layer)), atol=1e-5
    )


def test_the_number_in_a_variable():
    """It is looked at in each call, or cannot be where that is impossible."""
    variable = keras.Variable(2.0, trainable=False)

    @keras_dl.compiled
    def function(x):
        return x * float(variable)

    for number in (2.0, 3.0, 4.0):
        variable.assign(number)
        try:
            found = function(X)
        except TypeError:  # A tracer has no value, and says so.
            assert backend.name != "torch"
            return
        np.testing.assert_allclose(array(found), number * X)


@pytest.mark.skipif(backend.name != "jax", reason="others say it themselves")
def test_variables_made_inside_are_refused():
    function = keras_dl.compiled(lambda x: keras.layers.Dense(2)(x))
    with pytest.raises(ValueError, match="cannot make variables.*kernel"):
        function(X)


def test_inside_a_trainer():
    model = dense()
    quick = keras_dl.compiled(lambda x: ops.sum(model(x)))

    class Falls(keras_dl.Trainer):
        def training_step(self, x):
            return {"loss": self.minimize(lambda: quick(x))}

    trainer = Falls(model)
    trainer.compile(keras.optimizers.SGD(0.1))
    losses = trainer.fit(X, epochs=3, verbose=0).history["loss"]
    assert losses[2] < losses[1] < losses[0]


def test_it_is_no_function():
    with pytest.raises(TypeError, match="`function` must be callable"):
        keras_dl.compiled(3)


def test_it_is_another_one_within_a_layer_of_half_precision():
    """Recorded outside, it is not taken for what it does inside."""
    weight = keras.Variable(1.0009765625)
    run = keras_dl.compiled(lambda x: x + ops.cast(weight.value, "float32"))

    class Shifted(keras.layers.Layer):
        def call(self, x):
            return run(ops.cast(x, "float32"))

    layer = Shifted(dtype="mixed_bfloat16")
    for _ in range(4):
        outside = array(run(ops.zeros((1,))))
        np.testing.assert_array_equal(outside, [1.0009765625])
        np.testing.assert_array_equal(array(layer(ops.zeros((1,)))), [1.0])
