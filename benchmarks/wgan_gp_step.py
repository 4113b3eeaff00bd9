"""A WGAN-GP training step beside the same step written by hand.

A step is five updates of the critic, each with 64 images of 28 x 28 x 1 of its
own, and one of the generator: Wasserstein losses, a gradient penalty of weight
10, Adam(1e-4, beta_1=0, beta_2=0.9). The networks are those of `dcgan_step`,
without dropout; the critic has no batch normalization. Ours is a
`keras_dl.training.GAN`; the peers, in `hand_written/`, are pure JAX (one jit
of the whole step, donated state), pure TensorFlow (nested tapes in one
tf.function) and pure PyTorch (`torch.autograd.grad(create_graph=True)`).

What ours does beyond them: it logs the means of the scores of real and of
generated images too, takes the penalty's gradient to be 0 where the slope is
0, and leaves the generator's running statistics alone while the critic trains.
No loss depends on the latter.

Layouts and XLA are as in `dcgan_step`. Before the timing, with noise and the
penalty's places between the images given to both, the two losses of the first
three steps must agree, and the numbers of parameters must be equal.

    KERAS_BACKEND=jax python -m benchmarks.wgan_gp_step [--quick]
"""

import importlib
from unittest import mock

import keras
import numpy as np
from keras import ops

from benchmarks._models import (
    BACKEND,
    Batches,
    bare_step,
    hand_loop,
    jit_compile,
    under_fit,
)
from benchmarks._timing import arguments, interleave, print_header
from benchmarks.dcgan_step import BATCH, LATENT, best_format, networks
from keras_dl.losses import GradientPenalty
from keras_dl.training import GAN

TARGET = {"jax": 1.05, "tensorflow": 1.05, "torch": 1.15}[BACKEND]
CRITIC_STEPS = 5


class KnownChance(GAN):
    """Ours, with noise and the penalty's shares given beside the images."""

    expects = None

    def training_step(self, data):
        images, noise, shares = data
        normal, uniform = (iter(ops.unstack(x)) for x in (noise, shares))
        with mock.patch.multiple(
            keras.random,
            normal=lambda *args, **kwargs: next(normal),
            uniform=lambda *args, **kwargs: next(uniform),
        ):
            return super().training_step(images)


def gan(data_format=None, kind=GAN, **compile_arguments):
    """Ours, compiled."""
    trainer = kind(
        *networks(0.0, data_format or best_format()),
        adversarial_loss="wasserstein",
        penalties=[GradientPenalty(10.0)],
        discriminator_steps=CRITIC_STEPS,
    )
    trainer.compile(
        optimizer={
            name: keras.optimizers.Adam(1e-4, beta_1=0.0, beta_2=0.9)
            for name in trainer.players
        },
        **compile_arguments,
    )
    return trainer


def by_hand(trainer):
    """The peer for this backend, with `trainer`'s weights."""
    module = importlib.import_module(
        f"benchmarks.hand_written.wgan_gp_{BACKEND}"
    )
    return module.WGANGP(
        trainer.generator.get_weights(), trainer.discriminator.get_weights()
    )


def images(data_format, count=4):
    """Batches of noise in the place of images."""
    rng = np.random.default_rng(0)
    first = data_format == "channels_first"
    shape = (1, 28, 28) if first else (28, 28, 1)
    pixels = rng.uniform(-1, 1, size=(count, CRITIC_STEPS * BATCH, *shape))
    return Batches(pixels.astype("float32"))


def check_peer(steps=3):
    """From the same weights and chance both must compute the same."""
    trainer = gan(kind=KnownChance)
    peer = by_hand(trainer)
    count = sum(int(np.prod(v.shape)) for v in trainer.trainable_variables)
    assert count == peer.parameter_count(), (count, peer.parameter_count())
    rng = np.random.default_rng(1)
    for pixels in images(best_format(), steps).arrays[0]:
        noise = rng.normal(size=(CRITIC_STEPS + 1, BATCH, LATENT))
        shares = rng.uniform(size=(CRITIC_STEPS, BATCH, 1, 1, 1))
        chance = [x.astype("float32")[None] for x in (noise, shares)]
        batch = Batches(pixels[None], *chance)
        logs = under_fit(trainer, batch)(1)
        np.testing.assert_allclose(
            [logs["d_loss"], logs["g_loss"]],
            [float(loss) for loss in peer.step(*batch.tensors[0])],
            rtol=1e-4,
            atol=1e-4,
        )


def compare(what, quick, data_format=None):
    """Times ours beside the peer, under `fit` and as a bare step."""
    steps, blocks = (1, 2) if quick else (4, 8)
    trainer = gan(data_format, **jit_compile(False))
    peer = hand_loop(by_hand(gan()), images(best_format()))
    batches = images(data_format or best_format())
    ours = under_fit(trainer, batches)
    interleave(what, BACKEND, ours, peer, blocks, steps, TARGET)
    steps, blocks = (1, 2) if quick else (2, 12)
    ours = bare_step(trainer, batches)
    interleave(f"{what}, bare", BACKEND, ours, peer, blocks, steps, TARGET)


def main():
    quick = arguments(__doc__).quick
    print_header()
    keras.utils.set_random_seed(0)
    check_peer()
    compare("WGAN-GP", quick)
    if BACKEND == "torch":
        compare("WGAN-GP, channels last", quick, data_format="channels_last")


if __name__ == "__main__":
    main()
