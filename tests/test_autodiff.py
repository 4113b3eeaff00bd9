import keras
import numpy as np
import pytest
from keras import layers, ops
from trainers import network, normal

import keras_dl
from keras_dl import grad, substitute, value_and_grad, variable_gradients

pytestmark = pytest.mark.compiled


def numpy(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def score(x, w):
    """A smooth scalar function, in whatever `ops` or NumPy is given."""
    xp = np if isinstance(x, np.ndarray) else ops
    return xp.sum(xp.tanh(x @ w) ** 3) + xp.sum(xp.exp(0.3 * x))


def central_difference(fn, x, step=1e-5):
    """The gradient of `fn` by finite differences, in float64."""
    x = x.astype("float64")
    result = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        result[i] = (fn(up) - fn(down)) / (2 * step)
    return result


X, W = normal(3, 4), normal(4, 2)
X64, W64 = X.astype("float64"), W.astype("float64")


def test_first_order_equals_float64_finite_differences():
    value, (by_x, by_w) = value_and_grad(score, argnums=(0, 1))(X, W)
    expected = central_difference(lambda x: score(x, W64), X)
    np.testing.assert_allclose(numpy(value), score(X64, W64), rtol=1e-6)
    np.testing.assert_allclose(numpy(by_x), expected, rtol=1e-5, atol=1e-6)
    expected = central_difference(lambda w: score(X64, w), W)
    np.testing.assert_allclose(numpy(by_w), expected, rtol=1e-5, atol=1e-6)


def test_second_order_equals_float64_finite_differences():
    def norm(x, w):
        return ops.sum(ops.square(grad(score)(x, w)))

    def slope(x, w):  # of `score` by x, by hand
        t = np.tanh(x @ w)
        return (3 * t**2 * (1 - t**2)) @ w.T + 0.3 * np.exp(0.3 * x)

    by_x, by_w = grad(norm, argnums=(0, 1))(X, W)
    expected = central_difference(lambda x: np.sum(slope(x, W64) ** 2), X)
    np.testing.assert_allclose(numpy(by_x), expected, rtol=1e-4, atol=1e-5)
    expected = central_difference(lambda w: np.sum(slope(X64, w) ** 2), W)
    np.testing.assert_allclose(numpy(by_w), expected, rtol=1e-4, atol=1e-5)


def test_third_order():
    third = grad(grad(grad(lambda x: x**4)))
    assert float(third(2.0)) == pytest.approx(48.0)


def test_structures_keep_their_shape():
    def fn(parts, factor):
        return factor * ops.sum(parts["a"] * parts["b"][0])

    parts = {"a": np.float32([1, 2]), "b": (np.float32([3, 4]),)}
    result = grad(fn)(parts, factor=2.0)
    np.testing.assert_allclose(numpy(result["a"]), [6, 8])
    np.testing.assert_allclose(numpy(result["b"][0]), [2, 4])


def test_aux_comes_beside_the_value():
    def fn(x):
        return ops.sum(x**2), {"twice": 2 * x, "label": "kept", "none": None}

    (value, aux), slope = value_and_grad(fn, has_aux=True)(np.float32([3.0]))
    assert float(value) == 9.0
    assert float(aux["twice"][0]) == 6.0
    assert aux["label"] == "kept"
    assert float(slope[0]) == 6.0


def test_an_argument_that_does_not_matter_has_gradient_zero():
    gradients = grad(lambda x, y: ops.sum(x), argnums=(0, 1))(X, W)
    assert numpy(gradients[1]).shape == W.shape
    assert not numpy(gradients[1]).any()


def test_stop_gradient_stops():
    slope = grad(lambda x: ops.sum(ops.stop_gradient(x) * x))(X)
    np.testing.assert_allclose(numpy(slope), X)


def test_variable_gradients_equal_those_by_tensors():
    net = network(5, inputs=4, outputs=1)
    kernel, *rest = net.trainable_variables

    def loss():
        return ops.mean(ops.square(net(X)))

    value, gradients = variable_gradients(loss, net.trainable_variables)

    def loss_of(first):
        with substitute([kernel], [first]):
            return loss()

    expected = grad(loss_of)(ops.convert_to_tensor(kernel))
    np.testing.assert_allclose(numpy(gradients[0]), numpy(expected), rtol=1e-5)
    np.testing.assert_allclose(numpy(value), numpy(loss()), rtol=1e-6)
    assert len(gradients) == len(rest) + 1
    assert all(numpy(g).any() for g in gradients)


def test_embedding_gradients_are_dense():
    embedding = layers.Embedding(5, 3)
    embedding.build()
    _, (gradient,) = variable_gradients(
        lambda: ops.sum(embedding(np.array([1, 1, 3]))),
        embedding.trainable_variables,
    )
    np.testing.assert_allclose(numpy(gradient)[:, 0], [0, 2, 0, 1, 0])


def test_state_written_inside_survives():
    norm = layers.BatchNormalization(momentum=0.5)
    dropout = layers.Dropout(0.5, seed=3)
    mean = keras.metrics.Mean()
    norm.build(X.shape)

    def inner(x):
        return ops.sum(dropout(norm(x, training=True), training=True) ** 2)

    def outer():
        mean.update_state(2.0)
        return ops.sum(grad(inner)(ops.convert_to_tensor(X)) ** 2)

    before = numpy(dropout.seed_generator.state).copy()
    variable_gradients(outer, [norm.gamma])
    np.testing.assert_allclose(
        numpy(norm.moving_mean), 0.5 * X.mean(axis=0), rtol=1e-5
    )
    assert (numpy(dropout.seed_generator.state) != before).any()
    assert float(mean.result()) == 2.0


def test_dropout_draws_anew_in_each_nested_call():
    dropout = layers.Dropout(0.5, seed=3)
    x = np.ones((64,), "float32")

    def mask(x):
        return grad(lambda t: ops.sum(dropout(t, training=True)))(x)

    masks = [numpy(mask(x)) for _ in range(2)]
    assert (masks[0] != masks[1]).any()


class TestSubstitute:
    def test_variables_read_as_the_values_and_come_back(self):
        layer = layers.Dense(2, use_bias=False)
        layer.build((None, 4))
        before = numpy(layer.kernel).copy()
        with substitute([layer.kernel], [W]):
            np.testing.assert_allclose(numpy(layer(X)), X @ W, rtol=1e-5)
            with substitute([layer.kernel], [2 * W]):
                np.testing.assert_allclose(numpy(layer(X)), 2 * X @ W, 1e-5)
            np.testing.assert_allclose(numpy(layer(X)), X @ W, rtol=1e-5)
        np.testing.assert_array_equal(numpy(layer.kernel), before)

    def test_writes_to_other_variables_survive_those_to_these_do_not(self):
        first = keras.Variable([1.0])
        second = keras.Variable([1.0])
        with substitute([first], [np.float32([5.0])]):
            first.assign_add([1.0])
            second.assign(first)
        assert numpy(first)[0] == 1.0
        assert numpy(second)[0] == 6.0

    def test_regularizers_see_the_values(self):
        net = keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(2, kernel_regularizer="l2", use_bias=False),
                layers.Dense(1, kernel_regularizer="l2", use_bias=False),
            ]
        )
        first, second = net.trainable_variables
        with substitute([first], [W]):
            total = sum(numpy(loss) for loss in net.losses)
        expected = 0.01 * (np.sum(W**2) + np.sum(numpy(second) ** 2))
        assert total == pytest.approx(expected, rel=1e-5)

    def test_add_loss_is_seen_inside(self):
        layer = layers.ActivityRegularization(l2=0.5)
        other = keras.Variable([1.0])
        with substitute([other], [np.float32([2.0])]):
            layer(np.float32([[3.0]]))
            assert numpy(sum(layer.losses)) == pytest.approx(4.5)

    def test_an_error_inside_changes_nothing(self):
        first, second = keras.Variable([1.0]), keras.Variable([1.0])
        with (
            pytest.raises(RuntimeError),
            substitute([first], [np.float32([5.0])]),
        ):
            second.assign([7.0])
            raise RuntimeError
        assert numpy(second)[0] == 1.0
        assert numpy(first)[0] == 1.0


