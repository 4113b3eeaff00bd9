"""How much a model needs its heads, its units and its blocks."""

import itertools

import numpy as np
from keras import ops, tree

import keras_dl
from keras_dl.checks import check_choice, check_fraction, check_integer
from keras_dl.compression.masks import SCOPES, number_pruned
from keras_dl.compression.structures import heads_of, reading_kernel, units_of
from keras_dl.models import feature_paths, features, sublayer
from keras_dl.models.features import padding_mask
from keras_dl.models.taps import tapped
from keras_dl.training import SupervisedTrainer

CRITERIA = ("taylor", "gate", "magnitude")


def head_importance(
    model,
    x=None,
    y=None,
    criterion="taylor",
    loss=None,
    normalize=True,
    batch_size=32,
):
    """How much the heads of a model's attentions matter to its task.

        taylor:     I_h = mean over examples sum_t |z_th . dL/dz_th|
        gate:       I_h = mean over examples |sum_t z_th . dL/dz_th|
        magnitude:  I_h = ||W_o[h]||

    `z_th` is what head h gives for token t, and `W_o[h]` the rows of the output
    projection that read it: the first is the importance of Michel et al., as
    their code computes it; the second the gradient by a gate of the head,
    `W_o[h] . dL/dW_o[h]`, by example, as Hugging Face's. Their order may be the
    opposite of each other: what tokens say may cancel out.

    The model is in inference mode, and its loss that of its task. Padding
    counts for nothing.

    Args:
        model: A built model, with attentions of
            `keras_dl.layers.MultiHeadAttention`.
        x: Its inputs, arrays of examples in any structure; or a list of
            batches `(x, y)`. `"magnitude"` needs none.
        y: Its targets.
        criterion: One of the three.
        loss: Loss of a model that does not say what it trains on.
        normalize: Whether to divide the importances of each layer by their
            Euclidean norm, as the paper does.
        batch_size: Number of examples that are computed together.

    Returns:
        Dict of arrays `(heads,)` by the paths of the attentions.

    Raises:
        ValueError: If an argument is not allowed, or the model has no heads.

    Example:

    >>> encoder = keras_dl.applications.BERT(30, 2, 8, 2, 16)
    >>> head = keras_dl.heads.Classification(2)
    >>> model = keras_dl.applications.TaskModel(encoder, head)
    >>> found = head_importance(model, np.array([[2, 5, 3]]), np.array([1]))
    >>> {path: scores.shape for path, scores in found.items()}
    {'encoder/blocks/0/attention': (2,), 'encoder/blocks/1/attention': (2,)}

    Reference:
        Michel, Levy and Neubig, "Are sixteen heads really better than one?",
        2019; after Molchanov et al., "Pruning convolutional neural networks
        for resource efficient inference", 2017.
    """
    data = x, y, loss, batch_size
    return _importance(model, heads_of(model), criterion, normalize, data)


def unit_importance(
    model,
    x=None,
    y=None,
    criterion="taylor",
    loss=None,
    normalize=True,
    batch_size=32,
):
    """How much hidden units and filters of a model matter to its task.

    As `head_importance`, where `z` is the value of a unit as the next layer
    reads it; positions, of tokens or in an image, count as tokens there. The
    units are those of feed-forward networks, and of layers that lead to one
    other layer with weights: dense ones and convolutions.

    Args:
        model: A built model.
        x, y, criterion, loss, normalize, batch_size: As in `head_importance`.

    Returns:
        Dict of arrays `(units,)` by the paths of the layers that have them.

    Raises:
        ValueError: If an argument is not allowed, or the model has no such
            units.

    Example:

    >>> model = keras_dl.applications.MLP((4, 3), num_outputs=2)
    >>> model.build((None, 5))
    >>> found = unit_importance(model, criterion="magnitude")
    >>> {path: scores.shape for path, scores in found.items()}
    {'hidden/0': (4,), 'hidden/2': (3,)}

    Reference:
        Molchanov et al., "Pruning convolutional neural networks for resource
        efficient inference", 2017. Magnitudes are those of the weights that
        read a unit, which are what is removed; Li et al., "Pruning filters for
        efficient convnets", 2017, take those that make it.
    """
    data = x, y, loss, batch_size
    return _importance(model, units_of(model), criterion, normalize, data)


