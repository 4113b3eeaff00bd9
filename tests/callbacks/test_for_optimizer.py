import keras
import pytest
from trainers import Supervised, TwoPlayers, network, normal

from keras_dl.callbacks import ForOptimizer
from keras_dl.testing import check_callback

X = normal(12, 3)


def two_players():
    trainer = TwoPlayers()
    trainer.compile(
        optimizer={
            "generator": keras.optimizers.SGD(0.1),
            "discriminator": keras.optimizers.SGD(0.1),
        }
    )
    return trainer


def rates(trainer):
    return [float(o.learning_rate) for o in trainer.optimizer.optimizers]


def halve():
    return keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr / 2)


@pytest.mark.compiled
def test_a_scheduler_changes_the_rate_of_one():
    trainer = two_players()
    callback = ForOptimizer("discriminator", halve())
    logs = trainer.fit(X, epochs=2, verbose=0, callbacks=[callback]).history
    assert rates(trainer) == pytest.approx([0.1, 0.025])
    assert logs["learning_rate_discriminator"] == pytest.approx([0.05, 0.025])
    assert "learning_rate" not in logs


def test_each_can_have_its_own():
    trainer = two_players()
    plateau = keras.callbacks.ReduceLROnPlateau(
        "d_loss", mode="min", factor=0.1, patience=1, min_delta=1e9
    )
    callbacks = [
        ForOptimizer("discriminator", plateau),
        ForOptimizer("generator", halve()),
    ]
    trainer.fit(X, epochs=2, verbose=0, callbacks=callbacks)
    assert rates(trainer) == pytest.approx([0.025, 0.01])


def test_a_callback_can_stop_training():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    history = two_players().fit(
        X, epochs=3, verbose=0, callbacks=[ForOptimizer("generator", Stop())]
    )
    assert len(history.epoch) == 1


def test_the_model_needs_named_optimizers():
    with pytest.raises(ValueError, match="single one"):
        check_callback(lambda: ForOptimizer("generator", halve()))


def test_errors():
    with pytest.raises(TypeError, match="callback"):
        ForOptimizer("generator", "halve")
    with pytest.raises(ValueError, match="on_batch_end"):
        ForOptimizer("generator", keras.callbacks.TerminateOnNaN())
    with pytest.raises(ValueError, match="'critic'.*'generator'"):
        callbacks = [ForOptimizer("critic", halve())]
        two_players().fit(X, verbose=0, callbacks=callbacks)
    trainer = Supervised(network(inputs=3, outputs=1))
    trainer.compile(optimizer="sgd", loss="mse")
    with pytest.raises(ValueError, match="single one"):
        callbacks = [ForOptimizer("critic", halve())]
        trainer.fit(X, X[:, :1], verbose=0, callbacks=callbacks)
