"""Tutorial 4, pre-training: a tiny BERT reads Python's documentation.

Labels are dear, text is cheap. So a network first learns from text alone: some
tokens are hidden, and it says which ones stood there. What it must know for
that, it needs not learn again where there are labels.

    python tutorials/04_pretraining.py --out out/pretraining
    KERAS_BACKEND=jax python tutorials/04_pretraining.py --quick

You see

1. how text, here on ten topics, becomes rows of tokens, some of them hidden;
2. how many hidden tokens are guessed by counting, and how many by BERT;
3. what it matters which tokens are hidden, and whether always the same ones;
4. what it is good for. With a few labels, the pre-trained network tells which
   part of Python a sentence is about; beside it the same network from scratch,
   and one that counts words.

Every examination is on documents that were held out as a whole. Settings were
chosen on those for validation; what is printed comes from those for the test.
It works offline, on any backend, in about ten minutes on two CPU cores, and
leaves in the folder `--out`:

    learning_curves.png    hidden tokens guessed right, as it learns
    hidden_words.png       what the network guesses for words in sentences
    fine_tuning.png        with and without pre-training, few labels and more
    encoder.keras, vocabulary.json    what tutorial 5 goes on with
"""

import argparse
import collections
import importlib.util
import pathlib
import sys
import time
from typing import NamedTuple

import bert_baselines as baselines
import bert_pictures as pictures
import keras
import numpy as np
import python_documentation as python

from keras_dl.applications import BERT, Pretrainer, TaskModel
from keras_dl.datasets import Batches
from keras_dl.heads import Classification
from keras_dl.optimizers import LinearWarmupDecay
from keras_dl.text import (
    MaskedBatches,
    SubwordVocabulary,
    TokenMasking,
    WholeWordMasking,
    pack_document_sentences,
)

LENGTH, BATCH_SIZE, BLOCKS = 64, 16, 2


class Sizes(NamedTuple):
    """How much there is of everything.

    Attributes:
        files: Number of files of the standard library to read; `None`: all.
        vocabulary: Number of subwords.
        epochs: How often the long run reads each row.
        few_rows: Number of rows for the comparison of strategies.
        few_epochs: How often these are read.
        topics: Number of topics to read about, and to tell.
        labels: Numbers of labels for each topic to fine-tune with.
        test: Largest number of sentences on each topic to examine by.
        draws: How often the labels are drawn.
        updates: Number of updates in fine-tuning.
    """

    files: int | None = None
    vocabulary: int = 2000
    epochs: int = 11
    few_rows: int = 960
    few_epochs: int = 10
    topics: int = 10
    labels: tuple = (8, 32)
    test: int = 60
    draws: int = 3
    updates: int = 150


QUICK = Sizes(16, 500, 1, 32, 1, 2, (2,), 4, 2, 2)


# 1. From text to rows of tokens ----------------------------------------------
#
# Frequent words are one token, rare ones several. A row is filled with whole
# sentences of one document.


