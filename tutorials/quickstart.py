"""Quickstart: load digits, train an MLP, evaluate, save, reload, look.

    python tutorials/quickstart.py
    KERAS_BACKEND=jax python tutorials/quickstart.py --out out/quickstart
    python tutorials/quickstart.py --all

It works offline and on any backend, and leaves `digits.keras` and two pictures,
`learning_curve.png` and `predictions.png`, in the folder `--out`. With `--all`
it prints a table of results on four datasets instead.
"""

import argparse
import importlib.metadata
import pathlib
import subprocess
import sys

import keras
import matplotlib
import numpy as np

from keras_dl import applications, datasets

matplotlib.use("Agg")  # Pictures go to files: no window is needed.
import matplotlib.pyplot as plt

SEEDS = range(5)
# How to train on each dataset, chosen by the results on validation splits.
TABLE = {"units": (64,), "epochs": 30, "learning_rate": 0.01}
SETTINGS = {
    "digits": {"units": (512,), "epochs": 30, "learning_rate": 0.001},
    "breast_cancer": TABLE,
    "wine": TABLE,
    "diabetes": {"units": (64,), "epochs": 60, "learning_rate": 0.03},
}


def train(name, seed=0, epochs=None, verbose=0):
    """Trains an MLP on one of the datasets.

    Args:
        name: A key of `SETTINGS`.
        seed: Which split of the data, and which first weights.
        epochs: Number of epochs; `None`: as in `SETTINGS`.
        verbose: 1 for a progress bar.

    Returns:
        The trained model, the data, and the history of the training.
    """
    settings = SETTINGS[name]
    keras.utils.set_random_seed(seed)
    data = datasets.load(name, seed=seed)

    # The model wants inputs around 0. It learns mean and variance from the
    # training split: one of each for all pixels, or one for each column of a
    # table. They become part of the model, so that it takes raw inputs.
    axis = None if name == "digits" else -1
    task = data.info.task
    model = applications.MLP(
        units=settings["units"],
        task=task,
        num_outputs=data.info.num_classes if task == "multiclass" else 1,
        dropout=0.5,
        normalizer=keras.layers.Normalization(axis=axis),
    )
    model.adapt(data.train.x)

    # Loss and metrics follow from the task. For a regression we also want R2.
    metrics = None
    if task == "regression":
        metrics = [keras.metrics.R2Score(name="r2"), "mae"]
    optimizer = keras.optimizers.Adam(settings["learning_rate"])
    model.compile(optimizer, metrics=metrics)

    history = model.fit(
        data.train.batches(32, shuffle=True),
        validation_data=data.validation.batches(256),
        epochs=epochs or settings["epochs"],
        verbose=verbose,
    )
    # A plain number for each epoch, whichever backend it came from.
    curves = {key: list(map(float, v)) for key, v in history.history.items()}
    return model, data, curves


def evaluate(model, split):
    """Loss and metrics on a split, as a dict of plain numbers."""
    results = model.evaluate(split.batches(256), verbose=0, return_dict=True)
    return {name: float(value) for name, value in results.items()}


