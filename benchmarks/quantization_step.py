"""What quantization costs: a step of training on a grid, and integers.

Training: a step of a `SupervisedTrainer` whose weights, or weights and
activations, are read on the grid of 8 bits, beside a step without, of the same
model on the same batches. Integers: `predict` of a quantized BERT beside the
one of floats; int8 is size first, and not speed on every backend.

    KERAS_BACKEND=jax python -m benchmarks.quantization_step [--quick]
"""

import keras
import numpy as np

from benchmarks._models import BACKEND, bare_step
from benchmarks._timing import arguments, interleave, print_header
from benchmarks.smaller_models import bert, mlp
from keras_dl.compression import FakeQuantization, calibrate, quantize
from keras_dl.training import SupervisedTrainer

TARGET = 1.3
READINGS = {
    "weights": None,
    "weights, dynamic activations": "dynamic",
    "weights, averaged activations": "moving_average",
}


def main():
    quick = arguments(__doc__).quick
    print_header()
    for name, (make, steps, blocks) in {
        "MLP 784-512-512-10": (mlp, 100, 12),
        "BERT, 4 blocks of 256": (bert, 20, 8),
    }.items():
        for kind, activations in READINGS.items():
            sizes = (2, 2) if quick else (blocks, steps)
            step(f"{name}, {kind}", make, activations, *sizes)
    for kind in ("dynamic", "static"):
        sizes = (2, 2) if quick else (8, 8)
        predictions(f"BERT predicts, int8, {kind}", kind, *sizes)


def step(name, make, activations, blocks, steps):
    """Times a step with fake quantization beside one without."""
    reading = FakeQuantization(activations=activations)
    trainers = []
    for readings in ([reading], []):
        model, data = make()
        model(data.tensors[0][0])
        trainer = SupervisedTrainer(model, readings=readings)
        trainer.compile(keras.optimizers.AdamW(1e-4))
        trainer.fit(**data.for_fit(2), verbose=0)
        trainers.append(trainer)
    runs = [bare_step(trainer, data) for trainer in trainers]
    interleave(name, BACKEND, *runs, blocks, steps, TARGET)


def predictions(name, kind, blocks, steps):
    """Times `predict` of integers beside that of floats."""
    (whole, data), (smaller, _) = bert(32), bert(32)
    x = np.asarray(keras.ops.convert_to_numpy(data.tensors[0][0]))
    for model in (whole, smaller):
        model(x)
    ranges = calibrate(smaller, x) if kind == "static" else kind
    runs = [
        lambda steps, model=model: [
            model.predict_on_batch(x) for _ in range(steps)
        ]
        for model in (quantize(smaller, 8, ranges), whole)
    ]
    interleave(name, BACKEND, *runs, blocks, steps)


if __name__ == "__main__":
    main()
