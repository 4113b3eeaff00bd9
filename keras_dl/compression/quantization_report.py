"""What quantization did to a model, layer by layer."""

import dataclasses
import math
import re

import keras
import numpy as np
from keras import ops, tree

from keras_dl.compression.calibration import batches
from keras_dl.compression.grid import (
    QUANTIZABLE,
    letters,
    outside_of_loops,
    packs_channels,
    weight_axes,
)
from keras_dl.compression.quantization import StaticQuantizer, check_model
from keras_dl.models import sublayers
from keras_dl.models.taps import tapped


@dataclasses.dataclass(frozen=True)
class QuantizedLayer:
    """One layer with weights, before and after.

    Attributes:
        path: Its path.
        kind: The name of its class.
        weights: What its weights are now: `"int8"`, `"int4"`, or a dtype.
        inputs: How what goes in is quantized: `"dynamic"`, `"static"`, or
            `"-"`.
        bytes_before, bytes_after: Of all its variables.
        weight_error: The largest and the mean absolute difference of its
            weights, divided by the largest absolute weight; `None` if they
            cannot be compared.
        output_error: The same of what it returns, where both models are given
            the same data: with errors of the layers before it; `None` without
            data, or for a layer within a recurrence.
        reason: Why it was left, or `""`.
    """

    path: str
    kind: str
    weights: str
    inputs: str
    bytes_before: int
    bytes_after: int
    weight_error: tuple | None
    output_error: tuple | None
    reason: str


@dataclasses.dataclass(frozen=True)
class QuantizationReport:
    """What `quantization_report` found; `print` it for a table.

    Attributes:
        layers: `QuantizedLayer`s, in the model's order.
        output_error: The largest and the mean absolute difference of the
            model's outputs, divided by their largest absolute value; `None`
            without data.
        outputs_before, outputs_after: The outputs, arrays in a tuple; `None`
            without data.
    """

    layers: tuple
    output_error: tuple | None
    outputs_before: tuple | None
    outputs_after: tuple | None

    @property
    def bytes_before(self):
        """Bytes of the original's weights."""
        return sum(layer.bytes_before for layer in self.layers)

    @property
    def bytes_after(self):
        """Bytes of the quantized model's weights."""
        return sum(layer.bytes_after for layer in self.layers)

    def __str__(self):
        lines = [
            _cells(
                "layer",
                "kind",
                "weights",
                "inputs",
                "bytes",
                "now",
                "weights: max, mean error",
                "outputs: max, mean error",
                "left because",
            ),
            _cells(*["---"] * 9),
        ]
        for layer in self.layers:
            lines.append(
                _cells(
                    layer.path or "(the model)",
                    layer.kind,
                    layer.weights,
                    layer.inputs,
                    layer.bytes_before,
                    layer.bytes_after,
                    _errors(layer.weight_error),
                    _errors(layer.output_error),
                    layer.reason or "-",
                )
            )
        share = self.bytes_after / max(self.bytes_before, 1)
        lines += [
            "",
            f"Bytes: {self.bytes_before:,} to {self.bytes_after:,} "
            f"({share:.1%}).",
        ]
        if self.output_error is not None:
            lines.append(f"Outputs differ by {_errors(self.output_error)}.")
        return "\n".join(lines)


