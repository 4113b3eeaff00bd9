"""Ranges of activations, from data."""

import contextlib
import numbers

import keras
import numpy as np
from keras import ops, tree

from keras_dl.checks import check_integer
from keras_dl.compression.grid import observed
from keras_dl.compression.quantization import check_model
from keras_dl.models.taps import tapped


def calibrate(model, x, batch_size=32, percentile=100.0):
    """The ranges of what goes into a model's dense layers, for `quantize`.

        high = max x, low = min x    over the data

    With a percentile below 100 outliers are left out: of each batch the
    largest value that so many percent of the absolute ones do not exceed.
    Padding counts as data does. Layers within a recurrence (cells, parts of an
    `AttentionDecoder`) are left out, and stay dynamic.

    Args:
        model: A built Keras model, not yet quantized.
        x: Inputs: an array, or a list, tuple or dict of them.
        batch_size: How many examples are looked at together.
        percentile: A number above 0 and up to 100.

    Returns:
        Dict of pairs of the least and the largest value, at most and at least
        0, by the path of the layer, as they are called.

    Raises:
        TypeError: If `model` is no Keras model.
        ValueError: If the model is not built, there are no data, or
            `percentile` is out of range.

    Example:

    >>> model = keras.Sequential(
    ...     [keras.Input((2,)), keras.layers.Dense(1, name="only")]
    ... )
    >>> calibrate(model, np.array([[1.0, -2.0], [3.0, 0.0]]))
    {'only': (-2.0, 3.0)}
    """
    check_model(model)
    check_integer("batch_size", batch_size, 1)
    number = isinstance(percentile, numbers.Real)
    if not number or not 0 < percentile <= 100:
        raise ValueError(
            "`percentile` must be above 0 and at most 100. Received: "
            f"percentile={percentile!r}."
        )
    found = {}

    def see(path, values):
        low, high = _range(values, percentile)
        before = found.get(path, (0.0, 0.0))
        found[path] = min(low, before[0]), max(high, before[1])

    layers = observed(model)
    with inputs_seen(layers, see):
        for batch in batches("x", x, batch_size):
            model(batch, training=False)
    return found


def _range(values, percentile):
    low, high = float(values.min()), float(values.max())
    if percentile < 100:
        limit = float(np.percentile(np.abs(values), percentile))
        low, high = max(low, -limit), min(high, limit)
    return min(low, 0.0), max(high, 0.0)


@contextlib.contextmanager
def inputs_seen(layers, see):
    """A context in which `see(path, array)` is told of layers' inputs.

    Args:
        layers: Dict of layers by path.
        see: Function of a path and a NumPy array of float32.
    """

    def around(path):
        def look(call, *args, **kwargs):
            x = args[0] if args else next(iter(kwargs.values()))
            if keras.backend.is_float_dtype(x.dtype):
                see(path, ops.convert_to_numpy(ops.cast(x, "float32")))
            return call(*args, **kwargs)

        return look

    with tapped([(layer, around(path)) for path, layer in layers.items()]):
        yield


def batches(name, x, size):
    """Arrays, or structures of them, in pieces of so many examples."""
    arrays = tree.map_structure(np.asarray, x)
    numbers_of = {len(a) if a.ndim else 0 for a in tree.flatten(arrays)}
    if len(numbers_of) != 1 or numbers_of == {0}:
        raise ValueError(
            f"`{name}` must hold at least one example, and as many in each "
            f"array. Received: {sorted(numbers_of)}."
        )
    (number,) = numbers_of
    for i in range(0, number, size):
        yield tree.map_structure(lambda a, i=i: a[i : i + size], arrays)
