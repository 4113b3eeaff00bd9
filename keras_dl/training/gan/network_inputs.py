"""What networks of a game take, and data that do not fit them."""

import keras
import numpy as np
from keras import ops, tree

from keras_dl.models.ranges import check_ids


def check_tensor(name, tensor, expected, meaning=""):
    """Refuses a part of a batch that is no tensor of the expected shape.

    Args:
        name: What to call it in the error.
        tensor: A tensor or array, with the batch first.
        expected: The `keras.KerasTensor` that a network begins with.
        meaning: What to say of the expected shape.
    """
    found = _known_shape(tensor)
    wanted = tuple(expected.shape[1:])
    if found is None and ops.is_tensor(tensor):
        return  # TensorFlow may not know it yet.
    if found is None or not _fits(found[1:], wanted):
        received = f"shape {found}" if found else _described(tensor)
        raise ValueError(
            f"`{name}` must be one tensor of shape {_written(wanted)}"
            f"{meaning}. Received: {received}."
        )


def check_conditions(conditions, networks):
    """Refuses conditions that the networks of a game do not take.

    Args:
        conditions: One tensor, a structure of several, or `None`.
        networks: Dict of networks by their names. Their inputs, but for the
            first, are conditions.
    """
    given = [] if conditions is None else tree.flatten(conditions)
    for name, network in networks.items():
        takes = network.inputs[1:]
        if given and not takes:
            raise ValueError(
                "`conditions` (labels, the second part of the data) must not "
                f"be given: the {name} takes none. Make the GAN for them, with "
                "`num_classes` or networks of two inputs. Received: conditions "
                f"of shape {_known_shape(given[0])}."
            )
        if len(given) != len(takes):
            raise ValueError(
                f"`conditions` (labels, the second part of the data) must "
                f"hold {len(takes)} tensor(s), for the inputs "
                f"{[one.name for one in takes]} of the {name}. Received: "
                f"{len(given)}."
            )
        for one, condition in zip(takes, given, strict=True):
            has_classes = _classes(network, one)
            meaning = ", class numbers (`argmax` of one-hot rows)"
            if not _is_column(condition, one):
                check_tensor(
                    "conditions", condition, one, meaning if has_classes else ""
                )


def check_condition_classes(conditions, networks):
    """Refuses arrays of class numbers that an embedding does not hold."""
    given = [] if conditions is None else tree.flatten(conditions)
    for network in networks.values():
        for one, condition in zip(network.inputs[1:], given, strict=False):
            count = _classes(network, one)
            if count:
                check_ids("conditions", condition, 0, count)


def as_conditions(conditions, network):
    """Arrays in the shapes and dtypes in which the network takes them."""
    given = [
        np.asarray(condition, one.dtype).reshape(-1, *one.shape[1:])
        if _is_column(condition, one)
        else np.asarray(condition, one.dtype)
        for one, condition in zip(
            network.inputs[1:], tree.flatten(conditions), strict=True
        )
    ]
    return tree.pack_sequence_as(conditions, given)


def _classes(network, tensor):
    """How many classes there are for this input, or `None`: it has none."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.Embedding):
            try:
                if layer.input is tensor:
                    return layer.input_dim
            except (AttributeError, ValueError):
                continue  # It is called several times, or not at all.
    return None


def _known_shape(tensor):
    """The shape as a tuple, with `None` for what is not known; or `None`."""
    try:
        return tuple(tensor.shape)
    except (AttributeError, ValueError):
        return None


def _is_column(tensor, expected):
    """Whether it differs by an axis of 1 at the end, which Keras sees to."""
    found, wanted = (_known_shape(x) or () for x in (tensor, expected))
    return {found[1:], wanted[1:]} == {(), (1,)}


def _fits(found, wanted):
    return len(found) == len(wanted) and all(
        a is None or b is None or a == b
        for a, b in zip(found, wanted, strict=True)
    )


def _described(data):
    kind = type(data).__name__
    return f"{kind} with {list(data)}" if isinstance(data, dict) else kind


def _written(shape):
    return f"({', '.join(['batch', *map(str, shape)])})".replace(
        "(batch)", "(batch,)"
    )
