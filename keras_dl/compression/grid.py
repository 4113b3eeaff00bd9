"""The grid of integers that values are rounded to, and its channels."""

from keras import layers, ops

from keras_dl.layers import AttentionDecoder
from keras_dl.models import sublayers

# Keras' own, so that its integers are the ones that training has seen.
EPSILON = 1e-7
# What `quantize` of Keras knows, and what extends it.
QUANTIZABLE = (layers.Dense, layers.EinsumDense, layers.Embedding)
TRANSPOSED = (
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
)
# Those of which what goes in is quantized, too, unless it is ids.
MULTIPLYING = (layers.Dense, layers.EinsumDense, layers.ReversibleEmbedding)

# What calls layers within a loop that is compiled: nothing inside of it can
# be noted down.
_LOOPS = (layers.RNN, layers.TimeDistributed, AttentionDecoder)


def outside_of_loops(model):
    """The sublayers whose calls can be looked at, by path."""
    parts = sublayers(model)
    loops = [
        f"{path}/" for path, part in parts.items() if isinstance(part, _LOOPS)
    ]
    return {
        path: part
        for path, part in parts.items()
        if not path.startswith(tuple(loops))
    }


def observed(model):
    """Those of them whose inputs are quantized."""
    return {
        path: part
        for path, part in outside_of_loops(model).items()
        if isinstance(part, MULTIPLYING)
    }


def fake_quantize(x, low, high, bits, symmetric, covers=False):
    """Values on a grid of integers, with a straight-through gradient.

        symmetric   n = 2^(bits-1) - 1, s = n / max(-low, high)
                    x' = clip(round(s x), -n, n) / s
        else        n = 2^bits - 1, s = n / (high - low), z = round(-s low)
                    x' = (clip(round(s x) + z, 0, n) - z) / s

    0 stays 0. The gradient is 1 where nothing is clipped, and 0 elsewhere; what
    rounds to an end of the range is not, as in PyTorch.

    Args:
        x: Tensor.
        low: The least value, at most 0, a tensor that fits `x`.
        high: The largest value, at least 0.
        bits: Number of bits of the integers.
        symmetric: Whether the grid is that of `keras.quantizers`'
            `abs_max_quantize`, or that of its `fake_quant_with_min_max_vars`.
        covers: Whether the range is known to hold all of `x`.

    Returns:
        Tensor of the shape and dtype of `x`.
    """
    whole = ops.cast(x, "float32")  # Sums of 1e-7 are 0 in half precision.
    still, low, high = (
        ops.stop_gradient(ops.cast(v, "float32")) for v in (whole, low, high)
    )
    # What is added to values of the grid is 0, so that they are the very ones.
    straight = whole - still
    if symmetric:
        last = 2 ** (bits - 1) - 1
        # Not `/`, by which PyTorch multiplies with the reciprocal.
        scale = ops.divide(last, ops.maximum(-low, high) + EPSILON)
        integers = ops.round(still * scale)
        if not covers:
            integers, straight = _clipped(integers, -last, last, straight)
        grid = integers / scale
    else:
        last = 2**bits - 1
        scale = last / ops.maximum(high - low, EPSILON)
        zero = ops.round(ops.clip(-low * scale, 0, last))
        integers = ops.round(still * scale) + zero
        integers, straight = _clipped(integers, 0, last, straight)
        grid = (integers - zero) / scale
    return ops.cast(grid + straight, x.dtype)


def _clipped(integers, first, last, straight):
    """Integers within a range, and what lets gradients through to these."""
    clipped = ops.clip(integers, first, last)
    return clipped, ops.where(ops.equal(clipped, integers), straight, 0.0)


def value_range(x, axes, symmetric, keepdims=True):
    """The least and the largest of some values, and 0.

    Constants: no gradient goes through them.

    Args:
        x: Tensor.
        axes: The axes over which they are taken.
        symmetric: Whether both are to be as far from 0.
        keepdims: Whether these axes are kept, of size 1.
    """
    x = ops.stop_gradient(x)
    if symmetric:
        limit = ops.max(ops.abs(x), axis=axes, keepdims=keepdims)
        return -limit, limit
    low = ops.min(x, axis=axes, keepdims=keepdims)
    high = ops.max(x, axis=axes, keepdims=keepdims)
    return ops.minimum(low, 0.0), ops.maximum(high, 0.0)


def weight_axes(layer, variable):
    """The axes of a weight that have one scale: as Keras', all but channels.

    A channel is an output of a kernel, and a row of an embedding.
    """
    axes = list(range(len(variable.shape)))
    if len(axes) < 2:
        return tuple(axes)
    if isinstance(layer, layers.Embedding) and variable.name == "embeddings":
        return (1,)
    if isinstance(layer, layers.EinsumDense):
        _, kernel, output = letters(layer)
        return tuple(i for i in axes if kernel[i] not in output)
    if isinstance(layer, TRANSPOSED):
        return tuple(i for i in axes if i != axes[-2])
    depthwise = isinstance(
        layer, (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
    )
    if depthwise or variable.name == "depthwise_kernel":
        return tuple(axes[:-2])
    return tuple(axes[:-1])


def packs_channels(layer, axes):
    """Whether Keras' 4 bits have the scales that `weight_axes` says.

    It lays the kernel of an `EinsumDense` flat as if what is summed over came
    first, whether it does or not.
    """
    first = axes == tuple(range(len(axes)))
    return first or not isinstance(layer, layers.EinsumDense)


def input_axes(layer, x):
    """The axes of an input that have one scale: those summed over."""
    number = len(x.shape)
    if not isinstance(layer, layers.EinsumDense):
        return (number - 1,)
    inputs, _, output = letters(layer)
    before, _, after = inputs.partition("...")
    places = {i: c for i, c in enumerate(before)}
    places |= {number - len(after) + i: c for i, c in enumerate(after)}
    return tuple(i for i, c in places.items() if c not in output)


def letters(layer):
    """The inputs, kernel and outputs of the equation of an `EinsumDense`."""
    both, output = layer.equation.replace(" ", "").split("->")
    return (*both.split(","), output)