def test_maml_gradient_has_its_closed_form():
    # Inner loss (w - 3)^2 / 2 with rate 0.1 takes w = 1 to 1.2; the outer
    # loss (w' - 2)^2 / 2 then has the slope -0.8 by w' and -0.72 by w.
    w = keras.Variable(1.0)

    def adapted(exact):
        _, (slope,) = variable_gradients(lambda: 0.5 * (w - 3.0) ** 2, [w])
        slope = slope if exact else ops.stop_gradient(slope)
        with substitute([w], [w - 0.1 * slope]):
            return 0.5 * (w - 2.0) ** 2

    _, (exact,) = variable_gradients(lambda: adapted(True), [w])
    _, (first_order,) = variable_gradients(lambda: adapted(False), [w])
    assert float(numpy(exact)) == pytest.approx(-0.72, rel=1e-5)
    assert float(numpy(first_order)) == pytest.approx(-0.8, rel=1e-5)


def test_what_is_computed_outside_is_a_constant():
    w = keras.Variable(3.0)

    def outer():
        outside = w * 1.0
        _, (inner,) = variable_gradients(lambda: outside * w, [w])
        return inner

    # The inner gradient is `outside` = w, not 2 w; its own slope is 1.
    value, (slope,) = variable_gradients(outer, [w])
    assert float(numpy(value)) == 3.0
    assert float(numpy(slope)) == 1.0


