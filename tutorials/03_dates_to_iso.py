"""Tutorial 3, dates to ISO: from sequence to sequence, twice.

A date is written in many ways: "3 May 2021", "May the 3rd, 2021", "03.05.21",
"the third of May 2021". Two models learn to write "2021-05-03", letter by
letter: an LSTM encoder and decoder with attention, and a small Transformer.
They see the same examples as often. Then both are asked about dates that they
have never seen, in any way of writing.

    python tutorials/03_dates_to_iso.py --out out/dates
    KERAS_BACKEND=jax python tutorials/03_dates_to_iso.py --quick

It works offline and on any backend, in a few minutes on two CPU cores, and
leaves in the folder `--out`:

    <model>_epoch_<n>.png    where the model looked after each epoch
    <model>_learning.gif     the same as a film
    transformer_heads.png    each attention head of the Transformer alone

with `seq2seq` and `transformer` for `<model>`.

**Conventions.** Some dates can be read in two ways; here only one is right:

- Numbers alone come as day, month, year: 03.05.21 is the 3rd of May.
- Two digits of a year mean 1950 to 2049: 49 is 2049, and 50 is 1950.
- A year of four digits at the beginning is followed by month and day.
"""

import argparse
import datetime
import importlib.util
import pathlib
import sys
import time
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_dl import generate
from keras_dl.applications import Seq2Seq, Transformer
from keras_dl.callbacks import AttentionMaps, draw_attention
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import ExactMatch
from keras_dl.models import features
from keras_dl.optimizers import LinearWarmupDecay, Noam
from keras_dl.text import CharacterVocabulary, TeacherForcingBatches

# 1. The data -----------------------------------------------------------------
#
# All days from 1950 to 2049. Names are English, whatever the machine speaks.

