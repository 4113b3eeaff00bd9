"""Tutorial 7, digits to order: a GAN that is told what to draw.

A conditional DCGAN learns from handwritten digits, real ones of 8 x 8 pixels
that come with scikit-learn, and then writes any digit that it is asked for. How
good are they? Two classifiers tell, which never see the GAN's own networks:

- A judge learns real digits, and reads generated ones. We count how much of
  its probability goes to the digit that was asked for. It knows a bad digit,
  but would be content with one good example of each.
- A pupil learns generated digits alone, and then reads real ones that nobody
  has trained on. It can only be as good as its lessons are varied.

    python tutorials/07_digits.py --out out/digits
    KERAS_BACKEND=jax python tutorials/07_digits.py --quick

It works offline and on any backend, in a few minutes on two CPU cores, and
leaves in the folder `--out`:

    epoch_<n>.png, samples.gif   a column for each digit, as the GAN learns
    real.png                     real digits, to compare with
    walks.png                    from one handwriting to another
    losses.png                   the balance of the two players
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
from keras_dl.applications import DCGAN, MLP
from keras_dl.callbacks import (
    SampleGrid,
    draw_image_grid,
    draw_interpolations,
    draw_losses,
)

DIGITS, SHAPE, LEVELS = 10, (8, 8, 1), 16
BATCH_SIZE, LATENT, BASE = 64, 32, 32
SHOWN, ZOOM, PICTURES, REPORTED = 8, 4, 20, 20
STEPS_OF_A_WALK, JUDGE_EPOCHS = 12, 30
EXPLANATION = """
    confidence   the judge's mean probability of the digit asked for
    recognised   share of generated digits that it takes for what was asked for
    (real ones)  the same of real digits that were held out
    pupil        share of these that a classifier reads which has learnt from
                 generated digits alone
    spread       how much generated digits of a class differ, real ones being 1

