"""Factorization: matrices as products of two thin ones, by their SVD."""

import numbers
import re

import keras
import numpy as np

from keras_dl.checks import check_integer
from keras_dl.compression.slices import built_like
from keras_dl.layers import FactorizedDense, FactorizedEmbedding
from keras_dl.models import replace_layers, sublayers
from keras_dl.models.paths import places, walk


def break_even_rank(rows, columns):
    """The rank at which two factors have as many numbers as their product.

        r (m + n) = m n

    Args:
        rows, columns: m and n.

    Returns:
        `m n / (m + n)`: ranks below it are smaller.

    Example:

    >>> break_even_rank(256, 1024)
    204.8
    """
    return rows * columns / (rows + columns)


def rank_for_energy(singular_values, energy):
    """The least rank that keeps a share of the squares of singular values.

    Args:
        singular_values: Array, the largest first.
        energy: The share, above 0 and at most 1.

    Returns:
        An integer of at least 1.

    Raises:
        ValueError: If `energy` is no such share.

    Example:

    >>> rank_for_energy(np.array([4.0, 2.0, 1.0]), energy=0.95)
    2
    """
    if not _is_share(energy):
        raise ValueError(
            "`energy` must be a number above 0 and at most 1. Received: "
            f"energy={energy!r}."
        )
    squares = np.square(np.asarray(singular_values, "float64"))
    kept = np.cumsum(squares) / max(squares.sum(), 1e-300)
    # Rounding must not ask for one more, nor for more than there are.
    rank = int(np.searchsorted(kept, energy - 1e-12)) + 1
    return min(rank, len(squares))


def factorize_layer(layer, rank):
    """A thin layer in the place of a dense one, or of an embedding.

        W ~ A B = (U_r sqrt(S_r)) (sqrt(S_r) V_r^T)

    of the singular value decomposition `W = U S V^T`: of all products of this
    rank the nearest. The error `||W - A B||_F` is the root of the sum of the
    squares of the singular values that are dropped.

    Args:
        layer: A built `keras.layers.Dense`, ours too, `keras.layers.Embedding`
            or `ReversibleEmbedding` with tied weights.
        rank: r, at most the lesser of the sizes of `W`.

    Returns:
        A built `keras_dl.layers.FactorizedDense` or `FactorizedEmbedding`.

    Raises:
        TypeError: If `layer` is of another kind.
        ValueError: If `rank` is too large, or the layer is quantized.

    Example:

    >>> layer = keras.layers.Dense(6)
    >>> layer.build((None, 8))
    >>> thin = factorize_layer(layer, rank=2)
    >>> layer.count_params(), thin.count_params()
    (54, 34)

    Reference:
        Eckart and Young, "The approximation of one matrix by another of lower
        rank", 1936; Denton et al., "Exploiting linear structure within
        convolutional networks for efficient evaluation", 2014.
    """
    _check_kind(layer)
    return _factorized(layer, _svd(layer), rank)


def factorize(model, paths=None, rank=None, energy=None, budget=None):
    """Factorizes layers of a model for good.

    How thin they become is said by one of

    - `rank`: the same for all, such as 8;
    - `energy`: the share of the squares of singular values that each keeps;
    - `budget`: the number of parameters that the whole model has afterwards, at
      most: each layer keeps the same, largest possible energy. A number below 1
      is a share of those it has.

    A layer stays as it is where two factors would have no fewer numbers: from
    `break_even_rank` on. The model is changed as by
    `keras_dl.models.replace_layer`; embeddings that are shared, or tied to
    logits, stay so.

    Args:
        model: A built model.
        paths: Regular expressions for the paths of layers (see
            `keras_dl.models.sublayers`), such as `"encoder/token_embedding"`.
            By default all dense layers, without embeddings.
        rank, energy, budget: One of them.

    Returns:
        The model; of a functional or sequential one another model.

    Raises:
        TypeError: If a path names a layer of another kind.
        ValueError: If not one of the three is given or it is not allowed, a
            path matches nothing, a layer that is named has a rank that makes
            it no smaller, or the budget is less than all ranks of 1 come to.
            The model is as it was then.

    Example:

    >>> model = keras_dl.applications.MLP((64, 64), num_outputs=3)
    >>> model.build((None, 32))
    >>> before = model.count_params()
    >>> model = factorize(model, "hidden/.*", rank=4)
    >>> before, model.count_params()
    (6467, 1219)

    Reference:
        As `factorize_layer`; budgets by energy: as Idelbayev and
        Carreira-Perpinan, "Low-rank compression of neural nets", 2020,
        without their learning of ranks.
    """
    given = {"rank": rank, "energy": energy, "budget": budget}
    if sum(value is not None for value in given.values()) != 1:
        raise ValueError(
            "Give one of `rank`, `energy` and `budget`. Received: "
            + ", ".join(f"{n}={v!r}" for n, v in given.items())
            + "."
        )
    chosen = _chosen(model, paths)
    if rank is not None:
        check_integer("rank", rank, 1)
        _check_ranks(chosen, rank, paths)
        ranks = dict.fromkeys(chosen, rank)
    else:
        parts = {path: _svd(layer) for path, layer in chosen.items()}
        values = {path: part[1] for path, part in parts.items()}
        if budget is not None:
            energy = _energy_for(model, chosen, values, budget)
        ranks = {p: rank_for_energy(v, energy) for p, v in values.items()}
    plan, held = {}, places(model)
    for path, layer in chosen.items():
        if ranks[path] < break_even_rank(*_matrix(layer).shape):
            part = parts[path] if rank is None else _svd(layer)
            thin = _factorized(layer, part, ranks[path])
            plan |= dict.fromkeys(held[id(layer)], thin)
    return replace_layers(model, plan)