def quantization_report(original, quantized, x=None, batch_size=32):
    """Compares a model with a quantized one, layer by layer.

        error = |a - b| / max |a|,  a of the original, b of the quantized model

    This is for what `model.quantize` and `keras_dl.compression.quantize` made,
    and for weights on a grid that `FakeQuantization` left.

    Args:
        original: A built Keras model.
        quantized: The same model, quantized.
        x: Inputs, an array, or a list, tuple or dict of them: the outputs of
            layers and of models are compared on them. Only with `None` not.
        batch_size: How many examples are looked at together.

    Returns:
        A `QuantizationReport`.

    Raises:
        TypeError: If one of them is no Keras model.
        ValueError: If one is not built, their layers are not the same, or `x`
            has no examples.

    Example:

    >>> def make():
    ...     model = keras_dl.applications.MLP((8,), num_outputs=3)
    ...     model.build((None, 4))
    ...     return model
    >>> original, quantized = make(), make()
    >>> quantized.set_weights(original.get_weights())
    >>> quantized = keras_dl.compression.quantize(quantized)
    >>> report = quantization_report(original, quantized, np.ones((2, 4)))
    >>> report.bytes_before, report.bytes_after
    (268, 144)
    >>> [layer.weights for layer in report.layers]
    ['int8', 'int8']
    """
    for model in (original, quantized):
        check_model(model)
    pairs = _pairs(original, quantized)
    found = {}
    if x is not None:
        found = _differences(original, quantized, pairs, x, batch_size)
    rows = tuple(
        _row(path, *pair, found.get(path)) for path, pair in pairs.items()
    )
    whole = found.get(_OUTPUTS)
    return QuantizationReport(
        rows,
        None if whole is None else whole.error,
        None if whole is None else whole.joined(0),
        None if whole is None else whole.joined(1),
    )


_OUTPUTS = object()  # The key of the models' own outputs.


def _pairs(original, quantized):
    """The layers that hold weights themselves, of both models, by path."""
    before, after = (
        {"": model, **sublayers(model, by_place=True)}
        for model in (original, quantized)
    )
    kinds = [
        {place: type(layer).__name__ for place, layer in layers.items()}
        for layers in (before, after)
    ]
    if kinds[0] != kinds[1]:
        other = sorted(kinds[0].items() ^ kinds[1].items())
        raise ValueError(
            "`quantized` must have the layers of `original`. These differ: "
            f"{other[:6]}."
        )
    paths = {id(layer): path for path, layer in sublayers(original).items()}
    order = {id(v): i for i, v in enumerate(original.weights)}
    first = {
        place: order[id(own[0])]
        for place, layer in before.items()
        if (own := _own(layer))
    }
    return {
        paths.get(id(before[place]), ""): (before[place], after[place])
        for place in sorted(first, key=first.get)
    }


def _own(layer):
    """The variables that no part of a layer holds."""
    inside = {id(v) for part in sublayers(layer).values() for v in part.weights}
    return [v for v in layer.weights if id(v) not in inside]


def _row(path, before, after, found):
    mode = after.quantization_mode
    weights, reason = mode, ""
    if mode is None:
        weights = keras.backend.standardize_dtype(_own(before)[0].dtype)
        reason = "not chosen"
        if not isinstance(after, QUANTIZABLE):
            reason = "Keras quantizes dense layers and embeddings"
    return QuantizedLayer(
        path,
        type(before).__name__,
        weights,
        _inputs(after),
        _bytes(before),
        _bytes(after),
        _weight_error(before, after),
        None if found is None else found.error,
        reason,
    )


def _inputs(layer):
    quantizer = getattr(layer, "inputs_quantizer", None)
    if layer.quantization_mode is None or quantizer is None:
        return "-"
    return "static" if isinstance(quantizer, StaticQuantizer) else "dynamic"


def _bytes(layer):
    return sum(math.prod(v.shape) * _size(v.dtype) for v in _own(layer))


def _size(dtype):
    bits = re.search(r"\d+", keras.backend.standardize_dtype(dtype))
    return 1 if bits is None else int(bits[0]) // 8


def _weight_error(before, after):
    if after.quantization_mode not in (None, "int8", "int4"):
        return None
    if after.quantization_mode is None:
        old = [v for v in _own(before) if len(v.shape) > 1] or _own(before)
        new = [v for v in _own(after) if len(v.shape) > 1] or _own(after)
        pairs = [
            (ops.convert_to_numpy(a), ops.convert_to_numpy(b))
            for a, b in zip(old, new, strict=True)
        ]
    elif not _by_channel(before, after):
        return None
    else:
        embeds = isinstance(before, keras.layers.Embedding)
        name = "embeddings" if embeds else "kernel"
        old = ops.convert_to_numpy(getattr(before, name)).astype("float32")
        pairs = [(old, _restored(after, before, name))]
    differences = _Differences()
    for old, new in pairs:
        differences.add(old, new)
    return differences.error