There are {} generated digits, and {} held-out ones."""

# 1. The data -----------------------------------------------------------------
#
# 1797 digits of 43 people, in 17 shades of grey. The GAN and the judge learn
# from the same part; the held-out part is for the two examinations.


def to_images(rows):
    """Rows of 64 shades, 0 to 16, as images of -1 to 1."""
    return (rows.reshape(-1, *SHAPE) * (2 / LEVELS) - 1).astype("float32")


def load(seed):
    """Images to learn from and held-out ones, as two `Split`s."""
    data = datasets.load("digits", seed=seed, validation=0)
    return [
        datasets.Split(to_images(part.x), part.y)
        for part in (data.train, data.test)
    ]


def to_rows(images):
    """The images as rows of 64 numbers, as classifiers take them."""
    return images.reshape(len(images), -1)


def of_each(labels, count):
    """Where to find `count` examples of each digit, row by row."""
    places = [np.flatnonzero(labels == digit)[:count] for digit in range(10)]
    return np.stack(places, axis=1).ravel()


# 2. The GAN ------------------------------------------------------------------
#
# The class goes into both networks: the generator must know what to draw, and
# the discriminator whether what it sees is what was asked for.


def make_gan(steps, seed):
    """A small conditional DCGAN, compiled for so many steps."""
    gan = DCGAN(SHAPE, DIGITS, latent_dim=LATENT, base=BASE, seed=seed)

    def adam():
        rate = keras.optimizers.schedules.CosineDecay(1e-3, steps, alpha=0.05)
        return keras.optimizers.Adam(rate, beta_1=0.5)

    gan.compile({"generator": adam(), "discriminator": adam()})
    return gan


def asked(rows):
    """The digits 0 to 9, so many times."""
    return np.tile(np.arange(DIGITS, dtype="int32"), rows)


def train(gan, split, epochs, out, seed):
    """Trains on a split; the same noise is drawn again and again."""
    digits = asked(SHOWN)
    # A row is one handwriting: all ten digits from the same noise.
    noise = np.repeat(gan.sample_noise(SHOWN, seed=seed), DIGITS, axis=0)
    grid = SampleGrid(
        lambda model: model.generate(conditions=digits, noise=noise),
        out,
        every=max(1, epochs // PICTURES),
        columns=DIGITS,
        zoom=ZOOM,
    )
    callbacks = [grid, keras.callbacks.LambdaCallback(on_epoch_end=report)]
    return gan.fit(
        *(split.x, split.y),
        batch_size=BATCH_SIZE,
        epochs=epochs,
        callbacks=callbacks,
        verbose=0,
    )


def report(epoch, logs):
    """A line now and then."""
    if epoch == 0 or (epoch + 1) % REPORTED == 0:
        numbers = ", ".join(f"{k} {float(v):.2f}" for k, v in logs.items())
        print(f"    epoch {epoch + 1:3}: {numbers}")


# 3. The examinations ---------------------------------------------------------


def learn_to_read(images, labels, epochs, seed):
    """A classifier of digits, trained on these images."""
    keras.utils.set_random_seed(seed)
    rows = to_rows(images)
    model = MLP(units=(256,), num_outputs=DIGITS, dropout=0.5)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(rows, labels, batch_size=32, epochs=epochs, verbose=0)
    return model


class Marks(NamedTuple):
    """How a classifier reads images, digit by digit.

    Attributes:
        confidence: Mean probability of the right digit.
        accuracy: Share of images for which it is the most probable.
    """

    confidence: np.ndarray
    accuracy: np.ndarray


def marks(reader, images, labels):
    """Examines a classifier, or the images: the `Marks` of each digit."""
    probabilities = reader.predict(to_rows(images), verbose=0)
    right = probabilities[np.arange(len(labels)), labels]
    hits = probabilities.argmax(axis=-1) == labels
    each = [labels == digit for digit in range(DIGITS)]
    return Marks(
        np.array([right[chosen].mean() for chosen in each]),
        np.array([hits[chosen].mean() for chosen in each]),
    )


def spread(images, labels):
    """Root mean square distance of two images of a digit, for each digit."""
    rows = to_rows(images)
    each = [rows[labels == digit] for digit in range(DIGITS)]
    # Two independent draws differ by twice the variance.
    return np.sqrt([2 * part.var(axis=0).sum() for part in each])


# 4. What came of it ----------------------------------------------------------


def draw(gan, history, split, out, seed):
    """The pictures but those of the epochs."""
    real = split.x[of_each(split.y, SHOWN)]
    draw_image_grid(real, out / "real.png", DIGITS, zoom=ZOOM)
    draw_losses(
        history,
        out / "losses.png",
        {"d_loss": "discriminator", "g_loss": "generator"},
    )
    noise = gan.sample_noise(2 * DIGITS, seed=seed + 1)
    walked = np.repeat(np.arange(DIGITS, dtype="int32"), STEPS_OF_A_WALK)
    draw_interpolations(
        lambda points: gan.generate(conditions=walked, noise=points),
        *(noise[:DIGITS], noise[DIGITS:], STEPS_OF_A_WALK),
        path=out / "walks.png",
        zoom=ZOOM,
    )


def print_table(columns):
    """A row for each digit, and their mean."""
    width = 13
    print("\n    digit" + "".join(f"{name:>{width}}" for name in columns))
    table = np.stack(list(columns.values()), axis=1)
    labels = [*map(str, range(DIGITS)), "mean"]
    for label, row in zip(labels, [*table, table.mean(axis=0)], strict=True):
        cells = "".join(f"{value:>{width}.3f}" for value in row)
        print(f"    {label:<5}{cells}")


def examine(gan, learn, test, count, epochs, seed):
    """Prints what judge and pupil say of `count` generated digits of each."""
    labels = asked(count)
    images = gan.generate(conditions=labels, seed=seed + 2, batch_size=500)
    judge = learn_to_read(learn.x, learn.y, epochs, seed)
    # As many updates for both: the pupil has as many examples as the judge.
    fewer = slice(len(learn))
    pupil = learn_to_read(images[fewer], labels[fewer], epochs, seed)
    asked_for, real = marks(judge, images, labels), marks(judge, test.x, test.y)
    learnt = marks(pupil, test.x, test.y)
    print_table(
        {
            "confidence": asked_for.confidence,
            "recognised": asked_for.accuracy,
            "(real ones)": real.accuracy,
            "pupil": learnt.accuracy,
            "spread": spread(images, labels) / spread(learn.x, learn.y),
        }
    )
    print(EXPLANATION.format(len(labels), len(test)))
    recognised = int((asked_for.confidence >= 0.5).sum())
    print(
        f"The judge's confidence in the digit asked for is "
        f"{asked_for.confidence.mean():.3f}; {recognised} of {DIGITS} digits "
        "are told apart."
    )


def main(arguments=None):
    """Runs the tutorial; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default="out/digits")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--count", type=int, default=200, help="of each digit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run; learns nothing"
    )
    options = parser.parse_args(arguments)
    for name in ("epochs", "count"):
        if getattr(options, name) < 1:
            parser.error(
                f"--{name} must be at least 1. "
                f"Received: {getattr(options, name)}."
            )
    judge_epochs = JUDGE_EPOCHS
    if options.quick:
        options.epochs, options.count, judge_epochs = 2, 10, 1
    if importlib.util.find_spec("matplotlib") is None:
        sys.exit(
            "This tutorial needs matplotlib, which is not installed: "
            'pip install "keras_dl[plots]".'
        )

    print(f"Digits to order, on {keras.backend.backend()}.")
    keras.utils.set_random_seed(options.seed)
    learn, test = load(options.seed)
    gan = make_gan(options.epochs * -(-len(learn) // BATCH_SIZE), options.seed)
    print(
        f"\nA GAN of {gan.count_params():,} parameters learns from "
        f"{len(learn)} digits."
    )
    begin = time.perf_counter()
    history = train(gan, learn, options.epochs, options.out, options.seed)
    print(f"    {time.perf_counter() - begin:.0f} seconds of training")
    draw(gan, history, learn, options.out, options.seed)
    how = options.count, judge_epochs, options.seed
    examine(gan, learn, test, *how)
    print(f"The pictures are in {options.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