def test_fused_attention_has_a_second_order():
    attention = layers.MultiHeadAttention(2, 4)
    x = normal(2, 3, 8)
    attention.build(x.shape, x.shape)

    def norm(x):
        slope = grad(lambda t: ops.sum(attention(t, t) ** 2))(x)
        return ops.sum(slope**2)

    _, gradients = variable_gradients(
        lambda: norm(ops.convert_to_tensor(x)),
        [attention.query_dense.kernel, attention.value_dense.kernel],
    )
    assert all(numpy(g).any() for g in gradients)


class TestErrors:
    def test_not_a_scalar(self):
        with pytest.raises(ValueError, match=r"scalar.*shape \(3, 4\)"):
            grad(lambda x: x)(X)

    def test_nothing_returned(self):
        with pytest.raises(ValueError, match="returned None"):
            grad(lambda x: None)(X)

    def test_integers(self):
        with pytest.raises(TypeError, match="floating-point.*int"):
            grad(lambda x: ops.sum(x))(np.array([1, 2]))
        with pytest.raises(TypeError, match="floating-point scalar"):
            grad(lambda x: ops.argmax(x))(np.float32([1, 2]))

    def test_argnums(self):
        with pytest.raises(TypeError, match="argnums"):
            grad(score, argnums="x")
        with pytest.raises(ValueError, match="argument 2.*2 positional"):
            grad(score, argnums=2)(X, W)

    def test_aux_missing(self):
        with pytest.raises(ValueError, match="pair"):
            grad(lambda x: ops.sum(x), has_aux=True)(X)

    def test_no_variable_is_connected(self):
        w = keras.Variable(1.0, name="lonely")
        with pytest.raises(ValueError, match="none of the variables.*lonely"):
            variable_gradients(lambda: ops.sum(X), [w])

    def test_some_variables_are_not_connected(self):
        v, w = keras.Variable(1.0), keras.Variable(1.0, name="lonely")
        with pytest.warns(UserWarning, match="lonely"):
            _, gradients = variable_gradients(lambda: 2.0 * v, [v, w])
        assert [float(g) for g in gradients] == [2.0, 0.0]
        with pytest.warns(UserWarning, match="lonely"):
            _, gradients = variable_gradients(
                lambda: 2.0 * v, [v, w], unconnected="none"
            )
        assert gradients[1] is None

    def test_variables(self):
        with pytest.raises(ValueError, match="empty"):
            variable_gradients(lambda: 1.0, [])
        with pytest.raises(TypeError, match=r"keras\.Variable"):
            variable_gradients(lambda: 1.0, [X])
        with pytest.raises(ValueError, match="unconnected"):
            variable_gradients(lambda: 1.0, [X], unconnected="some")

    def test_substitute(self):
        w = keras.Variable(np.zeros((2, 3)), name="kernel")
        with pytest.raises(ValueError, match=r"kernel.*\(2, 3\).*\(3, 4\)"):
            substitute([w], [X])
        with pytest.raises(ValueError, match="2 values for 1"):
            substitute([w], [X, X])


def test_public_names_are_the_functions():
    assert keras_dl.grad is grad
    assert keras_dl.substitute is substitute
