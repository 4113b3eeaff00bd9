"""Tutorial 13, a winning ticket: how small a network may get.

Most weights of a trained network can go. Can the few that are left be trained
alone, from the start? They can, if they begin with the very values that they
had: such a sparse network is a winning ticket of the lottery of initialization.
Other values, or other weights, do worse, the more the fewer they are.

    python tutorials/13_winning_ticket.py --out out/winning_ticket
    KERAS_BACKEND=jax python tutorials/13_winning_ticket.py --quick

You see

1. a ticket: in each round a network that reads digits is trained, a fifth of
   the weights that are left are pruned, and the others go back to their first
   values;
2. what becomes of the tickets of some rounds, beside the same masks with other
   first values, and as many weights at random;
3. how small the network may get in other ways: narrower, of thin matrices, in
   int8, and all of them together, taught by the whole one; each step measured;
4. the smallest that is as good as the whole one but for a point, chosen on
   digits for validation, and then examined.

It works offline, on any backend, in three minutes on two CPU cores, and leaves
in the folder `--out`:

    winning_ticket.png    digits read right, by the weights that are left
    sizes.png             the same by the bytes of a packed file
    ticket.npz            the ticket of the last round
    small.keras           the network that was chosen
"""

import argparse
import importlib.util
import pathlib
import sys
import time
from typing import NamedTuple

import keras
import numpy as np

from keras_dl import compression, datasets
from keras_dl.applications import MLP
from keras_dl.training import LogitsDistillation, SupervisedTrainer

UNITS, CLASSES, LEVELS, BATCH_SIZE = (128, 64), 10, 16, 64
CONTROLS = ("the ticket", "other first values", "weights at random")


class Sizes(NamedTuple):
    """How much there is of everything.

    Attributes:
        rounds: Rounds of pruning.
        rate: Share of the weights left that each prunes.
        epochs: Epochs of each training.
        every: The tickets that are tried: those of every so many rounds.
        seeds: How often each of them is trained.
    """

    rounds: int = 15
    rate: float = 0.2
    epochs: int = 25
    every: int = 5
    seeds: int = 3


QUICK = Sizes(2, 0.5, 1, 1, 1)

# 1. Digits, and a network ----------------------------------------------------


def load():
    """Rows of 64 shades of grey in 0 to 1: to learn, to choose, to examine."""
    data = datasets.load("digits", seed=0)
    return [
        datasets.Split((part.x / LEVELS).astype("float32"), part.y)
        for part in (data.train, data.validation, data.test)
    ]


def make(seed=0):
    keras.utils.set_random_seed(seed)
    model = MLP(UNITS, num_outputs=CLASSES)
    model.build((None, 64))
    return model


