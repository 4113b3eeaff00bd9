"""Trains with backups, and saves and loads; run by test_resume.py.

`python resumable.py killed FOLDER` dies in the middle of an epoch.
`python resumable.py restarted FOLDER` goes on, and trains once more without
an interruption; both histories are printed as JSON.
`python resumable.py save FILE` saves after three steps, `load FILE` loads;
both then take three steps more and print their losses.
"""

import json
import os
import pathlib
import sys

import keras
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from trainers import GradientPenalty, TwoPlayers, network, normal

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


class Die(keras.callbacks.Callback):
    """Ends the process, as a power cut does, in the middle of epoch 2."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (2, 1):
            os._exit(9)


def fit(*callbacks):
    # Dropout, batch norm, noise from a seed of the trainer, two optimizers.
    history = compiled(TwoPlayers).fit(
        X,
        batch_size=8,
        epochs=5,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    )
    return {"epochs": history.epoch, **history.history}


def three_steps(trainer):
    return [
        float(trainer.train_on_batch(X, NOISE, return_dict=True)["d_loss"])
        for _ in range(3)
    ]


def main(what, path):
    backup = keras.callbacks.BackupAndRestore(path)
    if what == "killed":
        fit(backup, Die())
    elif what == "restarted":
        print(json.dumps({"restarted": fit(backup), "whole": fit()}))
    elif what == "save":
        trainer = compiled(
            GradientPenalty, discriminator=network(8, inputs=3, outputs=1)
        )
        three_steps(trainer)
        trainer.save(path)
        print(json.dumps(three_steps(trainer)))
    else:
        trainer = keras.models.load_model(path)
        assert np.asarray(trainer.optimizer["generator"].iterations) == 3
        print(json.dumps(three_steps(trainer)))


if __name__ == "__main__":
    main(*sys.argv[1:])