def layer_importance(model, x, batch_size=32):
    """How much each block of a model changes what goes through it.

        I_l = 1 - mean over real tokens cos(h_{l-1}, h_l)

    Args:
        model: A built model with the features `"hidden_states/0"` and so on.
        x: Its inputs, arrays of examples in any structure.
        batch_size: Number of examples that are computed together.

    Returns:
        Array `(blocks,)`.

    Raises:
        ValueError: If the model has no blocks.

    Example:

    >>> encoder = keras_dl.applications.BERT(30, 3, 8, 2, 16)
    >>> layer_importance(encoder, np.array([[2, 5, 3]])).shape
    (3,)

    Reference:
        Sajjad et al., "On the effect of dropping layers of pre-trained
        transformer models", 2023; Men et al., "ShortGPT", 2024: block
        influence.
    """
    names = [n for n in feature_paths(model) if n.startswith("hidden_states/")]
    if not names:
        raise ValueError(
            "`model` must have blocks, whose outputs `feature_paths` names "
            f"'hidden_states/1' and so on. Received: {model.name!r}."
        )

    def compare(x):
        found = features(model, x, names)
        states = [ops.cast(found[name], "float32") for name in names]
        mask = padding_mask(model, x)
        near = [_cosines(a, b) for a, b in itertools.pairwise(states)]
        weights = ops.ones_like(near[0]) if mask is None else mask
        weights = ops.cast(weights, "float32")
        return [ops.sum(v * weights) for v in near], ops.sum(weights)

    compare = keras_dl.compiled(compare)
    sums, count = np.zeros(len(names) - 1), 0.0
    for batch, _ in _batches(x, None, batch_size):
        near, number = compare(batch)
        sums += [float(ops.convert_to_numpy(v)) for v in near]
        count += float(ops.convert_to_numpy(number))
    return 1.0 - sums / count


def _cosines(a, b):
    product = ops.sum(a * b, axis=-1)
    return product / (ops.norm(a, axis=-1) * ops.norm(b, axis=-1) + 1e-12)


def lowest(importance, number=None, share=None, scope="global", at_least=1):
    """Of what matters least, the indices: what is to be removed.

    Args:
        importance: Dict of arrays by path, or one array, as of
            `layer_importance`.
        number: How many.
        share: Which share of them, in [0, 1), in the place of `number`; halves
            are rounded to the even number.
        scope: `"global"`: all together are compared, and some layers lose more
            than others; `"local"`: each array loses so many.
        at_least: How many of each array stay.

    Returns:
        Dict of lists of indices by path, for `remove_heads` and
        `remove_units`; of one array a list, for `remove_layers`.

    Raises:
        ValueError: If an argument is not allowed, or there are not so many
            that may go.

    Example:

    >>> lowest({"a": np.array([0.1, 0.2]), "b": np.array([0.3, 0.9])}, 2)
    {'a': [0], 'b': [0]}
    """
    check_choice("scope", scope, SCOPES)
    if (number is None) == (share is None):
        raise ValueError(
            "Give one of `number` and `share`. Received: "
            f"number={number!r}, share={share!r}."
        )
    if share is not None:
        check_fraction("share", share, "the share that goes")
    if not isinstance(importance, dict):
        return lowest({"": importance}, number, share, scope, at_least)[""]
    if scope == "global":
        return _lowest(importance, number, share, at_least)
    found = {}
    for path, scores in importance.items():
        found |= _lowest({path: scores}, number, share, at_least)
    return found


