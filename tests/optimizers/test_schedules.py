"""Learning rate schedules, update by update."""

import keras
import numpy as np
import pytest

from keras_dl.applications import MLP
from keras_dl.optimizers import ConstantThenLinear, LinearWarmupDecay, Noam
from keras_dl.testing import check_optimizer
from keras_dl.training import SupervisedTrainer

SCHEDULES = [
    Noam(d_model=4, warmup_steps=3, factor=0.5),
    LinearWarmupDecay(0.2, total_steps=7, warmup_steps=3, end=0.01),
    ConstantThenLinear(0.2, constant_steps=3, decay_steps=4, end=0.01),
]


def rates(schedule, updates):
    """The rates of these updates, counted from 1."""
    return np.array([float(schedule(update - 1)) for update in updates])


@pytest.mark.parametrize(
    ("d_model", "update", "golden"),
    [
        (512, 1, 1.746928107e-07),
        (512, 100, 1.746928107e-05),
        (512, 4000, 6.987712430e-04),
        (512, 16000, 3.493856215e-04),
        (512, 100000, 1.397542486e-04),
        (1024, 4000, 4.941058844e-04),
    ],
)
def test_noam_golden_rates(d_model, update, golden):
    for factor in (1.0, 2.0):
        actual = rates(Noam(d_model, factor=factor), [update])
        np.testing.assert_allclose(actual, factor * golden, rtol=1e-7)


def test_noam_is_the_formula_and_peaks_after_the_warmup():
    t = np.array([1, 2, 5, 9, 10, 11, 500, 10**6, 2 * 10**7])
    actual = rates(Noam(64, warmup_steps=10, factor=3), t)
    expected = 3 * 64**-0.5 * np.minimum(t**-0.5, t * 10**-1.5)
    np.testing.assert_allclose(actual, expected, rtol=3e-7)
    assert np.argmax(actual) == 4


@pytest.mark.parametrize("warmup_steps", [0, 1, 10, 99])
def test_linear_warmup_decay(warmup_steps):
    schedule = LinearWarmupDecay(3e-4, 100, warmup_steps, end=1e-5)
    t = np.array([1, 2, 9, 10, 11, 50, 98, 99, 100, 101, 10**6])
    corners = [0, warmup_steps, 100] if warmup_steps else [0, 100]
    values = [0.0, 3e-4, 1e-5] if warmup_steps else [3e-4, 1e-5]
    expected = np.interp(t, corners, values)
    np.testing.assert_allclose(rates(schedule, t), expected, rtol=2e-6)
    assert rates(schedule, [1]) > 0


@pytest.mark.parametrize("constant_steps", [0, 10])
def test_constant_then_linear(constant_steps):
    schedule = ConstantThenLinear(2e-4, constant_steps, 20, end=1e-6)
    t = np.array([1, 2, 9, 10, 11, 19, 20, 21, 29, 30, 31, 10**6])
    expected = np.interp(t, [constant_steps, constant_steps + 20], [2e-4, 1e-6])
    np.testing.assert_allclose(rates(schedule, t), expected, rtol=2e-6)


def test_they_end_at_zero():
    for schedule in (
        LinearWarmupDecay(1.0, 9, 3),
        ConstantThenLinear(1.0, 4, 5),
    ):
        np.testing.assert_array_equal(rates(schedule, [9, 10, 99]), 0.0)
        assert rates(schedule, [8]) > 0


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
@pytest.mark.compiled("Noam")
def test_each_update_of_a_compiled_fit_has_its_rate(schedule, tmp_path):
    """With a gradient of 1, SGD moves a weight by the rate."""
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False)]
    )
    model.compile(keras.optimizers.SGD(schedule), loss=_mean)
    path = [float(model.get_weights()[0].squeeze())]
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: path.append(
            float(model.get_weights()[0].squeeze())
        )
    )
    x = np.ones((1, 1), "float32")
    model.fit(x, x, epochs=5, callbacks=[note], verbose=0)
    expected = rates(schedule, range(1, 6))
    np.testing.assert_allclose(-np.diff(path), expected, rtol=1e-4)

    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    before = copy.get_weights()[0]
    copy.train_on_batch(x, x)
    moved = (before - copy.get_weights()[0])[0]
    np.testing.assert_allclose(moved, rates(schedule, [6]), rtol=1e-4)
    restored = copy.optimizer.get_config()["learning_rate"]["config"]
    assert restored == schedule.get_config()


