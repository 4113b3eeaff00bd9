"""Weights that are shared: one layer in several places."""

import numbers

import keras
import numpy as np

from keras_dl.checks import check_choice
from keras_dl.models import feature_paths, replace_layers, sublayer


def share(model, groups, how="mean"):
    """Makes the layers of each group one, which stands in all their places.

    Of a trained BERT it makes one whose blocks share their weights, as ALBERT's
    do; it computes as much as before, with fewer parameters, and is to be
    trained on.

    The model is changed as by `keras_dl.models.replace_layer`; the layer that
    stays is the first of its group.

    Args:
        model: A built model of `keras_dl.applications`, or any
            `keras_dl.models.ConfiguredModel`.
        groups: List of lists of layers: numbers of blocks, from 0, or paths
            (see `keras_dl.models.sublayers`). `[range(6), range(6, 12)]` makes
            two blocks of twelve.
        how: `"mean"`: of the weights of the group; `"first"`: those of its
            first layer.

    Returns:
        The model.

    Raises:
        ValueError: If a group has fewer than two layers, a layer is in two
            groups, or layers of a group differ in class or shapes. The model
            is as it was then.

    Example:

    >>> encoder = keras_dl.applications.BERT(30, 4, 8, 2, 16)
    >>> encoder = share(encoder, [[0, 1], [2, 3]])
    >>> encoder.blocks[1] is encoder.blocks[0]
    True

    Reference:
        Lan et al., "ALBERT: a lite BERT for self-supervised learning of
        language representations", 2020, trains such a model from the start;
        Dehghani et al., "Universal transformers", 2019.
    """
    check_choice("how", how, ("mean", "first"))
    groups = [[_path(model, part) for part in group] for group in groups]
    _check_groups(model, groups)
    plan, values = {}, []
    for first, *others in groups:
        layer = sublayer(model, first)
        weights = [sublayer(model, path).weights for path in (first, *others)]
        if how == "mean":
            values += [
                (same[0], np.mean([_array(v) for v in same], axis=0))
                for same in zip(*weights, strict=True)
            ]
        plan |= dict.fromkeys(others, layer)
    model = replace_layers(model, plan)
    for variable, value in values:
        variable.assign(value)
    return model


def _array(variable):
    return keras.ops.convert_to_numpy(variable).astype("float64")


def _path(model, part):
    """The path of a layer, or of a block by its number."""
    if not isinstance(part, numbers.Integral):
        return part
    names = feature_paths(model)
    name = f"hidden_states/{part + 1}"
    if part < 0 or name not in names:
        count = sum(n.startswith("hidden_states/") for n in names)
        raise ValueError(
            "`groups` must hold paths, or numbers of blocks from 0 to "
            f"{count - 2}. Received: {part}."
        )
    return names[name].split("@")[0]


def _check_groups(model, groups):
    taken = [path for group in groups for path in group]
    twice = sorted({path for path in taken if taken.count(path) > 1})
    if twice or any(len(group) < 2 for group in groups):
        raise ValueError(
            "`groups` must be lists of two layers or more, each in one group. "
            f"Received: {groups}."
        )
    for group in groups:
        kinds = [_kind(sublayer(model, path)) for path in group]
        for path, kind in zip(group, kinds, strict=True):
            if kind != kinds[0]:
                raise ValueError(
                    "`groups` must be of layers of one class, with weights of "
                    f"the same shapes. Received: {group[0]!r}, {kinds[0]}, "
                    f"and {path!r}, {kind}."
                )


def _kind(layer):
    return type(layer).__name__, [tuple(v.shape) for v in layer.weights]