def choose_documents(parts, sizes):
    """The topics to read about, and the documents on them alone.

    All of the documentation would be too much to learn from in some minutes.
    """
    topics = python.choose_topics(parts, sizes.topics, sizes.test // 3)
    return topics, python.on_topics(parts, topics)


def make_vocabulary(documents, size):
    """Subwords of these documents, and a token to hide others with."""
    sentences = [s for document in documents for s in document.sentences]
    return SubwordVocabulary.train(
        sentences, size, min_count=2, special_tokens=["[MASK]"]
    )


def pack(documents, vocabulary):
    """Rows of ids, `[START] sentence ... sentence [END]`, of `LENGTH`."""
    ids = [
        [vocabulary.encode(sentence) for sentence in document.sentences]
        for document in documents
    ]
    return pack_document_sentences(ids, vocabulary, LENGTH).token_ids


def examination(rows, vocabulary, masking=TokenMasking):
    """Held-out rows in which always the same tokens are hidden."""
    return MaskedBatches(
        rows,
        masking(vocabulary),
        vocabulary,
        batch_size=64,
        dynamic=False,
        duplicates=1,
        shuffle=False,
    )


# 2. Counting -----------------------------------------------------------------
#
# How many hidden tokens would be right without any network?


def share_right(batches, guess):
    """The share of the hidden tokens that `guess(left, right)` gets right."""
    right = []
    for x, y in batches:
        row, slot = np.nonzero(y["masked_tokens"] >= 0)
        at = x["masked_positions"][row, slot]
        left, after = (x["token_ids"][row, at + i].tolist() for i in (-1, 1))
        right.extend(
            list(map(guess, left, after)) == y["masked_tokens"][row, slot]
        )
    return float(np.mean(right))


# 3. Pre-training -------------------------------------------------------------
#
# What is pre-trained is the encoder: for each token a vector, made of the whole
# row. The head that guesses hidden tokens is thrown away in the end.


def make_encoder(vocabulary):
    """A BERT as small as they come, with new weights."""
    return BERT(
        len(vocabulary),
        num_layers=BLOCKS,
        hidden_dim=128,
        num_heads=4,
        intermediate_dim=512,
        max_sequence_length=LENGTH,
        dropout=0.0,  # It reads too little, too few times, to need it.
        initializer_range=0.05,
    )


def adamw(rate, updates):
    """AdamW whose rate rises for a tenth of the updates, then falls to 0."""
    return keras.optimizers.AdamW(
        LinearWarmupDecay(rate, updates, warmup_steps=updates // 10),
        weight_decay=0.01,
        beta_2=0.98,
        global_clipnorm=1.0,
    )


class Curve(keras.callbacks.Callback):
    """Examines the model after epochs, four times at least, and writes it down.

    Attributes:
        updates: Number of updates until then.
        learnt: The share of right guesses in the epoch, as it learns.
        held: The same in the examination.
    """

    def __init__(self, held_out):
        super().__init__()
        self.held_out, self.begin = held_out, time.perf_counter()
        self.updates, self.learnt, self.held = [], [], []

    def on_epoch_end(self, epoch, logs=None):
        epochs = self.params["epochs"]
        if (epoch + 1) % max(1, epochs // 4) and epoch + 1 < epochs:
            return
        self.updates.append((epoch + 1) * self.params["steps"])
        self.learnt.append(float(logs["accuracy"]))
        self.held.append(accuracy(self.model, self.held_out))
        seconds = time.perf_counter() - self.begin
        print(
            f"    {self.updates[-1]:5d} updates: right {self.learnt[-1]:6.1%}, "
            f"held out {self.held[-1]:6.1%}   ({seconds:.0f} s)",
            flush=True,
        )


def accuracy(model, batches):
    """The share of hidden tokens that the model gets right."""
    results = model.evaluate(batches, verbose=0, return_dict=True)
    return float(results["accuracy"])


class Strategy(NamedTuple):
    """What is hidden.

    Attributes:
        masking: Class of `keras_dl.text` that chooses tokens.
        rate: The share of tokens that is chosen.
        dynamic: Whether others are chosen in each epoch, or always the same.
    """

    masking: type
    rate: float
    dynamic: bool


# BERT hides 15 %. From each row that is twice as little to learn as from 30 %:
# for a small network that reads little, section 4 shows that it is too little.
MAIN = Strategy(TokenMasking, 0.3, dynamic=True)


def pretrain(rows, vocabulary, epochs, held_out, strategy=MAIN, seed=0):
    """Trains a new encoder, with a head for hidden tokens.

    Args:
        rows: Ids to learn from.
        vocabulary: Their vocabulary.
        epochs: How often each row is read.
        held_out: Batches to examine by.
        strategy: `Strategy`.
        seed: Where all randomness comes from.

    Returns:
        The model, and its `Curve`.
    """
    keras.utils.set_random_seed(seed)
    batches = MaskedBatches(
        rows,
        strategy.masking(vocabulary, strategy.rate),
        vocabulary,
        BATCH_SIZE,
        dynamic=strategy.dynamic,
        duplicates=1,
        seed=seed,
        drop_remainder=True,
    )
    model = Pretrainer(make_encoder(vocabulary), "masked_tokens")
    model.compile(adamw(3e-3, epochs * len(batches)))
    curve = Curve(held_out)
    model.fit(batches, epochs=epochs, verbose=0, callbacks=[curve])
    return model, curve


# 4. Strategies ---------------------------------------------------------------
#
# Whether other tokens are hidden each time matters where a text is read often.
# So these runs read little, many times. And where the end of a word is hidden,
# its beginning may give it away: whole words are another exercise.

STRATEGIES = {
    "15 % of tokens, always the same": Strategy(TokenMasking, 0.15, False),
    "15 % of tokens": Strategy(TokenMasking, 0.15, True),
    "15 %, whole words": Strategy(WholeWordMasking, 0.15, True),
    "30 % of tokens": Strategy(TokenMasking, 0.3, True),
}


class Outcome(NamedTuple):
    """What came of a strategy.

    Attributes:
        curve: Its `Curve`.
        tokens: The share that is right of tokens hidden one by one.
        words: The same of tokens of words that are hidden as a whole.
    """

    curve: Curve
    tokens: float
    words: float


def compare_strategies(rows, held_rows, vocabulary, sizes, seed):
    """The `Outcome` of each strategy, with few rows that are read often."""
    order = np.random.RandomState(seed).permutation(len(rows))
    few = rows[order[: sizes.few_rows]]
    tokens, words = (
        examination(held_rows, vocabulary, masking)
        for masking in (TokenMasking, WholeWordMasking)
    )
    outcomes = {}
    for name, strategy in STRATEGIES.items():
        print(f"  {name}:")
        model, curve = pretrain(
            few, vocabulary, sizes.few_epochs, tokens, strategy, seed
        )
        held = curve.held[-1], accuracy(model, words)
        outcomes[name] = Outcome(curve, *held)
    return outcomes


def print_strategies(outcomes):
    heads = ("learnt from", "tokens held out", "words held out")
    print(f"\n    {'':<32}" + "".join(f"{head:>17}" for head in heads))
    for name, (curve, *held) in outcomes.items():
        cells = "".join(f"{s:17.1%}" for s in (curve.learnt[-1], *held))
        print(f"    {name:<32}{cells}")


# 5. Fine-tuning --------------------------------------------------------------
#
# Which part of Python is a sentence about? A new head says it, on the encoder
# that has read, or on one that has not. All weights go on learning.


def fine_tune(encoder, examples, vocabulary, updates, seed):
    """The encoder with a head for topics, trained on the examples."""
    model = TaskModel(encoder, Classification(len(set(examples.topics))))
    batches = Batches(
        inputs(examples.sentences, vocabulary),
        examples.topics,
        BATCH_SIZE,
        shuffle=True,
        seed=seed,
    )
    epochs = max(1, round(updates / len(batches)))
    model.compile(adamw(1e-3, epochs * len(batches)))
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0)
    return model


def inputs(sentences, vocabulary):
    """Each sentence in a row of its own."""
    ids = vocabulary.encode_batch(sentences, LENGTH, start=True, end=True)
    return {"token_ids": ids}


def compare_fine_tuning(encoder, parts, topics, vocabulary, sizes):
    """Shares of right topics by `(method, labels)`, one for each draw."""
    test = python.draw_examples(parts.test, topics, sizes.test, seed=0)
    asked = inputs(test.sentences, vocabulary)
    shares = collections.defaultdict(list)
    for labels in sizes.labels:
        for draw in range(sizes.draws):
            given = python.draw_examples(parts.train, topics, labels, draw)
            guess = baselines.WordCounts(given)
            answers = {"counting words": list(map(guess, test.sentences))}
            for name in ("from scratch", "pre-trained"):
                keras.utils.set_random_seed(draw)
                start = make_encoder(vocabulary)
                if name == "pre-trained":
                    start.set_weights(encoder.get_weights())
                model = fine_tune(start, given, vocabulary, sizes.updates, draw)
                found = model.predict(asked, batch_size=128, verbose=0)
                answers[name] = found.argmax(axis=1)
            for name, topic in answers.items():
                shares[name, labels].append(np.mean(topic == test.topics))
    return dict(shares)


def print_fine_tuning(shares, sizes):
    """Mean and standard deviation over the draws of labels."""
    names = dict.fromkeys(name for name, _ in shares)
    print(f"\n    {'topics told right':<20}", end="")
    print("".join(f"{f'{n} labels each':>18}" for n in sizes.labels))
    for name in names:
        cells = (spread(shares[name, n]) for n in sizes.labels)
        print(f"    {name:<20}" + "".join(f"{cell:>18}" for cell in cells))
    for n in sizes.labels:
        gains = np.subtract(shares["pre-trained", n], shares["from scratch", n])
        print(
            f"    Pre-training adds, with {n} labels each, draw by draw: "
            + ", ".join(f"{100 * gain:+.1f}" for gain in gains)
        )


def spread(shares):
    return f"{np.mean(shares):.1%} ± {100 * np.std(shares, ddof=1):.1f}"


# 6. Hidden words -------------------------------------------------------------


class Puzzle(NamedTuple):
    """A sentence with a hidden word.

    Attributes:
        text: The sentence with a gap.
        word: What stood there.
        ids: The row of ids, with the mask.
        position: Where in the row that is.
    """

    text: str
    word: str
    ids: list
    position: int


def make_puzzles(sentences, vocabulary, number, seed):
    """Hides a word of at least four letters, a single token, in sentences."""
    random = np.random.RandomState(seed)
    puzzles = []
    for i in random.permutation(len(sentences)):
        ids, offsets = vocabulary.encode_with_offsets(sentences[i])
        tokens = [vocabulary.id_to_token(id) for id in ids]
        goes_on = [token.startswith("##") for token in [*tokens[1:], ""]]
        words = [
            at
            for at, token in enumerate(tokens)
            if token.isalpha() and len(token) >= 4 and not goes_on[at]
        ]
        if words and len(ids) <= LENGTH - 2 and len(puzzles) < number:
            at = int(random.choice(words))
            begin, end = offsets[at]
            text = f"{sentences[i][:begin]}____{sentences[i][end:]}"
            ids[at] = vocabulary.mask_id
            ids = [vocabulary.start_id, *ids, vocabulary.end_id]
            puzzles.append(Puzzle(text, tokens[at], ids, at + 1))
    return puzzles


def solve(model, puzzles, vocabulary, number=5):
    """For each puzzle, the likeliest tokens with their probabilities."""
    x = {
        "token_ids": vocabulary.pad([puzzle.ids for puzzle in puzzles], LENGTH),
        "masked_positions": np.array([[p.position] for p in puzzles], "int32"),
    }
    logits = model.predict(x, verbose=0)[:, 0]
    shares = pictures.softmax(logits)
    return [
        [
            (vocabulary.id_to_token(int(id)), float(row[id]))
            for id in np.argsort(-row)[:number]
        ]
        for row in shares
    ]


# 7. The whole way ------------------------------------------------------------


def main(arguments=None):
    """Runs the tutorial; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default="out/pretraining")
    parser.add_argument("--epochs", type=int, help="of the long run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run; learns nothing"
    )
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else Sizes()
    if options.epochs:
        sizes = sizes._replace(epochs=options.epochs)
    require_packages("matplotlib", "tokenizers")
    options.out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()

    print(f"Pre-training, on {keras.backend.backend()}.")
    parts = python.read_parts(sizes.files)
    topics, parts = choose_documents(parts, sizes)
    vocabulary = make_vocabulary(parts.train, sizes.vocabulary)
    rows, held_rows = (
        pack(part, vocabulary) for part in (parts.train, parts.test)
    )
    held_out = examination(held_rows, vocabulary)
    print(
        f"{len(rows):,} rows to learn from, {len(held_rows):,} held out, "
        f"{len(vocabulary):,} subwords. A row begins:\n    "
        + " ".join(map(vocabulary.id_to_token, held_rows[0][:16]))
    )

    guess = baselines.Neighbours(rows, vocabulary.special_ids)
    counted = {
        "most frequent token": share_right(
            held_out, lambda left, right: guess.most_frequent
        ),
        "by both neighbours": share_right(held_out, guess),
    }
    print("\nGuessing hidden tokens by counting, held out:")
    for name, share in counted.items():
        print(f"    {name:<24}{share:6.1%}")
    print("\nPre-training:")
    model, curve = pretrain(
        rows, vocabulary, sizes.epochs, held_out, seed=options.seed
    )
    vocabulary.save(options.out / "vocabulary.json")
    model.encoder.save(options.out / "encoder.keras")

    print("\nStrategies, on a few rows that are read often:")
    outcomes = compare_strategies(
        rows, held_rows, vocabulary, sizes, options.seed
    )
    print_strategies(outcomes)

    print(f"\nFine-tuning: which of these is a sentence about?\n    {topics}")
    shares = compare_fine_tuning(
        model.encoder, parts, topics, vocabulary, sizes
    )
    print_fine_tuning(shares, sizes)

    sentences = [
        s
        for topic in topics
        for s in python.prose(parts.test, topic)
        if len(s) < 120
    ]
    puzzles = make_puzzles(sentences, vocabulary, 8, options.seed)
    solutions = solve(model, puzzles, vocabulary)
    pictures.draw_curves(
        curve, counted, outcomes, options.out / "learning_curves.png"
    )
    pictures.draw_puzzles(puzzles, solutions, options.out / "hidden_words.png")
    pictures.draw_fine_tuning(
        shares, 1 / len(topics), options.out / "fine_tuning.png"
    )
    print(
        f"\nThree pictures, the encoder and its vocabulary are in {options.out}"
        f" ({time.perf_counter() - begin:.0f} s)."
    )
    return 0


def require_packages(*packages):
    """Ends the script with a clear message if one of them is missing."""
    extras = {"matplotlib": "plots", "tokenizers": "nlp"}
    for package in packages:
        if importlib.util.find_spec(package) is None:
            sys.exit(
                f"This tutorial needs {package}, which is not installed: "
                f'pip install "keras_dl[{extras[package]}]".'
            )


if __name__ == "__main__":
    sys.exit(main())
