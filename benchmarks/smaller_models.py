"""What pruning costs while it trains, and what smaller models gain.

Masks: a training step of a `SupervisedTrainer` with pruned kernels beside one
without, of the same model on the same batches; "schedule" chooses masks anew
every 100 updates. Removal: `predict` of a BERT of 4 blocks of 256 from which
half of the heads, half of the units, both, or half of the blocks were removed,
or whose matrices were factorized, beside the whole one. Zeros in dense kernels
gain nothing, so masks are not timed there.

    KERAS_BACKEND=jax python -m benchmarks.smaller_models [--quick]
"""

import keras
import numpy as np

from benchmarks._models import BACKEND, Batches, bare_step
from benchmarks._timing import arguments, interleave, print_header
from keras_dl import applications, heads
from keras_dl.compression import (
    MagnitudePruning,
    PolynomialSparsity,
    factorize,
    remove_heads,
    remove_layers,
    remove_units,
)
from keras_dl.training import SupervisedTrainer

RANDOM = np.random.default_rng(0)
STEPS = 8  # Different batches.
MASKED, HALF = 1.08, 0.60


def mlp():
    """784-512-512-10, batch 128."""
    data = Batches(
        RANDOM.normal(size=(STEPS, 128, 784)),
        RANDOM.integers(0, 10, (STEPS, 128)),
    )
    return applications.MLP((512, 512), num_outputs=10), data


def bert(texts=8):
    """BERT of 4 blocks of 256, texts of 64 tokens."""
    keras.utils.set_random_seed(0)
    encoder = applications.BERT(1000, 4, 256, 4, 1024)
    data = Batches(
        RANDOM.integers(0, 1000, (STEPS, texts, 64)),
        RANDOM.integers(0, 2, (STEPS, texts)),
    )
    return applications.TaskModel(encoder, heads.Classification(2)), data


def half_the_heads(model):
    return remove_heads(model, {i: [0, 2] for i in range(4)})


def half_the_units(model):
    paths = [f"encoder/blocks/{i}/widen" for i in range(4)]
    return remove_units(model, dict.fromkeys(paths, range(0, 1024, 2)))


# Name: what is made of the model, and the share of time that it may take.
SMALLER = {
    "half the heads": (half_the_heads, None),
    "half the units": (half_the_units, None),
    "half of both": (lambda m: half_the_units(half_the_heads(m)), HALF),
    "half the blocks": (lambda m: remove_layers(m, [1, 3]), None),
    "rank 32": (lambda m: factorize(m, ".*/blocks/.*", rank=32), None),
}
READINGS = {
    "masks": lambda: MagnitudePruning(0.9),
    "masks, schedule": lambda: MagnitudePruning(
        PolynomialSparsity(0.9, end=10**6)
    ),
}


def main():
    quick = arguments(__doc__).quick
    print_header()
    for name, (make, steps, blocks) in {
        "MLP 784-512-512-10": (mlp, 100, 12),
        "BERT, 4 blocks of 256": (bert, 20, 8),
    }.items():
        for kind, reading in READINGS.items():
            sizes = (2, 2) if quick else (steps, blocks)
            masked_step(f"{name}, {kind}", make, reading(), *sizes)
    for name, (change, target) in SMALLER.items():
        sizes = (2, 2) if quick else (8, 8)
        predictions(f"BERT predicts, {name}", change, target, *sizes)


def masked_step(name, make, reading, steps, blocks):
    """Times a step with a reading of weights beside one without."""
    trainers = []
    for readings in ([reading], []):
        model, data = make()
        model(data.tensors[0][0])
        trainer = SupervisedTrainer(model, readings=readings)
        trainer.compile(keras.optimizers.AdamW(1e-4))
        trainers.append(trainer)
    runs = [bare_step(trainer, data) for trainer in trainers]
    interleave(name, BACKEND, *runs, blocks, steps, MASKED)


def predictions(name, change, target, steps, blocks):
    """Times `predict` of a smaller model beside the whole one."""
    whole, data = bert(32)
    smaller = change(bert(32)[0])
    x = keras.ops.convert_to_numpy(data.tensors[0][0])
    runs = [
        lambda steps, model=model: [
            model.predict_on_batch(x) for _ in range(steps)
        ]
        for model in (smaller, whole)
    ]
    interleave(name, BACKEND, *runs, blocks, steps, target)


if __name__ == "__main__":
    main()
