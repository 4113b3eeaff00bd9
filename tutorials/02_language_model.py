"""Tutorial 2, a language model: Python's documentation, letter by letter.

Given the letters so far, which comes next? We count (n-grams), then train
stacked LSTMs, compare both on text that neither has seen, and let the network
write. The text is the documentation that every Python carries with it, what
`help("while")` shows; so all of this works offline, on any backend.

    python tutorials/02_language_model.py --out out/language_model
    KERAS_BACKEND=jax python tutorials/02_language_model.py --quick

It takes some minutes on two CPU cores, and leaves `learning_curve.png` in the
folder `--out`.
"""

import argparse
import importlib.util
import pathlib
import sys
import time
from pydoc_data.topics import topics

import keras
import numpy as np

from keras_dl import generate
from keras_dl.applications import LanguageModel
from keras_dl.generation import BeamSearch, Sampling
from keras_dl.optimizers import LinearWarmupDecay
from keras_dl.text import (
    CharacterVocabulary,
    LanguageModelBatches,
    ngram_perplexity,
)

ORDERS = (1, 2, 3, 4, 5)
PROMPT = "The statement "


# 1. The text -----------------------------------------------------------------


def documentation():
    """Python's documentation as one text, in which no paragraph comes twice.

    Some topics quote others at length. A paragraph that stood in both parts
    would let a model shine that has only learnt it by heart.
    """
    seen, paragraphs = set(), []
    for name in sorted(topics):
        for paragraph in topics[name].split("\n\n"):
            words = " ".join(paragraph.split())
            if words and words not in seen:
                seen.add(words)
                paragraphs.append(paragraph)
    return "\n\n".join(paragraphs)


def split(text, held_out=0.1):
    """The beginning to learn from, and the end to be examined on."""
    cut = int(len(text) * (1 - held_out))
    return text[:cut], text[cut:]


# 2. Counting -----------------------------------------------------------------
#
# Perplexity is exp(mean of -ln p(letter)): how many equally likely letters a
# model hesitates between, on average. 1 is certainty; guessing blindly gives
# the number of letters there are.


def baselines(train_ids, held_ids, size):
    """Perplexity of n-gram models of several orders, on the held-out text."""
    return {
        order: ngram_perplexity(train_ids, held_ids, order, size)
        for order in ORDERS
    }


# 3. Learning -----------------------------------------------------------------


class Curve(keras.callbacks.Callback):
    """Examines the model on held-out text now and then, and writes it down."""

    def __init__(self, held_out, updates_between):
        super().__init__()
        self.held_out, self.between = held_out, updates_between
        self.updates, self.perplexities, self.done = [], [], 0
        self.begin = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.done += self.params["steps"]
        last = epoch + 1 == self.params["epochs"]
        if not last and (epoch + 1) % self.between:
            return
        perplexity = examine(self.model, self.held_out)
        self.updates.append(self.done)
        self.perplexities.append(perplexity)
        training, seconds = logs["perplexity"], time.perf_counter() - self.begin
        print(
            f"    {self.done:5d} updates: training {float(training):6.2f}, "
            f"held out {perplexity:6.2f}   ({seconds:.0f} s)",
            flush=True,
        )


def examine(model, batches):
    """The perplexity on batches."""
    results = model.evaluate(batches, verbose=0, return_dict=True)
    return float(results["perplexity"])