def _lowest(importance, number, share, at_least):
    """The lowest of all arrays together."""
    may_go = sum(max(len(v) - at_least, 0) for v in importance.values())
    total = sum(map(len, importance.values()))
    wanted = number_pruned(share, total) if number is None else number
    check_integer("number", wanted, 0, may_go)
    order = sorted(
        (score, path, i)
        for path, scores in importance.items()
        for i, score in enumerate(np.asarray(scores).tolist())
    )
    found = {path: [] for path in importance}
    for _, path, i in order:
        if wanted and len(importance[path]) - len(found[path]) > at_least:
            found[path].append(i)
            wanted -= 1
    return {path: sorted(gone) for path, gone in found.items()}


def _importance(model, structures, criterion, normalize, data):
    check_choice("criterion", criterion, CRITERIA)
    if not structures:
        raise ValueError(
            "`model` must have heads, or units, that can be removed: see "
            f"`remove_heads` and `remove_units`. Received: {model.name!r}."
        )
    if criterion == "magnitude":
        found = {p: _magnitudes(model, s) for p, s in structures.items()}
    else:
        found = _contributions(model, structures, criterion, *data)
    if normalize:
        found = {p: v / (np.linalg.norm(v) + 1e-12) for p, v in found.items()}
    return found


def _magnitudes(model, of):
    kernel = ops.convert_to_numpy(
        reading_kernel(sublayer(model, of.reader))
    ).astype("float64")
    rows = np.moveaxis(kernel, -2, 0)[of.rows]
    return np.sqrt(np.square(rows).reshape(of.number, -1).sum(1))


def _contributions(model, structures, criterion, x, y, loss, batch_size):
    """What groups of features add to the loss, to first order."""
    trainer = SupervisedTrainer(model)
    trainer.compile(loss=loss)
    inputs = {path: f"{of.reader}:input" for path, of in structures.items()}

    def of_batch(x, y):
        values = features(model, x, inputs.values())
        values = {path: values[at] for path, at in inputs.items()}

        def shifted(shifts):
            pairs = [
                (sublayer(model, of.reader), _adds(shifts[path]))
                for path, of in structures.items()
            ]
            with tapped(pairs):
                outputs = model(x, training=False)
            return trainer.compute_loss(x, y, outputs, training=False)

        zeros = {path: ops.zeros_like(v) for path, v in values.items()}
        slopes = keras_dl.grad(shifted)(zeros)
        return {
            path: _scores(values[path] * slopes[path], of.rows, criterion)
            for path, of in structures.items()
        }

    of_batch = keras_dl.compiled(of_batch)
    sums = {path: np.zeros(of.number) for path, of in structures.items()}
    count = 0
    for batch, targets in _batches(x, y, batch_size):
        number = len(tree.flatten(batch)[0])
        for path, scores in of_batch(batch, targets).items():
            # The loss is a mean: each example's gradient is so much smaller.
            sums[path] += number * ops.convert_to_numpy(scores)
        count += number
    return {path: total / count for path, total in sums.items()}


def _adds(shift):
    def around(call, inputs, *args, **kwargs):
        return call(inputs + ops.cast(shift, inputs.dtype), *args, **kwargs)

    return around


def _scores(products, rows, criterion):
    """Sums over a batch; `products` has features last."""
    products = ops.cast(products, "float32")
    groups = ops.take(products, rows.ravel().astype("int32"), axis=-1)
    shape = (ops.shape(products)[0], -1, *rows.shape)
    dots = ops.sum(ops.reshape(groups, shape), axis=-1)
    if criterion == "taylor":
        return ops.sum(ops.abs(dots), axis=(0, 1))
    return ops.sum(ops.abs(ops.sum(dots, axis=1)), axis=0)


def _batches(x, y, batch_size):
    """Batches of arrays, or those of a list."""
    if y is None and isinstance(x, list) and isinstance(x[0], tuple):
        yield from ((batch[0], batch[1]) for batch in x)
        return
    check_integer("batch_size", batch_size, 1)
    if x is None:
        raise ValueError("`x` and `y` must be given. Received: x=None.")
    number = len(tree.flatten(x)[0])
    for start in range(0, number, batch_size):

        def part(a, start=start):
            return np.asarray(a)[start : start + batch_size]

        targets = None if y is None else tree.map_structure(part, y)
        yield tree.map_structure(part, x), targets