def _by_channel(before, after):
    """Whether each channel has one scale, and no zero of its own."""
    if any(
        getattr(after, f"{name}_zero", None) is not None
        for name in ("kernel", "embeddings")
    ):
        return False
    axes = weight_axes(before, _own(before)[0])
    return after.quantization_mode != "int4" or packs_channels(before, axes)


def _restored(layer, before, name):
    """The weights that a layer's integers stand for."""
    integers = ops.convert_to_numpy(getattr(layer, name)).astype("float32")
    scale = ops.convert_to_numpy(getattr(layer, f"{name}_scale"))
    variable = getattr(before, name)
    axes = weight_axes(before, variable)
    sizes = [1 if i in axes else n for i, n in enumerate(integers.shape)]
    einsum = isinstance(layer, keras.layers.EinsumDense)
    if einsum and layer.quantization_mode == "int8":
        # Keras keeps these scales in the order of the outputs.
        _, kernel, output = letters(layer)
        kept = [c for c in output if c in kernel]
        scale = scale.reshape([integers.shape[kernel.index(c)] for c in kept])
        order = [kept.index(c) for c in kernel if c in kept]
        scale = scale.transpose(order)
    return integers / scale.astype("float32").reshape(sizes)


def _differences(original, quantized, pairs, x, batch_size):
    """Differences of outputs by path, and of the models' own."""
    found = {path: _Differences() for path in (*pairs, _OUTPUTS)}
    seen = outside_of_loops(original)
    pairs = {path: pair for path, pair in pairs.items() if path in seen}
    for batch in batches("x", x, batch_size):
        old, new = (
            _outputs(model, [pair[i] for pair in pairs.values()], batch)
            for i, model in enumerate((original, quantized))
        )
        for path, a, b in zip(pairs, old[0], new[0], strict=True):
            if a is not None and b is not None:
                found[path].add(a, b)
        found[_OUTPUTS].keep(old[1], new[1])
    return {path: one for path, one in found.items() if one.number}


def _outputs(model, layers, batch):
    """What layers give at their first call, and the model, as arrays."""
    seen = {}

    def around(layer):
        def look(call, *args, **kwargs):
            result = call(*args, **kwargs)
            seen.setdefault(id(layer), tree.flatten(result)[0])
            return result

        return look

    with tapped([(layer, around(layer)) for layer in layers]):
        outputs = model(batch, training=False)
    inside = [seen.get(id(layer)) for layer in layers]
    return (
        [None if x is None else _array(x) for x in inside],
        [_array(x) for x in tree.flatten(outputs)],
    )


def _array(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


class _Differences:
    """Differences of arrays, piece by piece."""

    def __init__(self):
        self.largest = self.total = self.number = self.size = 0
        self.kept = []

    def keep(self, old, new):
        """Adds outputs, lists of arrays, and remembers them."""
        self.kept.append((old, new))
        for a, b in zip(old, new, strict=True):
            self.add(a, b)

    def joined(self, i):
        """Of the outputs that were kept, those of one of the models."""
        parts = zip(*(pair[i] for pair in self.kept), strict=True)
        return tuple(np.concatenate(part) for part in parts)

    def add(self, old, new):
        old, new = (np.asarray(a, "float64") for a in (old, new))
        if not old.size:
            return
        far = np.abs(old - new)
        self.largest = max(self.largest, far.max())
        self.size = max(self.size, np.abs(old).max())
        self.total, self.number = self.total + far.sum(), self.number + far.size

    @property
    def error(self):
        size, number = self.size or 1.0, max(self.number, 1)
        return float(self.largest / size), float(self.total / number / size)


def _cells(*cells):
    return "| " + " | ".join(map(str, cells)) + " |"


def _errors(pair):
    return "-" if pair is None else f"{pair[0]:.1e}, {pair[1]:.1e}"
