"""Every callback of Keras works with a trainer that has two optimizers."""

import csv

import keras
import numpy as np
import pytest
from trainers import Supervised, TwoPlayers, network, normal

X = normal(12, 3)


class Evaluated(TwoPlayers):
    def evaluation_step(self, data):
        return {"score": self.score(data, 1.0)}


@pytest.fixture
def trainer():
    trainer = Evaluated()
    trainer.compile(
        optimizer={
            "generator": keras.optimizers.Adam(1e-2),
            "discriminator": keras.optimizers.SGD(1e-2),
        }
    )
    return trainer


def fit(trainer, *callbacks, epochs=3):
    return trainer.fit(
        X,
        validation_data=(X,),
        batch_size=6,
        epochs=epochs,
        verbose=0,
        callbacks=list(callbacks),
    )


@pytest.mark.compiled(on="jax")
def test_early_stopping(trainer):
    stop = keras.callbacks.EarlyStopping(
        "val_score", mode="min", min_delta=1e9, restore_best_weights=True
    )
    assert len(fit(trainer, stop, epochs=9).epoch) == 2


@pytest.mark.compiled(on="jax")
def test_model_checkpoint(trainer, tmp_path):
    path = tmp_path / "{epoch}.weights.h5"
    fit(trainer, keras.callbacks.ModelCheckpoint(path, save_weights_only=True))
    saved = trainer.get_weights()
    fit(trainer)
    trainer.load_weights(tmp_path / "3.weights.h5")
    for a, b in zip(saved, trainer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(trainer.optimizer["generator"].iterations) == 6


def test_csv_logger_and_history(trainer, tmp_path):
    path = tmp_path / "log.csv"
    history = fit(trainer, keras.callbacks.CSVLogger(path)).history
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert set(rows[0]) == {"epoch", "d_loss", "g_loss", "val_score"}
    logged = [float(row["d_loss"]) for row in rows]
    assert logged == pytest.approx(history["d_loss"])


@pytest.mark.compiled(on="jax")
def test_reduce_on_plateau(trainer):
    reduce = keras.callbacks.ReduceLROnPlateau(
        "val_score", mode="min", factor=0.5, patience=1, min_delta=1e9
    )
    fit(trainer, reduce)
    rates = [float(o.learning_rate) for o in trainer.optimizer.optimizers]
    assert rates == pytest.approx([2.5e-3, 2.5e-3])


def test_batch_hooks_see_running_means(trainer):
    seen = []
    fit(
        trainer,
        keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: seen.append(dict(logs))
        ),
        epochs=1,
    )
    assert [set(logs) for logs in seen] == [{"d_loss", "g_loss"}] * 2


@pytest.mark.compiled(on="jax")
def test_swap_ema_weights(trainer):
    trainer.compile(
        optimizer={
            "generator": keras.optimizers.SGD(1e-2, use_ema=True),
            "discriminator": keras.optimizers.SGD(1e-2),
        }
    )
    fit(trainer, keras.callbacks.SwapEMAWeights())


@pytest.mark.compiled(on="jax")
def test_terminate_on_nan():
    class Poison(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kernel = self.model.trainable_variables[0]
            kernel.assign(kernel * np.nan)

    # Keras' callback looks at the log named "loss".
    trainer = Supervised(network(inputs=3, outputs=1))
    trainer.compile(optimizer="sgd", loss="mse")
    callbacks = [Poison(), keras.callbacks.TerminateOnNaN()]
    history = trainer.fit(X, X[:, :1], epochs=4, verbose=0, callbacks=callbacks)
    assert len(history.epoch) == 2


def test_progress_bar(trainer, capsys):
    trainer.fit(X, batch_size=6, epochs=1, verbose=1)
    assert "g_loss" in capsys.readouterr().out


@pytest.mark.compiled(on="jax")
def test_backup_and_restore(trainer, tmp_path):
    folder = tmp_path / "backup"
    fit(trainer, keras.callbacks.BackupAndRestore(folder), epochs=1)
    assert not folder.exists()


@pytest.mark.compiled(on="jax")
def test_tensorboard(trainer, tmp_path):
    pytest.importorskip(
        "tensorboard", reason="TensorBoard is not among the test extras"
    )
    fit(trainer, keras.callbacks.TensorBoard(tmp_path))
    assert list(tmp_path.rglob("events*"))
