"""VGG16 beside keras.applications'.

Images of 64 x 64 x 3, batch 16, 1000 classes, dense layers of 4096; both have
the same weights. `predict` gives logits, as the model returns them; a training
step has the cross-entropy of these, SGD with momentum 0.9, and no metrics.
keras.applications has no dropout between the dense layers: rows say "dropout
0.5" where both have it, the peer a top of Keras' layers on its convolutions.
The row at 224 x 224, batch 8, has on PyTorch a hand-written peer (nn.Module).
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
    hand_loop,
    jit_compile,
    predict,
    under_fit,
)
from benchmarks._timing import arguments, interleave, print_header
from keras_dl.applications.vision.vgg16 import VGG16

TARGET = 1.0
SHAPE, BATCH, CLASSES, DROPOUT = (64, 64, 3), 16, 1000, 0.5
LARGE_SHAPE, LARGE_BATCH = (224, 224, 3), 8


def pair(dropout, shape=SHAPE):
    """Both models, of the same weights, compiled."""
    peer = theirs(dropout, shape)
    ours = VGG16(CLASSES, dropout=dropout)
    ours.build((None, *shape))
    ours.load_keras_weights(peer)
    for model in (ours, peer):
        model.compile(
            optimizer=keras.optimizers.SGD(1e-3, momentum=0.9),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[],
            **jit_compile(False),
        )
    return ours, peer


def theirs(dropout, shape):
    """keras.applications' model, with dropout if that is not 0."""
    arguments_of_both = {
        "weights": None,
        "input_shape": shape,
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


def images(count=4, batch=BATCH, shape=SHAPE):
    """Batches of noise in the place of images, with classes."""
    rng = np.random.default_rng(0)
    pixels = rng.uniform(size=(count, batch, *shape)).astype("float32")
    return Batches(pixels, rng.integers(CLASSES, size=(count, batch)))


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


def compare_large(quick):
    """The step at the size of ImageNet, beside hand-written PyTorch."""
    batches = images(2, LARGE_BATCH, LARGE_SHAPE)
    ours, peer = pair(DROPOUT, LARGE_SHAPE)
    if BACKEND == "torch":
        from benchmarks.hand_written import vgg16_torch

        peer = vgg16_torch.VGG16(LARGE_SHAPE[0], CLASSES, DROPOUT)
        assert ours.count_params() == peer.parameter_count()
        run = hand_loop(peer, batches)
    else:
        under_fit(peer, batches)(1)
        run = bare_step(peer, batches)
    under_fit(ours, batches)(1)
    name = f"VGG16, step, 224 x 224, batch {LARGE_BATCH}, dropout {DROPOUT}"
    blocks = 2 if quick else 8
    ours = bare_step(ours, batches)
    interleave(name, BACKEND, ours, run, blocks, 1, TARGET)


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
    del models, runs  # 134 million weights each, with their gradients.
    compare_large(quick)


if __name__ == "__main__":
    main()