def _is_share(value):
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return number and 0 < value <= 1


def _chosen(model, paths):
    """The layers to factorize, by path."""
    every = sublayers(model)
    if paths is None:
        return {
            path: layer
            for path, layer in every.items()
            if isinstance(layer, keras.layers.Dense)
            and layer.quantization_mode is None
        }
    found = {}
    for pattern in [paths] if isinstance(paths, str) else paths:
        matched = [path for path in every if re.fullmatch(pattern, path)]
        matched = matched or _by_name(model, every, pattern)
        if not matched:
            raise ValueError(
                "`paths` must match layers of the model. Received: "
                f"{pattern!r}, which matches none of {list(every)}."
            )
        kinds = [path for path in matched if _is_kind(every[path])]
        if not kinds:
            _check_kind(every[matched[0]], matched[0])
        found |= {path: every[path] for path in kinds}
    return found


def _by_name(model, every, path):
    """The path of a layer that is called by its own name, in a list."""
    try:
        layer = walk(model, path)[-1][-1]
    except ValueError:  # There is none: the caller says so.
        return []
    return [name for name, part in every.items() if part is layer]


def _is_kind(layer):
    return isinstance(layer, (keras.layers.Dense, keras.layers.Embedding))


def _check_kind(layer, path=None):
    if not _is_kind(layer):
        raise TypeError(
            "A layer to factorize must be a dense one or an embedding. "
            f"Received: {layer.name if path is None else path!r}, a "
            f"{type(layer).__name__}."
        )
    untied = getattr(layer, "tie_weights", True) is False
    if layer.quantization_mode is not None or untied:
        how = "not tied" if untied else layer.quantization_mode
        raise ValueError(
            "A layer to factorize must have one matrix of floats. Received: "
            f"{layer.name if path is None else path!r}, which is {how}."
        )


def _check_ranks(chosen, rank, paths):
    """Refuses a rank that makes layers that are named no smaller."""
    for path, layer in chosen.items():
        limit = break_even_rank(*_matrix(layer).shape)
        if paths is not None and rank >= limit:
            raise ValueError(
                f"`rank` must be below {limit:.1f} for {path!r}, whose matrix "
                f"has the shape {_matrix(layer).shape}: two factors are no "
                f"smaller from there on. Received: rank={rank}."
            )


def _matrix(layer):
    embeds = isinstance(layer, keras.layers.Embedding)
    variable = layer.embeddings if embeds else layer.kernel
    return keras.ops.convert_to_numpy(variable)


def _svd(layer):
    return np.linalg.svd(_matrix(layer).astype("float64"), full_matrices=False)


def _factorized(layer, svd, rank):
    left, values, right = svd
    check_integer("rank", rank, 1, len(values))
    root = np.sqrt(values[:rank])
    factors = left[:, :rank] * root, root[:, None] * right[:rank]
    common = {
        name: layer.get_config()[name]
        for name in ("name", "trainable", "dtype")
    }
    if isinstance(layer, keras.layers.Embedding):
        new = FactorizedEmbedding(
            layer.input_dim,
            layer.output_dim,
            rank,
            mask_zero=layer.mask_zero,
            **common,
        )
        built_like(new, layer, (None,))
        targets = new.table.embeddings, new.projection
    else:
        new = FactorizedDense(
            layer.units, rank, layer.activation, layer.use_bias, **common
        )
        built_like(new, layer, layer.get_build_config()["input_shape"])
        targets = new.reduce.kernel, new.expand.kernel
        if layer.use_bias:
            new.expand.bias.assign(layer.bias)
    for variable, factor in zip(targets, factors, strict=True):
        variable.assign(factor)
    return new


def _energy_for(model, chosen, values, budget):
    """The largest energy with which a model has no more parameters."""
    now = model.count_params()
    if isinstance(budget, numbers.Real) and 0 < budget < 1:
        budget = int(budget * now)
    sizes = {path: _matrix(layer).shape for path, layer in chosen.items()}

    def parameters(energy):
        saved = 0
        for path, (m, n) in sizes.items():
            rank = rank_for_energy(values[path], energy)
            saved += max(m * n - rank * (m + n), 0)
        return now - saved

    check_integer("budget", budget, parameters(1e-12))
    low, high = 1e-12, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        fits = parameters(middle) <= budget
        low, high = (middle, high) if fits else (low, middle)
    return 1.0 if parameters(1.0) <= budget else low
