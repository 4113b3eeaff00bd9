import keras
import numpy as np
import pytest
from trainers import Supervised, network, normal

from keras_dl.callbacks import EpochOrder
from keras_dl.datasets import Batches


def fit(trainer, epochs, initial_epoch=0, follow=True):
    batches = Batches(normal(12, 3), normal(12, 1), 4, shuffle=True)
    return trainer.fit(
        batches,
        epochs=epochs,
        initial_epoch=initial_epoch,
        shuffle=False,
        verbose=0,
        callbacks=[EpochOrder(batches)] if follow else [],
    ).history["loss"]


def compiled():
    keras.utils.set_random_seed(0)
    trainer = Supervised(network(inputs=3, outputs=1))
    trainer.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    return trainer


@pytest.mark.parametrize("follow", [True, False])
def test_training_in_two_parts_reads_the_same_batches(follow):
    whole = fit(compiled(), 4, follow=follow)
    parted = compiled()
    losses = fit(parted, 2, follow=follow) + fit(parted, 4, 2, follow=follow)
    assert np.allclose(losses, whole, rtol=1e-5) == follow


def test_errors():
    with pytest.raises(TypeError, match="epoch"):
        EpochOrder(np.zeros(3))