@keras.saving.register_keras_serializable("keras_dl_tests")
def _mean(y_true, y_pred):
    return keras.ops.mean(y_pred) + 0.0 * keras.ops.mean(y_true)


@pytest.mark.parametrize("kind", SCHEDULES, ids=lambda s: type(s).__name__)
@pytest.mark.compiled("Noam")
def test_batches_whose_gradients_are_added_up_are_one_update(kind):
    schedule = type(kind).from_config(
        {**kind.get_config(), "gradient_accumulation_steps": 2}
    )
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False)]
    )
    model.compile(
        keras.optimizers.SGD(schedule, gradient_accumulation_steps=2),
        loss=_mean,
    )
    path = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: path.append(
            float(model.get_weights()[0].squeeze())
        )
    )
    x = np.ones((4, 1), "float32")
    model.fit(x, x, batch_size=2, epochs=6, callbacks=[note], verbose=0)
    np.testing.assert_allclose(
        -np.diff(path), rates(kind, range(1, 6)), rtol=1e-4
    )


@pytest.mark.parametrize("given", [None, 3])
def test_a_schedule_that_counts_otherwise_is_refused(given):
    schedule = Noam(8, 4, gradient_accumulation_steps=given)
    optimizer = keras.optimizers.Adam(schedule, gradient_accumulation_steps=2)
    message = f"2 batches.*Noam\\(gradient_accumulation_steps={given}\\)"
    model = MLP((2,), task="regression")
    trainer = SupervisedTrainer(model)
    for compile_with, one in (
        (model.compile, optimizer),
        (trainer.compile, optimizer),
        (trainer.compile, {"network": optimizer}),
    ):
        with pytest.raises(ValueError, match=message):
            compile_with(one)
    # Keras' own schedules stay what they are.
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    model.compile(keras.optimizers.SGD(decay, gradient_accumulation_steps=2))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_contract(schedule):
    config = keras.saving.serialize_keras_object(schedule)
    assert config["registered_name"].startswith("keras_dl>")
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == schedule.get_config()
    check_optimizer(lambda: keras.optimizers.SGD(schedule), steps=10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Noam(0), "`d_model`.*at least 1.*d_model=0"),
        (lambda: Noam(8, 0), "`warmup_steps`.*at least 1.*=0"),
        (lambda: Noam(8, 2.5), "`warmup_steps`.*integer.*=2.5"),
        (lambda: Noam(8, factor=0), "`factor`.*above 0.*=0"),
        (lambda: Noam(8, factor=np.nan), "`factor`.*finite.*=nan"),
        (lambda: Noam(8, factor=True), "`factor`.*number.*=True"),
        (lambda: Noam(8, factor=np.inf), "`factor`.*finite.*=inf"),
        (lambda: LinearWarmupDecay("a", 9), "`peak`.*number.*='a'"),
        (lambda: LinearWarmupDecay(1.0, 0), "`total_steps`.*at least 1.*=0"),
        (lambda: LinearWarmupDecay(1.0, 9, 9), "`warmup_steps`.*at most 8.*=9"),
        (lambda: LinearWarmupDecay(1.0, 9, end=-1), "`end`.*at least 0.*=-1"),
        (
            lambda: ConstantThenLinear(-1.0, 1, 1),
            "`learning_rate`.*above 0.*=-1.0",
        ),
        (lambda: ConstantThenLinear(1.0, -1, 1), "`constant_steps`.*=-1"),
        (lambda: ConstantThenLinear(1.0, 1, 0), "`decay_steps`.*=0"),
        (lambda: ConstantThenLinear(1.0, 1, 1, "x"), "`end`.*='x'"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
