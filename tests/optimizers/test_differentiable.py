"""Updates as functions: those of Keras' optimizers, and differentiable."""

import keras
import numpy as np
import pytest
from keras import ops
from sequences import normal, numpy

from keras_dl import autodiff
from keras_dl.optimizers import DifferentiableUpdate

OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.1),
    "adam": lambda: keras.optimizers.Adam(0.1, beta_1=0.5),
    "scheduled": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    ),
}
START = [normal(3), normal(2, 2)]
GRADIENTS = [[normal(3, seed=i), normal(2, 2, seed=i)] for i in range(1, 6)]


def applied(make, steps):
    """A Keras optimizer after some steps, and its variables."""
    optimizer, variables = make(), [keras.Variable(v) for v in START]
    optimizer.build(variables)
    for gradients in GRADIENTS[:steps]:
        gradients = [ops.convert_to_tensor(g) for g in gradients]
        optimizer.apply(gradients, variables)
    return optimizer, variables


@pytest.mark.parametrize("name", set(OPTIMIZERS) - {"scheduled"})
def test_equals_the_optimizer_from_the_start(name):
    update = DifferentiableUpdate(OPTIMIZERS[name]())
    values = [ops.convert_to_tensor(v) for v in START]
    state = update.initial_state(values)
    for gradients in GRADIENTS:
        values, state = update(values, gradients, state)
    _, expected = applied(OPTIMIZERS[name], 5)
    for actual, variable in zip(numpy(values), expected, strict=True):
        np.testing.assert_allclose(actual, numpy(variable)[0], atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_goes_on_where_the_optimizer_is(name):
    optimizer, variables = applied(OPTIMIZERS[name], 3)
    update = DifferentiableUpdate(optimizer)
    values, state = update(
        [ops.convert_to_tensor(v) for v in variables],
        GRADIENTS[3],
        update.current_state(variables),
    )
    _, expected = applied(OPTIMIZERS[name], 4)
    for actual, variable in zip(numpy(values), expected, strict=True):
        np.testing.assert_allclose(actual, numpy(variable)[0], atol=1e-6)
    assert float(state[0]) == 4.0
    np.testing.assert_array_equal(
        numpy(variables[0]), numpy(applied(OPTIMIZERS[name], 3)[1][0])
    )


@pytest.mark.parametrize("name", set(OPTIMIZERS) - {"scheduled"})
@pytest.mark.compiled("adam")
def test_gradients_flow_through_two_updates(name):
    """Beside differences; one weight never has a gradient."""
    update = DifferentiableUpdate(OPTIMIZERS[name]())
    scale = ops.convert_to_tensor(np.array([1.0, 2.0, 0.0], "float32"))

    def after(w):
        values, state = [w], update.initial_state([w])
        for _ in range(2):
            slope = autodiff.grad(lambda v: ops.sum(ops.sin(v) * scale))
            values, state = update(values, [slope(values[0])], state)
        return ops.sum(ops.square(values[0]))

    slopes = numpy(autodiff.grad(after)(ops.convert_to_tensor(START[0])))[0]
    for i in range(3):
        moved = [START[0].copy(), START[0].copy()]
        moved[0][i] += 1e-2
        moved[1][i] -= 1e-2
        ends = [float(after(ops.convert_to_tensor(m))) for m in moved]
        assert slopes[i] == pytest.approx((ends[0] - ends[1]) / 2e-2, abs=5e-3)


def test_scaled_and_named_optimizers():
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.3))
    assert DifferentiableUpdate(scaled).optimizer.learning_rate == 0.3
    assert isinstance(
        DifferentiableUpdate("adam").optimizer, keras.optimizers.Adam
    )


@pytest.mark.parametrize(
    ("optimizer", "complaint"),
    [
        (keras.optimizers.Adagrad(), "`optimizer` must be one of"),
        (keras.optimizers.Adam(clipnorm=1.0), "clipnorm"),
        (keras.optimizers.AdamW(), "weight_decay"),
        (keras.optimizers.Adam(amsgrad=True), "amsgrad"),
        (keras.optimizers.SGD(use_ema=True), "use_ema"),
        (keras.optimizers.RMSprop(momentum=0.9), "momentum"),
        (keras.optimizers.RMSprop(centered=True), "centered"),
    ],
)
def test_others_are_refused(optimizer, complaint):
    with pytest.raises(ValueError, match=complaint):
        DifferentiableUpdate(optimizer)
