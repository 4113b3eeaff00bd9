"""Masks of exactly so many zeros, whatever the ties."""

import re

import numpy as np
from keras import ops

from keras_dl.models import WeightReading

SCOPES = ("local", "global")
_PATTERN = re.compile(r"(\d+):(\d+)")


def number_pruned(sparsity, total):
    """How many of `total` weights are pruned: `sparsity * total`, rounded.

    Halves go to the even number, as in `torch.nn.utils.prune`: of 10 weights
    0.25 are 2.
    """
    return round(sparsity * total)


def ranks(scores):
    """The place of each number in ascending order; the first of ties first."""
    flat = ops.reshape(scores, (-1,))
    places = ops.arange(flat.shape[0], dtype="int32")
    order = ops.expand_dims(ops.argsort(flat), -1)
    return ops.reshape(
        ops.scatter_update(ops.zeros_like(places), order, places), scores.shape
    )


def masks_of(scores, numbers, scope):
    """Masks with zeros for the lowest scores.

    Args:
        scores: List of tensors.
        numbers: How many zeros: one integer for each tensor, or with the
            scope `"global"` one for all of them.
        scope: `"local"` or `"global"`.

    Returns:
        List of boolean tensors.
    """
    if scope == "local":
        return [
            ranks(x) >= number
            for x, number in zip(scores, numbers, strict=True)
        ]
    flat = ops.concatenate([ops.reshape(x, (-1,)) for x in scores])
    kept = ranks(flat) >= numbers
    ends = np.cumsum([int(np.prod(x.shape)) for x in scores])
    # PyTorch does not split into one.
    parts = ops.split(kept, ends[:-1].tolist()) if len(ends) > 1 else [kept]
    return [
        ops.reshape(part, x.shape)
        for part, x in zip(parts, scores, strict=True)
    ]


def pattern_of(sparsity):
    """`(n, m)` of a pattern such as `"2:4"`, or `None`."""
    if not isinstance(sparsity, str):
        return None
    matched = _PATTERN.fullmatch(sparsity)
    n, m = map(int, matched.groups()) if matched else (0, 0)
    if not 0 < n < m:
        raise ValueError(
            "`sparsity` must be a number in [0, 1), a schedule, or a pattern "
            "'n:m' that keeps n of m weights, 0 < n < m. Received: "
            f"sparsity={sparsity!r}."
        )
    return n, m


def check_pattern(path, shape, pattern):
    """Refuses a kernel whose inputs are no multiple of m."""
    if shape[-2] % pattern[1]:
        raise ValueError(
            f"`sparsity` must be a pattern n:m with an m that divides the "
            f"{shape[-2]} inputs of {path!r}. Received: "
            f"'{pattern[0]}:{pattern[1]}'."
        )


def mask_of_pattern(scores, pattern):
    """Keeps the n highest of each m successive inputs of a kernel."""
    n, m = pattern
    # Inputs last, in groups.
    turned = ops.swapaxes(scores, -1, -2)
    grouped = ops.reshape(turned, (*turned.shape[:-1], -1, m))
    order = ops.argsort(ops.argsort(grouped, axis=-1), axis=-1)
    kept = ops.reshape(order >= m - n, turned.shape)
    return ops.swapaxes(kept, -1, -2)


def sparsity(model, paths=None):
    """The share of zeros among weights of a model.

    Args:
        model: A built Keras layer or model.
        paths: Regular expressions for the paths of variables (see
            `keras_dl.models.variables_by_path`); by default all kernels.

    Returns:
        A number in [0, 1].

    Raises:
        ValueError: If `paths` match nothing.

    Example:

    >>> model = keras_dl.applications.MLP((), num_outputs=2)
    >>> model.build((None, 2))
    >>> model.head.kernel.assign([[1.0, 0.0], [0.0, 0.0]])
    [[1.0, 0.0], [0.0, 0.0]]
    >>> keras_dl.compression.sparsity(model)
    0.75
    """
    chosen = kernels(model, paths).values()
    zeros = sum(
        int(ops.sum(ops.cast(ops.equal(v, 0), "int32"))) for v in chosen
    )
    return zeros / sum(int(np.prod(v.shape)) for v in chosen)


def kernels(model, paths=None):
    """The variables of a model that are pruned by default, by path."""
    reading = WeightReading(paths)
    reading.attach(model)
    return reading.of_variables
