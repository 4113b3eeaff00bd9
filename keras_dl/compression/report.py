"""What a model weighs, costs and is worth; and steps that make it smaller."""

import statistics
import time
import zlib
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_dl.checks import check_integer
from keras_dl.compression.flops import flops
from keras_dl.training import SupervisedTrainer


class SizeReport(NamedTuple):
    """What `size_report` finds.

    Attributes:
        parameters: Number of parameters: trained ones, and statistics.
        nonzeros: How many of them are not 0.
        bytes: What all weights take in memory and, but for a few kilobytes,
            in a file: an int8 one byte, a float32 four.
        packed_bytes: What is left of these bytes when each variable is packed
            by DEFLATE, as in a `.zip` file.
        flops: Operations for one example; see `keras_dl.compression.flops`.
        uncounted: Paths of layers with matrices whose operations are unknown,
            and not among them.
        seconds: Of `predict`.
        quality: Dict of the loss and metrics of `evaluate`.
    """

    parameters: int
    nonzeros: int
    bytes: int
    packed_bytes: int
    flops: int | None = None
    uncounted: tuple = ()
    seconds: float | None = None
    quality: dict = {}


def size_report(model, x=None, y=None, batch_size=32, repeats=5):
    """Counts and measures a model.

    Args:
        model: A built Keras model.
        x: Inputs, arrays: for operations and time. Without, there are none.
        y: Targets, arrays: for the quality. Without, there is none.
        batch_size: Of `predict` and `evaluate`.
        repeats: How often `predict` is timed, after a first time that
            compiles; the median counts. With 0 it is not.

    Returns:
        A `SizeReport`.

    Raises:
        ValueError: If the model is not built, or nothing says what its loss
            is.

    Example:

    >>> model = keras_dl.applications.MLP((8,), num_outputs=3)
    >>> model.build((None, 4))
    >>> x, y = np.ones((6, 4)), np.array([0, 1, 2] * 2)
    >>> report = size_report(model, x, y, repeats=0)
    >>> report.parameters, report.bytes, report.flops
    (67, 268, 112)
    >>> sorted(report.quality)
    ['accuracy', 'loss']
    """
    check_integer("repeats", repeats, 0)
    if not model.built:
        raise ValueError(
            f"The model must be built, to have a size: call it, or `fit`, "
            f"first. Received: {model.name!r}."
        )
    arrays = [ops.convert_to_numpy(w) for w in _weights(model)]
    report = SizeReport(
        parameters=model.count_params(),
        nonzeros=sum(int(np.count_nonzero(a)) for a in arrays),
        bytes=sum(a.nbytes for a in arrays),
        packed_bytes=sum(len(zlib.compress(a.tobytes())) for a in arrays),
    )
    if x is not None:
        counts = flops(model, x)
        report = report._replace(
            flops=sum(filter(None, counts.values())),
            uncounted=tuple(p for p, n in counts.items() if n is None),
            seconds=_seconds(model, x, batch_size, repeats),
        )
    if x is not None and y is not None:
        report = report._replace(quality=_quality(model, x, y, batch_size))
    return report


def _weights(model):
    """All but the state of seeds."""
    return [w for w in model.weights if "seed_generator" not in w.path]


def _seconds(model, x, batch_size, repeats):
    times = []
    for _ in range(repeats + 1 if repeats else 0):
        begin = time.perf_counter()
        model.predict(x, batch_size=batch_size, verbose=0)
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:]) if repeats else None


def _quality(model, x, y, batch_size):
    if not model.compiled:
        # As the model says itself, and nothing is left behind in it.
        model = SupervisedTrainer(model)
        model.compile()
    return model.evaluate(
        x, y, batch_size=batch_size, verbose=0, return_dict=True
    )


def compress(model, steps, x=None, y=None, **kwargs):
    """Makes a model smaller step by step, and measures it after each.

    Args:
        model: A built Keras model.
        steps: Dict of functions by name, in order: each takes a model and
            returns it, smaller or trained further: the same or another one.
        x, y: Data to measure by, best those for validation.
        **kwargs: Arguments of `size_report`.

    Returns:
        The model of the last step, and a dict of `SizeReport`s: of the model
        as it came, `"before"`, and after each step.

    Raises:
        ValueError: If a step is called "before".
        TypeError: If a step returns no Keras model.

    Example:

    >>> model = keras_dl.applications.MLP((8,), num_outputs=3)
    >>> model.build((None, 4))
    >>> steps = {
    ...     "narrow": lambda m: keras_dl.compression.remove_units(
    ...         m, {"hidden/0": [0, 1]}
    ...     ),
    ...     "thin": lambda m: keras_dl.compression.factorize(m, rank=1),
    ... }
    >>> model, reports = compress(model, steps)
    >>> {name: report.parameters for name, report in reports.items()}
    {'before': 67, 'narrow': 51, 'thin': 28}
    """
    if "before" in steps:
        raise ValueError(
            "`steps` must have other names than 'before', which is the model "
            f"as it came. Received: {list(steps)}."
        )
    reports = {"before": size_report(model, x, y, **kwargs)}
    for name, step in steps.items():
        model = step(model)
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"`steps[{name!r}]` must return a Keras model. "
                f"Received: {model!r}."
            )
        reports[name] = size_report(model, x, y, **kwargs)
    return model, reports