def quickstart(folder, epochs=None):
    """The whole way, from the data to the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    print_versions()

    model, data, curves = train("digits", epochs=epochs, verbose=1)
    accuracy = evaluate(model, data.test)["accuracy"]
    print(f"Held-out test accuracy: {accuracy:.4f} ({len(data.test)} digits)")

    # For a classifier, `predict` gives the probability of each class.
    probabilities = model.predict(data.test.x, verbose=0)
    model.save(folder / "digits.keras")
    np.save(folder / "predictions.npy", probabilities)
    check_in_a_fresh_process(folder)

    draw_learning_curve(curves, folder / "learning_curve.png")
    draw_predictions(data.test, probabilities, folder / "predictions.png")
    print(f"Wrote digits.keras and two pictures to {folder}")


def print_versions():
    backend = keras.backend.backend()
    versions = {
        package: importlib.metadata.version(package)
        for package in ("keras", backend, "numpy")
    }
    print(f"Backend: {backend}")
    print("Versions:", ", ".join(f"{k} {v}" for k, v in versions.items()))


def check_in_a_fresh_process(folder):
    """Reloads the model where nothing of this process is left."""
    command = [sys.executable, __file__, "--check", str(folder)]
    if subprocess.run(command).returncode != 0:
        sys.exit("The reloaded model does not predict the same.")


def check(folder):
    """What the fresh process does: load, predict, compare."""
    model = keras.saving.load_model(folder / "digits.keras")
    test = datasets.load("digits", seed=0).test
    expected = np.load(folder / "predictions.npy")
    difference = np.abs(model.predict(test.x, verbose=0) - expected).max()
    same = bool(difference <= 1e-6)
    print(
        "Reloaded in a fresh process: predictions are "
        f"{'the same' if same else 'DIFFERENT'} "
        f"(largest difference {difference:.1e})"
    )
    return 0 if same else 1


def draw_learning_curve(curves, path):
    """Loss and accuracy over the epochs, side by side."""
    epochs = np.arange(1, len(curves["loss"]) + 1)
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    panels = [("loss", "crossentropy (nats)"), ("accuracy", "accuracy (%)")]
    for ax, (key, label) in zip(axes, panels, strict=True):
        scale = 100 if key == "accuracy" else 1
        for name, prefix in (("training", ""), ("validation", "val_")):
            values = scale * np.array(curves[prefix + key])
            ax.plot(epochs, values, label=f"{name}: {values[-1]:.3g} at last")
        ax.set(xlabel="epoch", ylabel=label, xlim=(1, max(2, len(epochs))))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
        ax.legend()
    axes[0].set_yscale("log")
    figure.suptitle("Training an MLP on digits (training: with dropout)")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_predictions(split, probabilities, path, rows=4, columns=8):
    """A grid of digits with what the model says: first those it got wrong."""
    predicted = probabilities.argmax(axis=1)
    wrong = predicted != split.y
    # A stable sort that puts True first and otherwise keeps the order.
    shown = np.argsort(~wrong, kind="stable")[: rows * columns]
    figure, axes = plt.subplots(
        rows, columns, figsize=(11, 6.6), layout="constrained"
    )
    for ax, i in zip(axes.flat, shown, strict=True):
        ax.imshow(split.x[i].reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
        title = f"{predicted[i]}  ({100 * probabilities[i].max():.0f} %)"
        if wrong[i]:
            title += f"\nis a {split.y[i]}"
            ax.spines[:].set(color="crimson", linewidth=3)
        ax.set_title(title, color="crimson" if wrong[i] else "black")
    figure.suptitle(
        f"Predicted digit and its probability: {wrong.sum()} of {len(split)} "
        "test digits are wrong (red), and shown first"
    )
    figure.savefig(path, dpi=120)
    plt.close(figure)


def table():
    """Held-out results of every dataset: mean and spread over the splits."""
    print_versions()
    print("\n| dataset | test metric | mean | standard deviation | worst |")
    print("|---|---|---|---|---|")
    for name in SETTINGS:
        results = []
        for seed in SEEDS:
            model, data, _ = train(name, seed)
            results.append(evaluate(model, data.test))
        regression = data.info.task == "regression"
        for metric in ("r2", "mae") if regression else ("accuracy",):
            print(row(name, metric, [result[metric] for result in results]))


def row(name, metric, values):
    worst = max(values) if metric == "mae" else min(values)
    numbers = (np.mean(values), np.std(values, ddof=1), worst)
    cells = [name, metric, *(f"{number:.4g}" for number in numbers)]
    return f"| {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        default=pathlib.Path("out/quickstart"),
        help="folder for the model and the pictures",
    )
    parser.add_argument("--epochs", type=int, help="default: 30")
    parser.add_argument(
        "--all", action="store_true", help="a table of four datasets instead"
    )
    parser.add_argument("--check", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.check:
        return check(arguments.check)
    if arguments.all:
        return table()
    return quickstart(arguments.out, arguments.epochs)


if __name__ == "__main__":
    sys.exit(main())
