"""A DCGAN training step beside the same step written by hand.

Ours: Keras' layers, and those of `keras_dl.layers` that are Keras' by other
means, in a `keras_dl.training.GAN`. The peers: pure JAX (pytrees, one jit,
donated state), pure TensorFlow (tf.Module, tf.function, the fused Adam
operation) and pure PyTorch (nn.Module, channels first, torch.optim.Adam), in
`hand_written/`.

What ours does beyond them: it logs the means of the scores of real and of
generated images too, and it leaves the generator's running statistics alone
while the discriminator trains, where the peers advance them in both phases, as
is usual. In training mode no loss depends on these.

Both draw fresh noise for each of the two phases, make the discriminator's
fake images outside of its loss, run the generator twice and the discriminator
three times a step. Kernels are 4x4, so that "same" padding is symmetric and
one operation in every framework. On PyTorch our model is channels first, as
the peer is; a second row shows Keras' default, channels last. On
TensorFlow both run without XLA, which is what `fit` chooses on a CPU, and the
faster there for both.

Before the timing, without dropout and from copied weights, the two losses of
the first three steps must agree, and the numbers of parameters must be equal.
The row "8x8 DCGAN" is of networks of 8 and 16 channels and batches of 8.
"bare" rows leave out what `fit` adds, its start among it: the compiled step.

    KERAS_BACKEND=jax python -m benchmarks.dcgan_step [--quick]
"""

import importlib

import keras
import numpy as np
from keras import layers

from benchmarks._models import (
    BACKEND,
    Batches,
    bare_step,
    hand_loop,
    jit_compile,
    under_fit,
)
from benchmarks._timing import arguments, interleave, print_header
from keras_dl.layers import BatchNormalization, Conv2D, Conv2DTranspose
from keras_dl.training import GAN

TARGET = 1.05
BATCH, LATENT = 64, 100
# (side of the images, channels at half and at a quarter of it).
USUAL, SMALL = (28, 64, 128), (8, 8, 16)
SMALL_BATCH, SMALL_TARGET = 8, 1.3


class KnownNoise(GAN):
    """Ours, with the noise given beside the images."""

    expects = None

    def training_step(self, data):
        images, *self.noises = data
        return super().training_step(images)

    def noise(self, count):
        return self.noises.pop(0)


def networks(dropout, data_format, sizes=USUAL):
    """The generator and the discriminator, of layers."""
    side, narrow, wide = sizes
    quarter = side // 4
    first = data_format == "channels_first"
    conv = {
        "kernel_size": 4,
        "strides": 2,
        "padding": "same",
        "data_format": data_format,
    }
    generator = keras.Sequential(
        [
            keras.Input((LATENT,)),
            layers.Dense(quarter**2 * wide, use_bias=False),
            BatchNormalization(),
            layers.ReLU(),
            layers.Reshape(_image(quarter, wide, first)),
            Conv2DTranspose(narrow, use_bias=False, **conv),
            BatchNormalization(axis=1 if first else -1),
            layers.ReLU(),
            Conv2DTranspose(1, activation="tanh", **conv),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input(_image(side, 1, first)),
            Conv2D(narrow, **conv),
            layers.LeakyReLU(0.2),
            layers.Dropout(dropout),
            Conv2D(wide, **conv),
            layers.LeakyReLU(0.2),
            layers.Dropout(dropout),
            # As the data lie: the order does not matter to what follows.
            layers.Reshape((quarter**2 * wide,)),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


def _image(side, channels, first):
    return (channels, side, side) if first else (side, side, channels)


def gan(
    dropout=0.3, data_format=None, kind=GAN, sizes=USUAL, **compile_arguments
):
    """Ours, compiled."""
    trainer = kind(*networks(dropout, data_format or best_format(), sizes))
    # Its own optimizers: Adam(2e-4, beta_1=0.5).
    trainer.compile(**compile_arguments)
    return trainer


def best_format():
    """The layout that the backend's own convolutions prefer."""
    return "channels_first" if BACKEND == "torch" else "channels_last"


def by_hand(trainer, dropout=0.3):
    """The peer for this backend, with `trainer`'s weights."""
    module = importlib.import_module(f"benchmarks.hand_written.dcgan_{BACKEND}")
    return module.DCGAN(
        trainer.generator.get_weights(),
        trainer.discriminator.get_weights(),
        dropout,
    )


def images(data_format, count=16, batch=BATCH, side=USUAL[0]):
    """Batches of noise in the place of images."""
    rng = np.random.default_rng(0)
    shape = _image(side, 1, data_format == "channels_first")
    pixels = rng.uniform(-1, 1, size=(count, batch, *shape))
    return Batches(pixels.astype("float32"))


def check_peer(steps=3):
    """Without dropout both must compute the same, and be of one size."""
    trainer = gan(dropout=0.0, kind=KnownNoise)
    peer = by_hand(trainer, dropout=0.0)
    count = sum(int(np.prod(v.shape)) for v in trainer.trainable_variables)
    assert count == peer.parameter_count(), (count, peer.parameter_count())
    rng = np.random.default_rng(1)
    for pixels in images(best_format(), steps).arrays[0]:
        noise = rng.normal(size=(2, BATCH, LATENT)).astype("float32")
        batch = Batches(pixels[None], noise[:1], noise[1:])
        logs = under_fit(trainer, batch)(1)
        batch, *noise = batch.tensors[0]
        np.testing.assert_allclose(
            [logs["d_loss"], logs["g_loss"]],
            [float(loss) for loss in peer.step(batch, tuple(noise))],
            atol=1e-4,
        )


def compare(what, quick, data_format=None):
    """Times ours beside the peer, under `fit` and as a bare step."""
    steps, blocks = (2, 2) if quick else (20, 8)
    trainer = gan(data_format=data_format, **jit_compile(False))
    peer = hand_loop(by_hand(gan()), images(best_format()))
    batches = images(data_format or best_format())
    ours = under_fit(trainer, batches)
    interleave(what, BACKEND, ours, peer, blocks, steps, TARGET)
    steps, blocks = (2, 2) if quick else (5, 24)
    ours = bare_step(trainer, batches)
    interleave(f"{what}, bare", BACKEND, ours, peer, blocks, steps, TARGET)


def compare_small(quick):
    """Times networks so small that the frameworks' Python counts."""
    steps, blocks = (2, 2) if quick else (50, 24)
    trainer = gan(sizes=SMALL, **jit_compile(False))
    batches = images(best_format(), batch=SMALL_BATCH, side=SMALL[0])
    under_fit(trainer, batches)(1)
    peer = hand_loop(by_hand(gan(sizes=SMALL)), batches)
    ours = under_fit(trainer, batches)
    what = f"8x8 DCGAN, batch {SMALL_BATCH}"
    interleave(what, BACKEND, ours, peer, blocks, steps, SMALL_TARGET)


def main():
    quick = arguments(__doc__).quick
    print_header()
    keras.utils.set_random_seed(0)
    check_peer()
    compare("DCGAN", quick)
    if BACKEND == "torch":
        compare("DCGAN, channels last", quick, data_format="channels_last")
    compare_small(quick)


if __name__ == "__main__":
    main()
