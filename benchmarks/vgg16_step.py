"""VGG16 beside keras.applications'.

Images of 64 x 64 x 3, batch 16, 1000 classes, dense layers of 4096; both have
the same weights. `predict` gives logits, as the model returns them; a training
step has the cross-entropy of these, SGD with momentum 0.9, and no metrics.
keras.applications has no dropout between the dense layers: rows say "dropout
0.5" where both have it, the peer a top of Keras' layers on its convolutions.
On TensorFlow both run without XLA, which is what `fit` chooses on a CPU.

Before the timing, without dropout, predictions and the losses of the first
three steps must agree.

    KERAS_BACKEND=jax python -m benchmarks.vgg16_step [--quick]
"""

import keras
import numpy as np
from keras import layers

from benchmarks._models import (
    BACKEND,
    Batches,
    bare_step,
    jit_compile,
    predict,
    under_fit,
)
from benchmarks._timing import arguments, interleave, print_header
from keras_dl.applications.vision.vgg16 import VGG16

TARGET = 1.0
SHAPE, BATCH, CLASSES, DROPOUT = (64, 64, 3), 16, 1000, 0.5


def pair(dropout):
    """Both models, of the same weights, compiled."""
    peer = theirs(dropout)
    ours = VGG16(CLASSES, dropout=dropout)
    ours.build((None, *SHAPE))
    ours.load_keras_weights(peer)
    for model in (ours, peer):
        model.compile(
            optimizer=keras.optimizers.SGD(1e-3, momentum=0.9),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[],
            **jit_compile(False),
        )
    return ours, peer


def theirs(dropout):
    """keras.applications' model, with dropout if that is not 0."""
    arguments_of_both = {
        "weights": None,
        "input_shape": SHAPE,
        "classes": CLASSES,
        "classifier_activation": None,
    }
    if not dropout:
        return keras.applications.VGG16(**arguments_of_both)
    base = keras.applications.VGG16(include_top=False, **arguments_of_both)
    x = layers.Flatten()(base.output)
    for name in ("fc1", "fc2"):
        x = layers.Dense(4096, activation="relu", name=name)(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Dense(CLASSES, name="predictions")(x)
    return keras.Model(base.input, x)


def images(count=4):
    """Batches of noise in the place of images, with classes."""
    rng = np.random.default_rng(0)
    pixels = rng.uniform(size=(count, BATCH, *SHAPE)).astype("float32")
    return Batches(pixels, rng.integers(CLASSES, size=(count, BATCH)))


def check_alike(ours, peer, batches, steps=3):
    """Without dropout both must compute the same."""
    np.testing.assert_allclose(
        predict(ours, batches)(1), predict(peer, batches)(1), atol=1e-5
    )
    counts = [model.count_params() for model in (ours, peer)]
    assert counts[0] == counts[1], counts
    losses = [
        [under_fit(model, batches)(1)["loss"] for _ in range(steps)]
        for model in (ours, peer)
    ]
    np.testing.assert_allclose(*losses, atol=1e-4)


def main():
    quick = arguments(__doc__).quick
    print_header()
    keras.utils.set_random_seed(0)
    batches = images()
    models = pair(0.0)
    check_alike(*models, batches)
    steps, blocks = (1, 2) if quick else (2, 12)
    runs = [predict(model, batches) for model in models]
    interleave("VGG16, predict", BACKEND, *runs, blocks, steps, TARGET)
    steps, blocks = (1, 2) if quick else (1, 12)
    runs = [bare_step(model, batches) for model in models]
    interleave("VGG16, step", BACKEND, *runs, blocks, steps, TARGET)
    models = pair(DROPOUT)
    for model in models:
        under_fit(model, batches)(1)
    runs = [bare_step(model, batches) for model in models]
    name = f"VGG16, step, dropout {DROPOUT}"
    interleave(name, BACKEND, *runs, blocks, steps, TARGET)


if __name__ == "__main__":
    main()