FIRST, LAST = datetime.date(1950, 1, 1), datetime.date(2049, 12, 31)
SHOWN, BATCH_SIZE, MOST_TESTED = 3, 64, 30000
MONTHS = str.split(
    "January February March April May June July August September October "
    "November December"
)
WEEKDAYS = str.split("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
ORDINALS = str.split(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh "
    "twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth "
    "nineteenth twentieth twenty-first twenty-second twenty-third "
    "twenty-fourth twenty-fifth twenty-sixth twenty-seventh twenty-eighth "
    "twenty-ninth thirtieth thirty-first"
)
STYLES = (
    "{d} {month} {y}",  # 3 May 2021
    "{month} {d}, {y}",  # May 3, 2021
    "{month} the {nth}, {y}",  # May the 3rd, 2021
    "{dd}.{mm}.{yy}",  # 03.05.21
    "{d}.{m}.{y}",  # 3.5.2021
    "{d}/{m}/{y}",  # 3/5/2021
    "{wd}, {d} {mon} {y}",  # Mon, 3 May 2021
    "the {ordinal} of {month} {y}",  # the third of May 2021
    "{dd}-{mon}-{yy}",  # 03-May-21
    "{weekday} the {nth} of {month} '{yy}",  # Monday the 3rd of May '21
    "{y} {mon} {d}",  # 2021 May 3
    "{y}{mm}{dd}",  # 20210503
)


def write(date, style):
    """A date in one of the styles."""
    month, weekday = MONTHS[date.month - 1], WEEKDAYS[date.weekday()]
    return style.format(
        **{"d": date.day, "m": date.month, "y": date.year},
        **{"dd": f"{date.day:02d}", "mm": f"{date.month:02d}"},
        **{"mon": month[:3], "month": month},
        **{"wd": weekday[:3], "weekday": weekday},
        nth=f"{date.day}{ending(date.day)}",
        ordinal=ORDINALS[date.day - 1],
        yy=f"{date.year % 100:02d}",
    )


def ending(day):
    """What makes 3 the 3rd."""
    if day in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def split_days(num_test, seed):
    """All days in random order: those for training, and those held out."""
    days = (LAST - FIRST).days + 1
    order = np.random.RandomState(seed).permutation(days)
    dates = [FIRST + datetime.timedelta(int(i)) for i in order]
    return dates[num_test:], dates[:num_test]


def examples(dates, seed):
    """Each date once, in a style drawn at random: `(sources, targets)`."""
    drawn = np.random.RandomState(seed).randint(len(STYLES), size=len(dates))
    sources = [
        write(date, STYLES[style])
        for date, style in zip(dates, drawn, strict=True)
    ]
    return sources, [date.isoformat() for date in dates]


# 2. The models ---------------------------------------------------------------
#
# Both read the source once, and write the target letter by letter; for each
# letter they look back at the source. That look is what the pictures show.


def make_seq2seq(vocabulary, updates):
    """LSTM encoder and decoder with attention, and its optimizer."""
    model = Seq2Seq(len(vocabulary), units=128)
    rate = LinearWarmupDecay(4e-3, updates, warmup_steps=updates // 20)
    return model, keras.optimizers.Adam(rate, global_clipnorm=1.0)


def make_transformer(vocabulary, updates):
    """A Transformer of two blocks, with the optimizer of its paper."""
    model = Transformer(
        len(vocabulary),
        num_layers=2,
        hidden_dim=64,
        num_heads=4,
        intermediate_dim=256,
        dropout=0.05,
        norm_first=True,
    )
    # The paper's rate rises for 4000 updates: here, for a fifth of them all.
    rate = Noam(64, warmup_steps=max(1, updates // 5), factor=0.6)
    return model, keras.optimizers.Adam(rate, beta_2=0.98, epsilon=1e-9)


MODELS = {"seq2seq": make_seq2seq, "transformer": make_transformer}


def train(name, vocabulary, batches, epochs, shown, out):
    """Trains one of the models, and draws where it looks as it learns."""
    model, optimizer = MODELS[name](vocabulary, epochs * len(batches))
    model.compile(
        optimizer,
        LabelSmoothedCrossentropy(0.0, ignore_class=0),
        metrics=[ExactMatch(ignore_class=0)],
    )
    maps = AttentionMaps(
        *shown,
        out / f"{name}_epoch_{{epoch:02d}}.png",
        vocabulary=vocabulary,
        gif=out / f"{name}_learning.gif",
    )
    # The batches permute themselves.
    callbacks = [maps, keras.callbacks.LambdaCallback(on_epoch_end=report)]
    model.fit(
        batches, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=0
    )
    return model


class Result(NamedTuple):
    """What came of one model."""

    shares: list
    parameters: int
    seconds: float


def report(epoch, logs):
    """One line for each epoch."""
    loss, right = float(logs["loss"]), float(logs["exact_match"])
    print(f"    epoch {epoch + 1:2d}: loss {loss:.4f}, right {right:6.1%}")


# 3. The examination ----------------------------------------------------------
#
# While it was trained, the decoder read the true letters before each one. Now
# it reads its own, and a date counts only if all ten of them are right.


def by_style(dates, model, vocabulary):
    """For each style, the share of the dates that come out right.

    The model writes the likeliest letter each time.
    """
    sources = [write(date, style) for style in STYLES for date in dates]
    answers = generate(model, sources, 12, "greedy", vocabulary)
    right = [date.isoformat() for date in dates] * len(STYLES)
    hits = np.equal(answers, right)
    return hits.reshape(len(STYLES), len(dates)).mean(axis=1).tolist()


def draw_heads(model, source, target, vocabulary, path):
    """The heads of the Transformer's last block, side by side."""
    read = vocabulary.encode_batch([source])
    begun = vocabulary.encode_batch([target], start=True)
    pair = ops.convert_to_tensor(read), ops.convert_to_tensor(begun)
    last = f"memory_attention_weights/{model.num_layers - 1}"
    weights = features(model, pair, [last], stop=True)[last][0]
    heads = len(weights)
    figure = draw_attention(
        weights, [list(source)] * heads, [[*target, "end"]] * heads
    )
    for number, axes in enumerate(figure.axes):
        axes.set_title(f"head {number + 1}", fontsize=10)
    figure.savefig(path)


def print_table(dates, results):
    """The shares by style, and in total."""
    print(f"\nExact match on {len(dates)} unseen dates, in every style:")
    every = results.values()
    rows = [("", list(results))]
    for i, style in enumerate(STYLES):
        text = write(datetime.date(2021, 5, 3), style)
        rows.append((text, [f"{r.shares[i]:.1%}" for r in every]))
    rows.append(("all", [f"{np.mean(r.shares):.2%}" for r in every]))
    rows.append(("parameters", [f"{r.parameters:,}" for r in every]))
    rows.append(("seconds of training", [f"{r.seconds:.0f}" for r in every]))
    for label, cells in rows:
        print(f"    {label:<28}" + "".join(f"{cell:>13}" for cell in cells))


def main(arguments=None):
    """Runs the tutorial; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default="out/dates")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--dates", type=int, default=16000, help="to learn")
    parser.add_argument("--test", type=int, default=200, help="dates held out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run; learns nothing"
    )
    options = parser.parse_args(arguments)
    # Some are drawn, and the fuller one of two buckets must fill a batch.
    for name, least in (("test", SHOWN), ("dates", 2 * BATCH_SIZE)):
        if getattr(options, name) < least:
            parser.error(
                f"--{name} must be at least {least}. "
                f"Received: {getattr(options, name)}."
            )
    if options.test > MOST_TESTED:
        parser.error(
            f"--test must be at most {MOST_TESTED}, so that there is something "
            f"to learn from. Received: {options.test}."
        )
    if options.quick:
        options.epochs, options.dates, options.test = 1, 256, 4
    if importlib.util.find_spec("matplotlib") is None:
        sys.exit(
            "This tutorial needs matplotlib, which is not installed: "
            'pip install "keras_dl[plots]".'
        )

    print(f"Dates to ISO, on {keras.backend.backend()}.")
    learn, test = split_days(options.test, options.seed)
    sources, targets = examples(learn[: options.dates], options.seed)
    vocabulary = CharacterVocabulary.train(sources + targets)
    for source, target in list(zip(sources, targets, strict=True))[:5]:
        print(f"    {source:<36} -> {target}")
    shown = (
        [write(test[i], STYLES[style]) for i, style in enumerate((1, 3, 7))],
        [date.isoformat() for date in test[:SHOWN]],
    )

    results = {}
    for name in MODELS:
        keras.utils.set_random_seed(options.seed)
        batches = TeacherForcingBatches(
            *(sources, targets, vocabulary, vocabulary),
            batch_size=BATCH_SIZE,
            num_buckets=2,
            shuffle=True,
            seed=options.seed,
            drop_remainder=True,
        )
        padding = f"{batches.padding_share:.0%} is padding"
        print(f"\n{name}: epochs of {len(batches)} batches; {padding}.")
        begin = time.perf_counter()
        how = options.epochs, shown, options.out
        model = train(name, vocabulary, batches, *how)
        seconds = time.perf_counter() - begin
        shares = by_style(test, model, vocabulary)
        results[name] = Result(shares, model.count_params(), seconds)
    path = options.out / "transformer_heads.png"
    draw_heads(model, shown[0][0], shown[1][0], vocabulary, path)
    print_table(test, results)
    print(f"\nThe pictures are in {options.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
