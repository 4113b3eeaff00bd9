import keras
import numpy as np
import pytest
from trainers import TwoPlayers, normal

from keras_dl.training import NamedOptimizers

pytestmark = pytest.mark.compiled

X = normal(12, 3)


def trainer_with(generator, discriminator):
    trainer = TwoPlayers()
    trainer.compile(
        optimizer={"generator": generator, "discriminator": discriminator}
    )
    return trainer


def rates(trainer):
    return [
        round(float(keras.ops.convert_to_numpy(o.learning_rate)), 6)
        for o in trainer.optimizer.optimizers
    ]


def test_it_is_built_and_knows_its_parts():
    trainer = trainer_with("adam", keras.optimizers.SGD(momentum=0.9))
    trainer.fit(X, verbose=0)
    optimizer = trainer.optimizer
    assert optimizer.names == ["generator", "discriminator"]
    assert optimizer.built
    # Adam: iteration, rate, two moments each; SGD: the same, one each.
    generator = 2 + 2 * len(trainer.generator.trainable_variables)
    discriminator = 2 + len(trainer.discriminator.trainable_variables)
    assert len(optimizer.variables) == generator + discriminator
    assert int(optimizer.iterations) == 1


def test_config_makes_the_same_optimizers():
    optimizer = NamedOptimizers(
        {
            "a": keras.optimizers.Adam(0.5, clipnorm=1.0),
            "b": keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()),
        }
    )
    serialized = keras.saving.serialize_keras_object(optimizer)
    copy = keras.saving.deserialize_keras_object(serialized)
    assert isinstance(copy, NamedOptimizers)
    assert copy.get_config() == optimizer.get_config()
    assert copy["a"].clipnorm == 1.0


def test_there_is_no_single_rate():
    optimizer = NamedOptimizers({"a": "sgd", "b": "sgd"})
    with pytest.raises(AttributeError, match=r"\['a', 'b'\].*learning_rate"):
        _ = optimizer.learning_rate
    with pytest.raises(AttributeError, match="learning_rate"):
        optimizer.learning_rate = 1.0
    with pytest.raises(NotImplementedError, match="apply"):
        optimizer.apply([])
    with pytest.raises(ValueError, match="Trainer"):
        optimizer.build([])


def test_keras_scheduler_sets_and_logs_all_rates():
    trainer = trainer_with(
        keras.optimizers.Adam(0.1), keras.optimizers.SGD(0.2)
    )
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr / 2)
    logs = trainer.fit(X, epochs=2, verbose=0, callbacks=[halve]).history
    assert rates(trainer) == [0.025, 0.05]
    np.testing.assert_allclose(logs["learning_rate_generator"], [0.05, 0.025])
    np.testing.assert_allclose(logs["learning_rate_discriminator"], [0.1, 0.05])


def test_schedules_of_each_optimizer_advance_by_themselves():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [1], [0.1, 0.0]
    )
    trainer = trainer_with(keras.optimizers.SGD(schedule), "sgd")
    trainer.fit(X, batch_size=6, verbose=0)
    generator = trainer.generator.get_weights()
    discriminator = trainer.discriminator.get_weights()
    trainer.fit(X, batch_size=6, verbose=0)
    moved = [
        any((a != b).any() for a, b in zip(old, new, strict=True))
        for old, new in (
            (generator[:1], trainer.generator.get_weights()[:1]),
            (discriminator, trainer.discriminator.get_weights()),
        )
    ]
    assert moved == [False, True]


def test_averaged_weights_are_written_at_the_end():
    trainer = trainer_with(
        keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "sgd"
    )
    trainer.fit(X, epochs=3, verbose=0)
    ema = trainer.optimizer["generator"]._model_variables_moving_average
    kernel = trainer.generator.trainable_variables[0]
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(kernel),
        keras.ops.convert_to_numpy(ema[0]),
        rtol=1e-6,
    )


def test_weights_of_other_optimizers_are_refused(tmp_path):
    path = tmp_path / "trainer.weights.h5"
    trainer = trainer_with("adam", "sgd")
    trainer.fit(X, verbose=0)
    trainer.save_weights(path)
    other = trainer_with("sgd", "sgd")
    other.fit(X, verbose=0)
    before = other.get_weights()
    with pytest.raises(ValueError, match="'generator': 12.*'generator': 2"):
        other.load_weights(path)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