def train(ids, held_ids, size, options):
    """Trains the model; returns it with its learning curve."""
    model = LanguageModel(size, options.units, num_layers=2)
    batches = LanguageModelBatches(
        ids,
        length=options.length,
        batch_size=options.batch_size,
        shuffle=True,
        seed=options.seed,
        drop_remainder=True,
    )
    # Each window begins with an empty memory. So held-out windows are long:
    # the network has little to go by in the first letters of each, which
    # count, against it.
    window = min(1000, (len(held_ids) - 1) // 8)
    held_out = LanguageModelBatches(held_ids, window, batch_size=16)
    # The rate rises quickly, and falls to 0 towards the end. Gradients through
    # many steps may explode: a norm above 1 is cut down to 1.
    updates = options.epochs * len(batches)
    rate = LinearWarmupDecay(options.rate, updates, warmup_steps=updates // 20)
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0))
    curve = Curve(held_out, max(1, options.epochs // 5))
    model.fit(
        batches,
        epochs=options.epochs,
        shuffle=False,  # The batches permute themselves.
        verbose=0,
        callbacks=[curve],
    )
    return model, curve


# 4. Writing ------------------------------------------------------------------


def write(model, vocabulary, letters):
    """Lets the model write, more and more boldly, then with foresight."""
    for temperature in (0.5, 0.8, 1.0):
        print(f"\n--- drawn at temperature {temperature}, top_p 0.95")
        print(PROMPT, end="")
        for piece in generate(
            model,
            PROMPT,
            letters,
            Sampling(temperature, top_p=0.95, seed=1),
            vocabulary,
            stream=True,
        ):
            print(piece, end="", flush=True)
        print()
    # The likeliest text, as far as four beams see. It tends to repeat itself:
    # what is likely is not what people write.
    print("\n--- beam search, 4 beams")
    print(
        PROMPT
        + generate(model, PROMPT, letters // 2, BeamSearch(4), vocabulary)
    )


def draw(curve, counted, path):
    """The learning curve, and what counting reaches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.plot(curve.updates, curve.perplexities, "C0o-", label="LSTMs")
    for order, perplexity in counted.items():
        axes.axhline(perplexity, color="0.5", linewidth=1, linestyle="--")
        axes.annotate(
            f"{order}-grams: {perplexity:.2f}",
            (0.99, perplexity),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            fontsize=9,
        )
    every = [*counted.values(), *curve.perplexities]
    axes.set(
        title="Python's documentation, letter by letter",
        xlabel="updates",
        ylabel="perplexity on held-out text",
        yscale="log",
        xlim=(0, 1.2 * curve.updates[-1]),
        ylim=(0.9 * min(every), 1.2 * max(every)),
    )
    ticks = (3, 4, 5, 6, 8, 10, 15, 20, 30, 40)
    axes.set_yticks(ticks, [str(tick) for tick in ticks], minor=False)
    axes.set_yticks([], minor=True)
    axes.legend(loc="upper center")
    figure.savefig(path)


def print_table(counted, network, size):
    """Perplexities and bits of the models, the best marked."""
    rows = {"guessing blindly": size}
    rows.update({f"{order}-grams": p for order, p in counted.items()})
    rows["two LSTMs"] = network
    best = min(rows.values())
    print("\n    on held-out text     perplexity   bits per letter")
    for name, value in rows.items():
        mark = "   <- best" if value == best else ""
        print(f"    {name:<20}{value:11.2f}{np.log2(value):18.2f}{mark}")


def main(arguments=None):
    """Runs the tutorial; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=pathlib.Path, default="out/language_model"
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--letters", type=int, default=300, help="to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run; learns little"
    )
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("matplotlib") is None:
        sys.exit(
            "This tutorial needs matplotlib, which is not installed: "
            'pip install "keras_dl[plots]".'
        )
    text = documentation()
    if options.quick:
        text, options.units, options.epochs = text[:20000], 16, 1
        options.letters = 20
    options.out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(options.seed)

    learn, held = split(text)
    # Letters that come less than ten times are read as one, the unknown one.
    vocabulary = CharacterVocabulary.train([learn], min_count=10)
    ids, held_ids = vocabulary.encode(learn), vocabulary.encode(held)
    print(
        f"A language model, on {keras.backend.backend()}: {len(ids):,} letters "
        f"to learn from, {len(held_ids):,} held out, {len(vocabulary)} "
        "different ones."
    )
    counted = baselines(ids, held_ids, len(vocabulary))
    print("Counting: " + ", ".join(f"{p:.2f}" for p in counted.values()))
    model, curve = train(ids, held_ids, len(vocabulary), options)
    write(model, vocabulary, options.letters)
    draw(curve, counted, options.out / "learning_curve.png")
    print_table(counted, curve.perplexities[-1], len(vocabulary))
    print(f"\nThe learning curve is in {options.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