def fit(model, data, epochs, readings=(), **arguments):
    """Trains a model, the readings of its weights and all, and returns it."""
    trainer = SupervisedTrainer(model, readings=readings, **arguments)
    trainer.compile(keras.optimizers.Adam(2e-3))
    trainer.fit(data.x, data.y, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    return trainer.finish()


def right(model, data):
    """The share of the digits that a model reads right."""
    found = model.predict(data.x, batch_size=512, verbose=0)
    return float(np.mean(found.argmax(axis=1) == data.y))


# 2. Tickets ------------------------------------------------------------------


def find(train, sizes):
    """The tickets of all rounds."""
    tickets = []
    compression.find_ticket(
        make,
        lambda model, readings: fit(model, train, sizes.epochs, readings),
        rounds=sizes.rounds,
        rate=sizes.rate,
        on_round=tickets.append,
    )
    return tickets


def controls(ticket, seed):
    """By name: the ticket, and what it is to be better than."""
    tickets = ticket, ticket.reinitialized(seed), ticket.random(seed)
    return dict(zip(CONTROLS, tickets, strict=True))


def curves(tickets, train, held, sizes):
    """By name, pairs: the share of weights left, and of digits read right.

    Shares of digits are a list, one for each seed.
    """
    found = {name: [] for name in CONTROLS}
    for ticket in tickets[sizes.every - 1 :: sizes.every]:
        shares = {name: [] for name in CONTROLS}
        for seed in range(sizes.seeds):
            for name, one in controls(ticket, seed).items():
                model = make(seed)
                fit(model, train, sizes.epochs, one.apply(model))
                shares[name].append(right(model, held))
        for name in CONTROLS:
            found[name].append((1 - ticket.sparsity, shares[name]))
        line = "".join(f"{np.mean(shares[name]):20.1%}" for name in CONTROLS)
        print(f"    {1 - ticket.sparsity:6.1%}{line}")
    return found


# 3. Smaller in other ways ----------------------------------------------------


def narrow(model):
    """Half of the units, those whose weights are largest."""
    importance = compression.unit_importance(model, criterion="magnitude")
    lowest = compression.lowest(importance, share=0.5)
    return compression.remove_units(model, lowest)


def thin(model, rank=8):
    return compression.factorize(model, "hidden/.*", rank=rank)


def quantize(model):
    model.quantize("int8", filters="dense|head|reduce|expand")
    return model


def copy_of(model):
    copy = MLP.from_config(model.get_config())
    copy.build((None, 64))
    copy.set_weights(model.get_weights())
    return copy


def pipelines(teacher, ticket, train, sizes):
    """By name: steps, each a function of a model."""

    def taught(model, readings=()):
        """What is left learns from the whole network."""
        return fit(
            model,
            train,
            sizes.epochs,
            readings,
            terms=LogitsDistillation(),
            teachers=teacher,
            task_weight=0.1,
        )

    def sparse(model):
        return taught(model, ticket.apply(model))

    return {
        "int8": {"int8": quantize},
        "narrow": {"half of the units": narrow, "half, taught": taught},
        "thin": {
            "rank 8": thin,
            "rank 8, taught": taught,
            "rank 8, int8": quantize,
        },
        "ticket": {"ticket, taught": sparse, "ticket, int8": quantize},
        "together": {
            "half, 60 % pruned": lambda model: taught(
                narrow(model), compression.MagnitudePruning(0.6)
            ),
            "half, pruned, int8": quantize,
        },
    }


def shrink(teacher, ticket, train, held, sizes):
    """Goes through all pipelines.

    Returns:
        Dicts by the name of a step: reports, and models as they end.
    """
    reports, models = {}, {}
    for name, steps in pipelines(teacher, ticket, train, sizes).items():
        model, found = compression.compress(
            copy_of(teacher), steps, held.x, held.y, repeats=3
        )
        reports |= {"whole": found.pop("before")} | found
        models[list(steps)[-1]] = name, model
    return reports, models


def choose(reports, models):
    """The smallest file within a point of the whole network's accuracy."""
    least = reports["whole"].quality["accuracy"] - 0.01
    good = [
        name for name in models if reports[name].quality["accuracy"] >= least
    ]
    return min(good or models, key=lambda name: reports[name].packed_bytes)


# 4. The story ----------------------------------------------------------------


def draw_curves(found, whole, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, points in found.items():
        left = [100 * share for share, _ in points]
        means = [100 * np.mean(shares) for _, shares in points]
        low = [100 * min(shares) for _, shares in points]
        high = [100 * max(shares) for _, shares in points]
        (line,) = axes.plot(left, means, "o-", label=name)
        axes.fill_between(left, low, high, alpha=0.15, color=line.get_color())
    axes.axhline(100 * whole, color="0.5", linestyle="--", label="all weights")
    axes.set_xscale("log")
    axes.set_xticks(left, [f"{share:.3g}" for share in left])
    axes.minorticks_off()
    axes.invert_xaxis()
    axes.set(
        xlabel="weights left (%)",
        ylabel="digits read right (%)",
        title="A ticket, and what it is not",
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)


def parsed(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=pathlib.Path, default="out/winning_ticket"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run; learns nothing"
    )
    return parser.parse_args(arguments)


def main(arguments=None):
    """Runs the tutorial; returns 0."""
    options = parsed(arguments)
    sizes = QUICK if options.quick else Sizes()
    for package in ("matplotlib", "sklearn"):
        if importlib.util.find_spec(package) is None:
            raise SystemExit(
                f"This tutorial needs {package}, which is not installed: "
                'pip install "keras_dl[plots]" scikit-learn.'
            )
    options.out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    train, validation, test = load()
    teacher = fit(make(), train, sizes.epochs)
    whole = right(teacher, test)
    print(f"A winning ticket, on {keras.backend.backend()}.")
    print(
        f"{teacher.count_params():,} parameters read {whole:.1%} of "
        f"{len(test.y)} held-out digits right."
    )

    tickets = find(train, sizes)
    tickets[-1].save(options.out / "ticket.npz")
    print(
        f"\nDigits read right, mean of {sizes.seeds}, by the weights left:\n"
        f"    {'':>6}{''.join(f'{name:>20}' for name in CONTROLS)}"
    )
    found = curves(tickets, train, test, sizes)
    draw_curves(found, whole, options.out / "winning_ticket.png")

    print("\nSmaller in other ways, measured on digits for validation:\n")
    ticket = tickets[-sizes.every - 1]
    reports, models = shrink(teacher, ticket, train, validation, sizes)
    print(compression.size_table(reports))
    compression.draw_sizes(reports, "accuracy", options.out / "sizes.png")
    best = choose(reports, models)
    small = models[best][1]
    small.save(options.out / "small.keras")
    share = reports[best].packed_bytes / reports["whole"].packed_bytes
    print(
        f"\nChosen: {best!r}, {share:.1%} of the packed file. Of held-out "
        f"digits it reads {right(small, test):.1%} right; the whole network "
        f"{whole:.1%}."
    )
    print(f"{time.perf_counter() - begin:.0f} s; see {options.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
