"""Functions compiled by the backend, which read a model's variables."""

import keras
import numpy as np
import pytest
from keras import ops
from keras.ops import convert_to_numpy as array

from keras_dl import backend

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

    compiled = backend.compiled(model, function)
    for number in range(4):
        for weight in model.weights:
            weight.assign(number + weight)
        found, state = compiled(X, {"count": ops.convert_to_tensor(number)})
        np.testing.assert_allclose(array(found), array(model(X)), atol=1e-6)
        assert int(state["count"]) == number + 1


def test_other_shapes_and_nothing():
    model = dense()
    compiled = backend.compiled(
        model, lambda x, y: model(x) if y is None else model(x) + y
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

    loop = backend.compiled_loop(model, body)
    for _ in range(3):
        _, count, total = loop(
            ops.convert_to_tensor(True), ops.zeros((), "int32"), ops.zeros(())
        )
        assert int(count) == 5
        expected = 5 * array(model(X)).sum()
        np.testing.assert_allclose(array(total), expected, rtol=1e-5)


def test_a_loop_that_writes_to_its_state_leaves_what_came_in_alone():
    model = dense()
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
    loop = backend.compiled_loop(model, body)
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

    compiled = backend.compiled(dense(), function)
    x = ops.convert_to_tensor(X)
    for layout in (x, x, x.T.contiguous().T):
        np.testing.assert_array_equal(array(compiled(layout)), X.ravel())


@pytest.mark.skipif(backend.name != "torch", reason="compilers do it too")
def test_what_is_computed_several_times_is_left_in_once():
    from torch.profiler import profile

    model = dense()

    compiled = backend.compiled(
        model, lambda x: [model(x) * ops.arange(2.0) for _ in range(2)]
    )
    for _ in range(2):
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

    compiled = backend.compiled(model, function)
    x = np.ones((1, 50), "float32")
    for _ in range(3):
        first, second = map(array, compiled(x))
        assert (first != second).any()


@pytest.mark.skipif(
    backend.name == "tensorflow", reason="reads its variables where they are"
)
def test_it_follows_weights_that_are_replaced():
    model = dense()
    compiled = backend.compiled(model, lambda x: model(x))
    for number in range(3):
        values = [number + ops.copy(w.value) for w in model.weights]
        with backend.substituted(zip(model.weights, values, strict=True)):
            np.testing.assert_allclose(
                array(compiled(X)), array(model(X)), atol=1e-6
            )


@pytest.mark.skipif(backend.name != "torch", reason="others cannot at all")
@pytest.mark.parametrize("look", ["numpy", "tolist", "item", "bool"])
def test_a_function_that_looks_at_values_stays_as_it_is(look):
    model = dense()

    def function(x):
        if look == "bool":
            return x if x.sum() > 0 else -x
        value = getattr(x.sum(), look)()
        return x * float(value)

    compiled = backend.compiled(model, function)
    for sign in (1, 1, -1, 1):
        x = ops.convert_to_tensor(sign * X)
        np.testing.assert_allclose(array(compiled(x)), array(function(x)))


def test_errors_come_through():
    model = dense()
    compiled = backend.compiled(model, lambda x: model(x))
    for _ in range(3):
        with pytest.raises(ValueError, match="incompatible"):
            compiled(np.ones((2, 3), "float32"))
