"""What can be removed of a model as a whole: attention heads, hidden units."""

import collections
import dataclasses

import keras
import numpy as np

from keras_dl.layers import FactorizedDense, MultiHeadAttention
from keras_dl.models import sublayer, sublayers
from keras_dl.models.paths import is_graph

_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
)
_DENSE = (keras.layers.Dense, FactorizedDense)
_NORMS = (keras.layers.BatchNormalization,)
# Each unit by itself, or the same for all of them.
_BY_UNIT = (
    keras.layers.Activation,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.UpSampling2D,
    keras.layers.ZeroPadding2D,
)
_MIXING = ("softmax", "log_softmax", "glu", "sparsemax", "sparse_plus")


@dataclasses.dataclass(frozen=True)
class Structures:
    """Groups of features which one layer reads, and which may go for good.

    Attributes:
        path: Path of the layer that makes them: an attention, or a layer with
            units.
        between: Paths of the normalizations on the way.
        reader: Path of the layer that reads them.
        rows: Array `(groups, size)`: which of the reader's inputs they are.
    """

    path: str
    between: tuple
    reader: str
    rows: np.ndarray

    @property
    def number(self):
        """How many groups there are."""
        return len(self.rows)

    def of_rows(self):
        """The group that each input of the reader is in, an array."""
        groups = np.empty(self.rows.size, "int32")
        groups[self.rows] = np.arange(self.number)[:, None]
        return groups


def reading_kernel(layer):
    """The matrix that a layer reads its inputs by; they are its axis -2."""
    return (
        layer.reduce if isinstance(layer, FactorizedDense) else layer
    ).kernel


def heads_of(model):
    """The heads of a model's attentions, `Structures` by path."""
    found = {}
    for path, layer in sublayers(model).items():
        if isinstance(layer, MultiHeadAttention):
            number = layer.num_heads
            size = layer.query_dense.units // number
            rows = np.arange(number * size).reshape(number, size)
            reader = f"{path}/output_dense"
            found[path] = Structures(path, (), reader, rows)
    return found


def units_of(model):
    """The hidden units of a model's layers, `Structures` by path.

    Those whose values one other layer reads, through nothing that mixes them.
    """
    found = {}
    for prefix, part in {"": model, **sublayers(model)}.items():
        start = f"{prefix}/" if prefix else ""
        for chain in _chains(part):
            layers = [(f"{start}{p}", sublayer(part, p)) for p in chain]
            for i in range(len(layers)):
                units = _followed(layers[i:])
                if units is not None:
                    found[units.path] = units
    return found


def _chains(part):
    """Lists of paths of layers that follow one another in a layer."""
    if hasattr(part, "layer_chains"):
        return part.layer_chains()
    return _chains_of_graph(part) if is_graph(part) else []


def _chains_of_graph(model):
    """Of a functional model: from each layer on, as long as one alone reads."""
    if isinstance(model, keras.Sequential):
        return [[layer.name for layer in model.layers]]
    readers, several = _readers(model)
    chains = []
    for layer in model.layers:
        name, chain = layer.name, []
        while name is not None and name not in several:
            chain.append(name)
            name = readers[name][0] if len(readers[name]) == 1 else None
        chains.append(chain)
    return [chain for chain in chains if chain]


def _readers(model):
    """Who reads the output of each layer: names; `None` for the model's own.

    Returns:
        Dict of lists of names, and the names of what is called several times.
    """
    nodes = [node for level in model._nodes_by_depth.values() for node in level]
    outputs = set(map(id, model.outputs))
    calls = collections.Counter(node.operation.name for node in nodes)
    readers = {name: [] for name in calls}
    for node in nodes:
        name = node.operation.name
        for source in node.parent_nodes:
            readers[source.operation.name].append(name)
        if not outputs.isdisjoint(map(id, node.outputs)):
            readers[name].append(None)
    return readers, {name for name, count in calls.items() if count > 1}


def _followed(layers):
    """The units of the first of layers that follow one another, or `None`."""
    (path, maker), *others = layers
    if not _makes_units(maker):
        return None
    number = units_in(maker)
    rows, norms = np.arange(number)[:, None], []
    for name, layer in others:
        if isinstance(layer, _DENSE) or _is_convolution(layer):
            inputs = reading_kernel(layer).shape[-2]
            if rows.size == inputs and not _is_quantized(layer):
                return Structures(path, tuple(norms), name, rows)
            return None
        if isinstance(layer, keras.layers.Flatten):
            inputs = int(
                np.prod(layer.compute_output_shape(_shape_into(layer))[1:])
            )
            rows = np.arange(inputs).reshape(-1, number).T
        elif isinstance(layer, _NORMS):
            if layer.axis not in (-1, len(_shape_into(layer)) - 1):
                return None
            norms.append(name)
        elif not _by_unit(layer):
            return None
    return None


def _shape_into(layer):
    return layer.get_build_config()["input_shape"]


def units_in(layer):
    """How many units, or filters, a layer has."""
    return layer.filters if _is_convolution(layer) else layer.units


def _makes_units(layer):
    makes = isinstance(layer, _DENSE) or _is_convolution(layer)
    return makes and not _mixes(layer) and not _is_quantized(layer)


def _is_convolution(layer):
    return (
        isinstance(layer, _CONVOLUTIONS)
        and hasattr(layer, "filters")
        and layer.groups == 1
        and layer.data_format == "channels_last"
    )


def _is_quantized(layer):
    parts = [layer, *sublayers(layer).values()]
    return any(part.quantization_mode is not None for part in parts)


def _mixes(layer):
    activation = getattr(layer, "activation", None)
    return getattr(activation, "__name__", "") in _MIXING


def _by_unit(layer):
    channels = getattr(layer, "data_format", "channels_last")
    return (
        isinstance(layer, _BY_UNIT)
        and not _mixes(layer)
        and channels == "channels_last"
    )
