"""What a `SupervisedTrainer` without terms costs beside the model's own `fit`.

The same model, from the same weights, on the same batches, is trained twice: by
its own `compile` and `fit`, which are Keras', and by a `SupervisedTrainer` of
it. Losses must agree before the timing; then both run in turns. The rows "bare"
leave out what `fit` itself costs both.

    KERAS_BACKEND=jax python -m benchmarks.supervised_trainer_step [--quick]
"""

import keras
import numpy as np

from benchmarks._models import BACKEND, Batches, bare_step, under_fit
from benchmarks._timing import arguments, interleave, print_header
from keras_dl import applications, heads
from keras_dl.training import SupervisedTrainer

TARGET = 1.03
RANDOM = np.random.default_rng(0)


STEPS = 8  # Different batches.


def mlp():
    """784-512-512-10, batch 128, with dropout."""
    data = Batches(normal(128, 784), integers(10, 128))
    return applications.MLP((512, 512), num_outputs=10, dropout=0.2), data


def vgg16():
    """A sixteenth of VGG16 on 32 x 32 pixels, batch 16."""
    data = Batches(normal(16, 32, 32, 3), integers(10, 16))
    model = applications.VGG16(
        10, dense_units=(64,), batch_norm=True, base=4, dropout=0.2
    )
    return model, data


def bert():
    """BERT of 2 blocks of 128, 8 texts of 64 tokens."""
    data = Batches(integers(1000, 8, 64), integers(2, 8))
    encoder = applications.BERT(1000, 2, 128, 2, 512)
    return applications.TaskModel(encoder, heads.Classification(2)), data


def lstm():
    """A language model of two LSTMs of 128, 16 texts of 32 tokens."""
    data = Batches(integers(1000, 16, 32), integers(1000, 16, 32))
    return applications.LanguageModel(1000, 128, dropout=0.1), data


def normal(*shape):
    return RANDOM.normal(size=(STEPS, *shape)).astype("float32")


def integers(end, *shape):
    return RANDOM.integers(0, end, (STEPS, *shape))


# Name: the model with its data, steps in a block, blocks.
CASES = {
    "MLP 784-512-512-10": (mlp, 40, 12),
    "VGG16, base 4": (vgg16, 10, 10),
    "BERT, 2 blocks of 128": (bert, 10, 10),
    "LanguageModel, 2 x 128": (lstm, 10, 10),
}


def main():
    quick = arguments(__doc__).quick
    print_header()
    for name, (case, steps, blocks) in CASES.items():
        if quick:
            steps, blocks = 2, 2
        compare(name, case, steps, blocks)


def compare(name, case, steps, blocks):
    """Checks that both learn alike, then times them."""
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        model, data = case()
        model(data.tensors[0][0])
        models.append(model)
    models[1].set_weights(models[0].get_weights())
    ours, peer = SupervisedTrainer(models[0]), models[1]
    for one in (ours, peer):
        one.compile(keras.optimizers.Adam(1e-3))
    runs = under_fit(ours, data), under_fit(peer, data)
    check_losses(*runs)
    interleave(name, BACKEND, *runs, blocks, steps, TARGET)
    runs = bare_step(ours, data), bare_step(peer, data)
    interleave(f"{name}, bare", BACKEND, *runs, blocks, steps, TARGET)


def check_losses(ours, peer, steps=4):
    """Trains both for a few steps of the same random numbers."""
    found = []
    for run in (ours, peer):
        keras.utils.set_random_seed(1)
        found.append(run(steps)["loss"])
    np.testing.assert_allclose(*found, atol=1e-3)


if __name__ == "__main__":
    main()
