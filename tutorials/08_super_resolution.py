"""Tutorial 8, super-resolution: photographs twice as high and wide.

A small photograph has lost its fine detail. Enlarged by a formula (bicubic) it
is blurred. A network that has seen how such detail looks draws it anew: first
it learns to be right on average, pixel by pixel, and then, against a second
network that tells photographs from what it makes, to look real.

    python tutorials/08_super_resolution.py --out out/super_resolution
    KERAS_BACKEND=jax python tutorials/08_super_resolution.py --quick

You see

1. two photographs, and the strip of each that is held out;
2. how near to the original the enlarged strips come: by formula, by the network
   before the second one joins in, and by the network after that;
3. what the second network costs: what is made to look real is at other pixels
   than the truth. After a training as short as this it looks no better.

It works offline and on any backend, in a few minutes on two CPU cores, and
leaves in the folder `--out`:

    enlarged.png    details of the held-out strips, made in each way
    losses.png      both networks, as they play against each other
"""

import argparse
import importlib.util
import pathlib
import sys
import time
from typing import NamedTuple

import keras
import numpy as np

from keras_dl import datasets
from keras_dl.applications import SRGAN
from keras_dl.callbacks import draw_comparison, draw_losses
from keras_dl.metrics import PeakSignalNoiseRatio, StructuralSimilarity

SCALE, BATCH_SIZE = 2, 8
HEIGHT, HELD_OUT = 424, slice(208, 304)  # A strip through the middle.
WAYS = ("bicubic", "pre-trained", "adversarial")


class Sizes(NamedTuple):
    """How much there is of everything.

    Attributes:
        patches: Number of patches to learn from.
        side: Height and width of a patch.
        blocks: Residual blocks of the generator.
        base: Channels of its convolutions.
        pretraining: Epochs in which the generator learns alone.
        adversarial: Epochs with the discriminator.
    """

    patches: int = 3200
    side: int = 32
    blocks: int = 3
    base: int = 24
    pretraining: int = 5
    adversarial: int = 2


QUICK = Sizes(16, 16, 1, 4, 1, 1)


# 1. The photographs ----------------------------------------------------------
#
# No patch to learn from has a pixel in common with what is examined.


def photographs():
    """Bytes to learn from, and those held out, by name of the photograph."""
    data = datasets.load("photographs")
    learn, held = [], {}
    for i in np.argsort(data.train.y):
        photograph = data.train.x[i][:HEIGHT]
        learn.append(photograph[:, : HELD_OUT.start])
        learn.append(photograph[:, HELD_OUT.stop :])
        held[data.info.class_names[data.train.y[i]]] = photograph[:, HELD_OUT]
    return learn, held


def resized(photograph, factor):
    """Bicubic interpolation; where it shrinks, over more pixels."""
    from PIL import Image

    height, width = (round(side * factor) for side in photograph.shape[:2])
    image = Image.fromarray(photograph)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def as_input(small):
    """Bytes as numbers of 0 to 1."""
    return np.asarray(small, "float32") / 255


def as_output(large):
    """Bytes as numbers of -1 to 1."""
    return np.asarray(large, "float32") / 127.5 - 1


def draw_patches(photographs, number, side, seed):
    """Pairs of patches, small and large, at random places, half of them turned.

    Sky has nothing to teach: of two places the one with more contrast counts.
    """
    random = np.random.RandomState(seed)
    pairs = [(resized(p, 1 / SCALE), p) for p in photographs]
    widths = np.array([p.shape[1] for p in photographs])
    inputs, outputs = [], []
    for i in range(number):
        drawn = []
        for k in random.choice(len(pairs), size=2, p=widths / widths.sum()):
            small, large = pairs[k]
            size = side // SCALE
            y, x = (random.randint(s - size + 1) for s in small.shape[:2])
            there = large[SCALE * y :, SCALE * x :][:side, :side]
            drawn.append((small[y : y + size, x : x + size], there))
        turn = slice(None, None, -1 if i % 2 else 1)
        small, large = max(drawn, key=lambda pair: pair[1].std())
        inputs.append(small[:, turn])
        outputs.append(large[:, turn])
    return as_input(inputs), as_output(outputs)


# 2. The networks -------------------------------------------------------------
#
# SRGAN's, much smaller than in its paper. And an addition to it: the generator
# need not draw all of the image, only what the enlarged one lacks. That spares
# it most of the work, which here has minutes, not days.


def make_gan(sizes, seed):
    """A generator and a discriminator, and how they learn together."""
    return SRGAN(
        (sizes.side, sizes.side, 3),
        scale=SCALE,
        blocks=sizes.blocks,
        base=sizes.base,
        residual=True,
        seed=seed,
    )


def pretrain(gan, x, y, sizes):
    """The generator alone learns to have small errors."""
    steps = sizes.pretraining * (len(x) // BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    return timed(
        gan.pretrain,
        *(x, y, keras.optimizers.Adam(rate)),
        epochs=sizes.pretraining,
    )


