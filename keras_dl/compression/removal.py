"""Heads, units and blocks removed for good: smaller matrices."""

import numbers

import numpy as np

from keras_dl.compression.slices import sliced, with_heads
from keras_dl.compression.structures import heads_of, units_of
from keras_dl.models import (
    Encoder,
    feature_paths,
    replace_layers,
    sublayer,
    sublayers,
)
from keras_dl.models.paths import walk


def remove_heads(model, heads):
    """Removes heads of attentions for good: what is left is smaller, faster.

    The model computes what it would if the rows of the output projection that
    read these heads were 0. Factorized projections stay factorized.

    The model is changed as by `keras_dl.models.replace_layer`: its config has
    the smaller attentions, files are read on every backend, and a compiled
    model asks to be compiled again before it trains.

    Args:
        model: A built model of `keras_dl.applications`, or with an encoder of
            it, whose attentions are `keras_dl.layers.MultiHeadAttention`.
        heads: Dict of lists of heads, counted from 0, by the paths of the
            attentions, as of `lowest(head_importance(...))`, or by the numbers
            that `"attention_weights/0"` and so on have.

    Returns:
        The model.

    Raises:
        ValueError: If there is no such attention or head, or none would be
            left. The model is as it was then.

    Example:

    >>> encoder = keras_dl.applications.BERT(30, 2, 8, 2, 16)
    >>> encoder = remove_heads(encoder, {0: [1]})
    >>> encoder.blocks[0].attention.num_heads
    1

    Reference:
        Michel, Levy and Neubig, "Are sixteen heads really better than one?",
        2019.
    """
    known = heads_of(model)
    plan = {}
    for given, gone in heads.items():
        path = _known("heads", _attention_path(model, given), known)
        of = known[path]
        kept = _kept("heads", path, gone, of.number)
        layer, others = with_heads(sublayer(model, path), of.rows, kept)
        plan[path] = layer
        plan |= {f"{path}/{name}": part for name, part in others.items()}
    return replace_layers(model, plan)


def remove_units(model, units):
    """Removes hidden units and filters for good, as `remove_heads` does heads.

    The model computes what it would if the weights that read these units were
    0. They are the units of feed-forward networks; of the dense layers and
    convolutions of `MLP` and `VGG16`; and in functional and sequential models
    of layers that lead to one other layer with weights, through activations,
    dropout, pooling, batch normalization and flattening alone. Outputs of a
    model, and what several layers read, as in residual networks, are none.

    Of a functional or sequential model a new one is made.

    Args:
        model: A built model.
        units: Dict of lists of units, counted from 0, by the paths of the
            layers that have them, as of `lowest(unit_importance(...))`.

    Returns:
        The model.

    Raises:
        ValueError: If a layer has no units that can be removed, there is no
            such unit, or none would be left. The model is as it was then.

    Example:

    >>> model = keras_dl.applications.MLP((8,), num_outputs=3)
    >>> model.build((None, 4))
    >>> model = remove_units(model, {"hidden/0": [0, 2, 3, 5, 6, 7]})
    >>> model.count_params()
    19

    Reference:
        Li et al., "Pruning filters for efficient convnets", 2017.
    """
    known = units_of(model)
    cuts = {}
    for given, gone in units.items():
        path = _known("units", _known_path(model, given), known)
        of = known[path]
        kept = _kept("units", path, gone, of.number)
        cuts.setdefault(path, {})["outputs"] = kept
        for norm in of.between:
            cuts.setdefault(norm, {})["outputs"] = kept
        read = np.sort(of.rows[kept].ravel())
        cuts.setdefault(of.reader, {})["inputs"] = read
    return replace_layers(
        model,
        {
            path: sliced(sublayer(model, path), **cut)
            for path, cut in cuts.items()
        },
    )


def remove_layers(model, layers):
    """Removes blocks of an encoder for good.

    `range(1, 12, 2)` are every second of twelve, `range(8, 12)` the last four,
    and `lowest(layer_importance(model, x), 4)` those that do least.

    The encoder is then one of fewer layers in all respects: `num_layers`, its
    config, the names of its features, and its files, Hugging Face's too.

    Args:
        model: A `keras_dl.applications.BERT` or `TransformerEncoder`, or a
            model with one as its `encoder`, such as a `TaskModel`.
        layers: Numbers of blocks, from 0.

    Returns:
        The model.

    Raises:
        ValueError: If the model has no such blocks, or none would be left.

    Example:

    >>> encoder = keras_dl.applications.BERT(30, 4, 8, 2, 16)
    >>> remove_layers(encoder, [1, 3]).num_layers
    2

    Reference:
        Sajjad et al., "On the effect of dropping layers of pre-trained
        transformer models", 2023.
    """
    encoder = getattr(model, "encoder", model)
    if not isinstance(encoder, Encoder):
        raise ValueError(
            "`model` must be an encoder, or have one as its `encoder`. "
            f"Received: {model.name!r}, a {type(model).__name__}."
        )
    encoder.remove_blocks(layers)
    model._post_build()
    return model


def _attention_path(model, given):
    """The path of an attention, by its number too."""
    if not isinstance(given, numbers.Integral):
        return _known_path(model, given)
    names = feature_paths(model)
    name = f"attention_weights/{given}"
    if name not in names:
        count = sum(n.startswith("attention_weights/") for n in names)
        raise ValueError(
            f"`heads` must name attentions by a path, or by a number below "
            f"{count}. Received: {given!r}."
        )
    return names[name].split(":")[0]


def _known_path(model, given):
    """A path as `sublayers` writes it, of either kind."""
    layer = walk(model, given)[-1][-1]
    return next(p for p, part in sublayers(model).items() if part is layer)


def _known(name, path, known):
    if path not in known:
        raise ValueError(
            f"`{name}` must name layers whose {name} can be removed, some of "
            f"{list(known)}. Received: {path!r}."
        )
    return path


def _kept(name, path, gone, number):
    """What stays of `number`, or an error that says what is wrong."""
    gone = sorted(set(gone))
    whole = all(isinstance(i, numbers.Integral) for i in gone)
    if not whole or any(not 0 <= i < number for i in gone):
        raise ValueError(
            f"`{name}` must hold integers from 0 to {number - 1} for {path!r}. "
            f"Received: {gone}."
        )
    if len(gone) == number:
        raise ValueError(
            f"`{name}` must leave one of the {number} of {path!r}, at least. "
            f"Received: {gone}."
        )
    return np.array([i for i in range(number) if i not in gone])
