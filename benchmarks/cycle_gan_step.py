"""A CycleGAN training step beside the same step written by hand.

Images of 64 x 64 x 3, one of each set at a time; generators of 3 residual
blocks and 16 channels at first, discriminators of patches with 16; pools of
50 images; least squares, and weights of 10 for cycles and 5 for identity;
Adam(2e-4, beta_1=0.5). Ours is a `keras_dl.training.CycleConsistentGAN` of the
networks of `keras_dl.applications.gan`; the peers, in `hand_written/`, are
pure JAX (one jit, the pools in donated state), pure TensorFlow (one
tf.function, the pools in variables) and pure PyTorch (channels first, the
pools in lists).

Our networks are channels last on every backend. Beyond the peers ours logs the
parts of the generators' loss and the means of the scores. Both exchange images
with the pools half of the time once these are full. On TensorFlow both run
without XLA, which is what `fit` chooses on a CPU.

Before the timing the two losses of the first three steps must agree: a pool
that is not full yet returns what it is given. The numbers of parameters must
be equal.

    KERAS_BACKEND=jax python -m benchmarks.cycle_gan_step [--quick]
"""

import importlib

import keras
import numpy as np

from benchmarks._models import (
    BACKEND,
    Batches,
    bare_step,
    hand_loop,
    jit_compile,
    under_fit,
)
from benchmarks._timing import arguments, interleave, print_header
from keras_dl.applications.gan import patch_networks, translation_networks
from keras_dl.training import CycleConsistentGAN

TARGET = {"jax": 1.05, "tensorflow": 1.05, "torch": 1.15}[BACKEND]
SHAPE, BLOCKS, BASE = (64, 64, 3), 3, 16


def cycle_gan(**compile_arguments):
    """Ours, compiled."""
    trainer = CycleConsistentGAN(
        *[
            translation_networks.resnet_generator(SHAPE, BLOCKS, BASE)
            for _ in range(2)
        ],
        *[patch_networks.patch_discriminator(SHAPE, BASE) for _ in range(2)],
    )
    # Its own optimizers: Adam(2e-4, beta_1=0.5).
    trainer.compile(**compile_arguments)
    return trainer


def by_hand(trainer):
    """The peer for this backend, with `trainer`'s weights."""
    module = importlib.import_module(
        f"benchmarks.hand_written.cycle_gan_{BACKEND}"
    )
    return module.CycleGAN(
        trainer.generator.get_weights(),
        trainer.inverse_generator.get_weights(),
        trainer.discriminator.get_weights(),
        trainer.inverse_discriminator.get_weights(),
    )


def images(first=False, count=16):
    """Batches of noise in the place of images, of both sets."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, size=(2, count, 1, *SHAPE)).astype("float32")
    if first:
        a, b = (np.ascontiguousarray(np.moveaxis(x, -1, 2)) for x in (a, b))
    return Batches(a, b)


def check_peer(tolerances=(1e-5, 2e-3, 5e-3)):
    """From the same weights both must have the same losses.

    Adam's first updates are of one size, so that the rounding of a gradient
    near 0 decides which way a weight goes, and the difference grows.
    """
    steps = len(tolerances)
    trainer = cycle_gan()
    peer = by_hand(trainer)
    count = sum(int(np.prod(v.shape)) for v in trainer.trainable_variables)
    assert count == peer.parameter_count(), (count, peer.parameter_count())
    theirs = images(first=BACKEND == "torch").first(steps)
    for i, pair in enumerate(zip(*images().arrays, strict=True)):
        if i == steps:
            break
        logs = under_fit(trainer, Batches(*[x[None] for x in pair]))(1)
        np.testing.assert_allclose(
            [logs["d_loss"], logs["g_loss"]],
            [float(loss) for loss in peer.step(theirs[i])],
            rtol=tolerances[i],
        )


def main():
    quick = arguments(__doc__).quick
    print_header()
    keras.utils.set_random_seed(0)
    check_peer()
    trainer = cycle_gan(**jit_compile(False))
    peer = hand_loop(by_hand(trainer), images(first=BACKEND == "torch"))
    steps, blocks = (2, 2) if quick else (10, 8)
    ours = under_fit(trainer, images())
    interleave("CycleGAN", BACKEND, ours, peer, blocks, steps, TARGET)
    steps, blocks = (2, 2) if quick else (5, 16)
    ours = bare_step(trainer, images())
    interleave("CycleGAN, bare", BACKEND, ours, peer, blocks, steps, TARGET)


if __name__ == "__main__":
    main()