def play(gan, x, y, sizes):
    """Both networks learn, one against the other."""
    gan.compile({name: keras.optimizers.Adam(2e-4) for name in gan.players})
    return timed(gan.fit, x, y, epochs=sizes.adversarial)


def timed(fit, x, *args, epochs):
    begin = time.perf_counter()
    history = fit(x, *args, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    steps = epochs * (len(x) // BATCH_SIZE)
    seconds = time.perf_counter() - begin
    print(f"    {steps} updates, {seconds:.0f} s", flush=True)
    return history


# 3. The examination ----------------------------------------------------------


def enlarge(generator, held):
    """What the generator makes of the strips, whole, by name."""
    return {
        name: np.clip(
            generator.predict_on_batch(
                as_input(resized(strip, 1 / SCALE))[None]
            ),
            -1,
            1,
        )[0]
        for name, strip in held.items()
    }


def by_formula(held):
    """Bicubic interpolation of the strips, by name."""
    return {
        name: as_output(resized(resized(strip, 1 / SCALE), SCALE))
        for name, strip in held.items()
    }


def score(made, strip):
    """PSNR in decibels, and structural similarity, of one image."""
    results = []
    for metric in (PeakSignalNoiseRatio(2.0), StructuralSimilarity(2.0)):
        metric.update_state(as_output(strip)[None], made[None])
        results.append(float(metric.result()))
    return tuple(results)


def all_scores(made, held):
    """`score` by way, then by photograph."""
    return {
        way: {name: score(images[name], held[name]) for name in held}
        for way, images in made.items()
    }


def print_table(scores):
    """The scores by way and photograph."""
    names = list(next(iter(scores.values())))
    print(f"\n    {'held-out strip of':<20}", end="")
    print("".join(f"{name:>20}" for name in names))
    print(f"    {'':<20}" + f"{'PSNR':>12}{'SSIM':>8}" * len(names))
    for way, by_name in scores.items():
        cells = "".join(f"{p:9.2f} dB{s:8.3f}" for p, s in by_name.values())
        print(f"    {way:<20}{cells}")
    for after, before in (WAYS[1::-1], WAYS[:0:-1]):
        gains = (scores[after][n][0] - scores[before][n][0] for n in names)
        text = ", ".join(f"{gain:+.2f} dB" for gain in gains)
        print(f"    {after}, beside {before}: {text}")


def most_detailed(strip, side, number):
    """Where the squares with the most contrast are: `(y, x)` slices."""
    height, width = strip.shape[:2]
    squares = [
        (slice(y, y + side), slice(x, x + side))
        for y in range(0, height - side + 1, side)
        for x in range(0, width - side + 1, side)
    ]
    squares.sort(key=lambda square: -strip[square].std())
    return squares[:number]


def draw(held, made, path):
    """Details of the strips, beside each other in each way."""
    columns = {name: [] for name in ("small", *made, "original")}
    for name, strip in held.items():
        small = as_output(resized(strip, 1 / SCALE))
        for square in most_detailed(strip, side=48, number=3):
            half = tuple(
                slice(s.start // SCALE, s.stop // SCALE) for s in square
            )
            columns["small"].append(small[half])
            columns["original"].append(as_output(strip[square]))
            for way, images in made.items():
                columns[way].append(images[name][square])
    columns = {name: np.stack(images) for name, images in columns.items()}
    return draw_comparison(columns, path, zoom=3)


def main(arguments=None):
    """Runs the tutorial; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=pathlib.Path, default="out/super_resolution"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run; learns nothing"
    )
    options = parser.parse_args(arguments)
    require_packages()
    sizes = QUICK if options.quick else Sizes()

    print(f"Super-resolution, {SCALE} times, on {keras.backend.backend()}.")
    keras.utils.set_random_seed(options.seed)
    learn, held = photographs()
    x, y = draw_patches(learn, sizes.patches, sizes.side, options.seed)
    gan = make_gan(sizes, options.seed)
    print(f"  {gan.generator.count_params():,} parameters in the generator,")
    print(f"  {gan.discriminator.count_params():,} in the discriminator.")
    made = {"bicubic": by_formula(held)}
    print("  The generator alone:")
    pretrain(gan, x, y, sizes)
    made["pre-trained"] = enlarge(gan.generator, held)
    print("  Both networks:")
    history = play(gan, x, y, sizes)
    made["adversarial"] = enlarge(gan.generator, held)

    print_table(all_scores(made, held))
    draw(held, made, options.out / "enlarged.png")
    draw_losses(history, options.out / "losses.png", ["g_loss", "d_loss"])
    print(f"\nThe pictures are in {options.out}.")
    return 0


def require_packages():
    for module, extra in (
        *(("sklearn", "datasets"), ("PIL", "datasets")),
        ("matplotlib", "plots"),
    ):
        if importlib.util.find_spec(module) is None:
            sys.exit(
                f"This tutorial needs {module}, which is not installed: "
                f'pip install "keras_dl[{extra}]".'
            )


if __name__ == "__main__":
    sys.exit(main())
