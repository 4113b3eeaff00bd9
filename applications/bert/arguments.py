"""The arguments of an encoder, with every doubt named before any layer."""

import keras

from keras_dl.applications.bert.hugging_face_families import FAMILIES
from keras_dl.checks import (
    check_choice,
    check_integer,
    check_per_layer,
    check_rate,
)
from keras_dl.layers import EntityStream, gelu_tanh


def checked(arguments):
    """The arguments of `BERT` by name, checked, with what follows from others.

    Args:
        arguments: Dict of all of them.

    Returns:
        A dict of the same names.

    Raises:
        TypeError: If `entity_stream` is something else.
        ValueError: If another is not allowed.
    """
    found = dict(arguments)
    for name, of in (
        ("embedding_dim", "hidden_dim"),
        ("num_distinct_layers", "num_layers"),
        ("attention_dropout", "dropout"),
    ):
        if found[name] is None:
            found[name] = found[of]
    for name, least in (
        ("vocabulary_size", 1),
        ("num_layers", 1),
        ("hidden_dim", 1),
        ("max_sequence_length", 1),
        ("embedding_dim", 1),
        ("num_segments", 0),
        ("first_position", 0),
    ):
        found[name] = check_integer(name, found[name], least)
    distinct, layers = found["num_distinct_layers"], found["num_layers"]
    found["num_distinct_layers"] = check_integer(
        "num_distinct_layers", distinct, 1, layers
    )
    found["pad_id"] = _pad_id(found)
    if found["model_type"] is not None:
        check_choice("model_type", found["model_type"], FAMILIES)
    for name in ("num_heads", "intermediate_dim"):
        number = found["num_distinct_layers"]
        found[name] = check_per_layer(name, found[name], number)
    for name in ("dropout", "attention_dropout"):
        found[name] = check_rate(name, found[name])
    _check_heads(found)
    found["activation"] = _activation(found["activation"])
    _check_stream(found["entity_stream"], found)
    return found


def _pad_id(found):
    if found["pad_id"] is not None:
        most = found["vocabulary_size"] - 1
        return check_integer("pad_id", found["pad_id"], 0, most)
    if found["first_position"]:
        raise ValueError(
            "`pad_id` must be an integer if `first_position` is not 0: "
            "positions count what is no padding. Received: pad_id=None, "
            f"first_position={found['first_position']}."
        )
    return None


def _check_heads(found):
    heads, size = found["num_heads"], found["hidden_dim"]
    if found["head_dim"] is not None:
        check_integer("head_dim", found["head_dim"], 1)
    elif isinstance(heads, tuple):
        raise ValueError(
            "`head_dim` must be given if `num_heads` is a list. Received: "
            f"num_heads={heads}, head_dim=None."
        )
    elif size % heads:
        raise ValueError(
            "`hidden_dim` must be a multiple of `num_heads`. Received: "
            f"hidden_dim={size}, num_heads={heads}."
        )


def _activation(activation):
    if activation == "gelu_tanh":
        return gelu_tanh
    return keras.activations.get(activation)


def _check_stream(stream, found):
    """Says why these blocks cannot read a stream of entities."""
    if stream is None:
        return
    if not isinstance(stream, EntityStream):
        raise TypeError(
            "`entity_stream` must be a keras_dl.layers.EntityStream. "
            f"Received: entity_stream={stream!r}."
        )
    layers, distinct = found["num_layers"], found["num_distinct_layers"]
    check_integer("entity_stream.num_layers", stream.num_layers, 1, layers)
    if distinct != layers:
        raise ValueError(
            "`num_distinct_layers` must be `num_layers` for a model with an "
            f"`entity_stream`. Received: num_distinct_layers={distinct}, "
            f"num_layers={layers}."
        )
