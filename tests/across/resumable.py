"""Trains with backups, and saves and loads; run by test_resume.py.

`python resumable.py killed FOLDER` saves a trainer after three steps and prints
the losses of three more. Then it trains each of `TRAINERS` until something is
raised in the middle of an epoch, and the last one until the process dies.
`python resumable.py restarted FOLDER FILE` goes on, and trains once more
without an interruption; both histories of each are printed as JSON, and three
losses of the trainers that are loaded from the file, and from its own.
"""

import contextlib
import json
import os
import pathlib
import sys

import keras
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from gans import LABELS, POINTS, cycle_gan, mode_regularized_gan, small_gan
from trainers import GradientPenalty, TwoPlayers, network, normal

from keras_dl import losses

X, NOISE = normal(24, 3), normal(24, 4)


def compiled(cls, **networks):
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    trainer = cls(**networks)
    trainer.compile(
        optimizer={
            "generator": keras.optimizers.Adam(1e-2),
            "discriminator": keras.optimizers.SGD(1e-2, momentum=0.9),
        }
    )
    return trainer


def two_players():
    # Dropout, batch norm, noise from a seed of the trainer, two optimizers.
    return compiled(TwoPlayers)


def wgan_gp():
    return small_gan(
        adversarial_loss="wasserstein",
        penalties=[losses.GradientPenalty(1.0)],
        discriminator_steps=2,
    )


# What makes a trainer, and its data. The last one is killed.
TRAINERS = {
    "cycle": (cycle_gan, (POINTS, LABELS)),
    "two_players": (two_players, (X,)),
}
if keras.backend.backend() == "torch":
    # Variables are saved in one way. What these two have goes on where nothing
    # is compiled; the two above have all kinds: pools, seeds, statistics.
    TRAINERS = {
        "wgan_gp": (wgan_gp, (POINTS,)),
        "mode_regularized": (lambda: mode_regularized_gan(True), (POINTS,)),
        **TRAINERS,
    }


class Interrupt(keras.callbacks.Callback):
    """Calls a function in the middle of epoch 2."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (2, 1):
            self.function()


def die():
    """As a power cut has it."""
    os._exit(9)


def cancel():
    raise InterruptedError


def fit(name, *callbacks):
    make, data = TRAINERS[name]
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    history = make().fit(
        *data,
        batch_size=4,
        epochs=5,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    )
    return {"epochs": history.epoch, **history.history}


def interrupted(folder):
    for name in TRAINERS:
        stop = die if name == "two_players" else cancel
        with contextlib.suppress(InterruptedError):
            fit(name, backup(folder, name), Interrupt(stop))


def backup(folder, name):
    return keras.callbacks.BackupAndRestore(os.path.join(folder, name))


def three_steps(trainer):
    return [
        float(trainer.train_on_batch(X, NOISE, return_dict=True)["d_loss"])
        for _ in range(3)
    ]


def saved(path):
    trainer = compiled(
        GradientPenalty, discriminator=network(8, inputs=3, outputs=1)
    )
    three_steps(trainer)
    trainer.save(path)
    return three_steps(trainer)


def loaded(path):
    trainer = keras.models.load_model(path)
    assert np.asarray(trainer.optimizer["generator"].iterations) == 3
    return three_steps(trainer)


def main(what, folder, file=None):
    if what == "killed":
        os.makedirs(folder)
        path = os.path.join(folder, "trainer.keras")
        print(json.dumps(saved(path)), flush=True)
        interrupted(folder)
    else:
        both = {n: (fit(n, backup(folder, n)), fit(n)) for n in TRAINERS}
        own = os.path.join(folder, "trainer.keras")
        print(json.dumps([both, loaded(file), loaded(own)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
