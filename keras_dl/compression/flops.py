"""What a model computes: multiplications and additions, by layer."""

import inspect
import math

import keras
import numpy as np

from keras_dl import layers
from keras_dl.heads.tied_head import TiedHead
from keras_dl.models import sublayers
from keras_dl.models.taps import tapped

_RECURRENT = keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN
_CONVOLUTIONS = keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D
_TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)
_DEPTHWISE = keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D
_LOOPS = keras.layers.RNN, keras.layers.TimeDistributed, layers.AttentionDecoder
_SEPARABLE = keras.layers.SeparableConv1D, keras.layers.SeparableConv2D


def flops(model, x):
    """The floating-point operations of one example, by layer.

    | layer                         | operations                              |
    |-------------------------------|-----------------------------------------|
    | dense, `m` inputs, `n` units  | `2 m n` for each position               |
    | einsum                        | 2 x the sizes of all its indices        |
    | convolution                   | 2 x its kernel for each output position |
    | transposed convolution        | 2 x its kernel for each input position  |
    | recurrent                     | 2 x both of its kernels for each step   |
    | attention, beside its dense layers | `2 h q k (d_k + d_v)`: all pairs of |
    |                               | `q` queries and `k` keys of `h` heads   |
    | embedding read backwards (tied logits) | as a dense layer               |

    A multiplication and an addition are two operations. Products of matrices
    are counted as they are computed: with zeros, with padding. What is done
    for each number by itself (biases, activations, softmax, normalization,
    pooling) and looking up is not; it is little beside products.

    Args:
        model: A built Keras layer or model.
        x: Inputs, as the model is called with them: arrays, or a structure of
            them. The first example is run once.

    Returns:
        Dict of numbers by path (see `keras_dl.models.sublayers`); `None` for
        layers that have matrices and are of none of these kinds, or were not
        called.

    Example:

    >>> model = keras_dl.applications.MLP((8,), num_outputs=3)
    >>> model.build((None, 4))
    >>> found = flops(model, np.ones((2, 4)))
    >>> found["hidden/0"], found["head"]
    (64, 48)
    """
    found, known = {}, {}
    loops = []
    for path, layer in {"": model, **sublayers(model)}.items():
        if path.startswith(tuple(loops)):
            continue  # Called as often as a backend likes.
        count, loop = _counted(layer), isinstance(layer, _LOOPS)
        if loop:
            loops.append(f"{path}/" if path else "")
        if count is not None or loop or _has_matrices(layer):
            known[path] = layer, _recorder(found, path, layer, count)
    with tapped(known.values()):
        model(keras.tree.map_structure(lambda array: np.array(array[:1]), x))
    # What is used in another way than by a call is not known, either.
    return {path: found.get(path) for path in known if found.get(path) != 0}


def _recorder(found, path, layer, count):
    names = list(inspect.signature(type(layer).call).parameters)[1:]

    def around(call, *args, **kwargs):
        outputs = call(*args, **kwargs)
        if count is None:
            found[path] = None
            return outputs
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        inputs = next(iter(given.values()))
        number = count(layer, inputs, keras.tree.flatten(outputs)[0], given)
        found[path] = found.get(path, 0) + number
        return outputs

    return around


def _counted(layer):
    """The function that counts a layer's operations, or `None`."""
    return next((f for kinds, f in _KINDS if isinstance(layer, kinds)), None)


def _has_matrices(layer):
    """Whether variables that no part holds are matrices."""
    parts = {id(v) for p in sublayers(layer).values() for v in p.weights}
    return any(
        len(v.shape) > 1 for v in layer.trainable_weights if id(v) not in parts
    )


def _dense(layer, x, outputs, given):
    return 2 * math.prod(x.shape) * outputs.shape[-1]


def _einsum(layer, x, outputs, given):
    indices, _, results = (
        layer.equation.replace("...", "").replace("->", ",").split(",")
    )
    sizes = zip(reversed(indices), reversed(x.shape), strict=False)
    summed = math.prod(size for name, size in sizes if name not in results)
    return 2 * math.prod(outputs.shape) * summed


def _convolution(layer, x, outputs, given):
    positions = math.prod(outputs.shape) // layer.filters
    return 2 * math.prod(layer.kernel.shape) * positions


def _transposed(layer, x, outputs, given):
    kernel = layer.kernel.shape  # (..., filters, channels)
    return 2 * math.prod(kernel[:-1]) * math.prod(x.shape)


def _depthwise(layer, x, outputs, given):
    window = math.prod(layer.kernel.shape[:-2])
    return 2 * window * math.prod(outputs.shape)


def _separable(layer, x, outputs, given):
    kernels = layer.depthwise_kernel, layer.pointwise_kernel
    positions = math.prod(outputs.shape) // layer.filters
    return 2 * sum(math.prod(k.shape) for k in kernels) * positions


def _recurrent(layer, x, outputs, given):
    kernels = layer.cell.kernel, layer.cell.recurrent_kernel
    return 2 * sum(math.prod(k.shape) for k in kernels) * x.shape[1]


def _pairs(given):
    """Queries times keys, of one head."""
    query, value = given["query"], given.get("value")
    cache = given.get("cache")
    keys = cache[0] if cache is not None else query if value is None else value
    return query.shape[1] * keys.shape[1]


def _keras_attention(layer, x, outputs, given):
    config = layer.get_config()
    sizes = config["key_dim"] + (config["value_dim"] or config["key_dim"])
    return 2 * config["num_heads"] * sizes * _pairs(given)


def _attention(layer, x, outputs, given):
    return 2 * 2 * layer.query_dense.units * _pairs(given)


def _factorized_table(layer, x, outputs, given):
    """The thin projection; the table, read backwards, counts for itself."""
    positions = math.prod((x if given.get("reverse") else outputs).shape)
    return 2 * layer.rank * positions


def _table(layer, x, outputs, given):
    return _dense(layer, x, outputs, given) if given.get("reverse") else 0


def _nothing(layer, x, outputs, given):
    return 0


def _tied_logits(layer, x, outputs, given):
    """Products with a table that the head takes from the embedding."""
    table = getattr(layer, "embeddings", None)
    if table is None:
        embedding = given["encoder"].token_embedding
        if embedding.quantization_mode or not hasattr(embedding, "embeddings"):
            return 0  # It is called, and counts for itself.
        table = embedding.embeddings
    return 2 * math.prod(outputs.shape) * table.shape[-1]


_KINDS = (
    (TiedHead, _tied_logits),
    (keras.layers.Dense, _dense),
    (keras.layers.EinsumDense, _einsum),
    (_TRANSPOSED, _transposed),
    (_DEPTHWISE, _depthwise),
    (_SEPARABLE, _separable),
    (_CONVOLUTIONS, _convolution),
    (_RECURRENT, _recurrent),
    (keras.layers.MultiHeadAttention, _keras_attention),
    (layers.MultiHeadAttention, _attention),
    (layers.FactorizedEmbedding, _factorized_table),
    (keras.layers.Embedding, _table),
    (layers.LearnedPositions, _nothing),
)
