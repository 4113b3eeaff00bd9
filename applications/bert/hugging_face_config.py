"""An encoder's arguments from Hugging Face's `config.json`, and back."""

import keras

# Theirs to ours; of several, the first is written.
_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_accurate": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_python_tanh": "gelu_tanh",
    "relu": "relu",
    "relu6": "relu6",
    "silu": "silu",
    "swish": "silu",
    "mish": "mish",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "hardswish": "hard_silu",
    "linear": "linear",
}
_ALWAYS = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "inner_group_num": 1,
}
_RATES = ("dropout", "attention_dropout", "layer_norm_epsilon")
_NUMBERS = (*_RATES, "initializer_range")


def arguments(config, family):
    """The arguments of `BERT` that a configuration comes to."""
    for key, allowed in _ALWAYS.items():
        if config.get(key, allowed) not in (allowed, None):
            raise ValueError(
                f"`{key}` of the configuration must be {allowed!r}: nothing "
                f"else is supported. Received: {key}={config[key]!r}."
            )
    values = {**family.defaults, **config}
    found = {ours: values[key] for ours, key in family.arguments.items()}
    for name, key in family.arguments.items():
        if name != "activation":
            _check_number(name, key, found[name], family)
    found["activation"] = activation(
        family.arguments["activation"], found["activation"]
    )
    found["first_position"] = 0
    if family.counts_positions:
        found["first_position"] = found["pad_id"] + 1
        found["max_sequence_length"] -= found["first_position"]
    return {
        **found,
        **family.fixed,
        "entity_stream": None,
        "model_type": family.name,
    }


def activation(key, name):
    """The name here of an activation there."""
    if not isinstance(name, str) or name not in _ACTIVATIONS:
        raise ValueError(
            f"`{key}` of the configuration must be one of "
            f"{sorted(_ACTIVATIONS)}. Received: {key}={name!r}."
        )
    return _ACTIVATIONS[name]


def _check_number(name, key, value, family):
    if name == "pad_id" and value is None:
        if not family.counts_positions:
            return
        kinds, what = (), "an integer, from which positions are counted"
    elif name in _NUMBERS:
        kinds, what = (int, float), "a number"
    else:
        kinds, what = (int,), "an integer"
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise ValueError(
            f"`{key}` of the configuration must be {what}. Received: "
            f"{key}={value!r}."
        )


def ties_embeddings(config):
    """Whether a configuration says that the decoder is the embedding."""
    ties = config.get("tie_word_embeddings", True)
    if not isinstance(ties, bool):
        raise ValueError(
            "`tie_word_embeddings` of the configuration must be true or "
            f"false. Received: tie_word_embeddings={ties!r}."
        )
    return ties


def configuration(encoder, family):
    """The configuration of an encoder; the opposite of `arguments`."""
    ours = encoder.get_config()
    activation = getattr(encoder.activation, "__name__", None)
    theirs = {ours: key for key, ours in reversed(_ACTIVATIONS.items())}
    if activation not in theirs:
        raise ValueError(
            "The encoder's activation must be one of "
            f"{sorted(theirs)}, which Hugging Face's models know. Received: "
            f"activation={activation!r}."
        )
    ours["activation"] = theirs[activation]
    if family.counts_positions:
        ours["max_sequence_length"] += ours["first_position"]
    config = {key: ours[name] for name, key in family.arguments.items()}
    again = arguments(config, family)
    for name, value in again.items():
        if name in ("activation", "model_type"):
            continue
        if getattr(encoder, name) != value:
            raise ValueError(
                f"A {family.name} of Hugging Face has {name}={value!r}. "
                f"Received: an encoder with {name}={getattr(encoder, name)!r}."
            )
    for name in ("embedding_dim", "num_distinct_layers"):
        whole = encoder.hidden_dim if "dim" in name else encoder.num_layers
        if name not in family.arguments and getattr(encoder, name) != whole:
            raise ValueError(
                f"A {family.name} of Hugging Face has {name}={whole}. "
                f"Received: an encoder with {name}={getattr(encoder, name)}."
            )
    return {"model_type": family.name, **config}


def check_pooler(encoder, family):
    """Refuses a pooler that the family's encoder does not have."""
    allowed = "tanh" if family.pooler else None
    if encoder.pooler is not None and (
        allowed is None or not same_activation(encoder.pooler, allowed)
    ):
        raise ValueError(
            f"A {family.name} of Hugging Face has pooler={allowed!r}. "
            f"Received: an encoder with pooler={encoder.pooler!r}."
        )


def same_activation(one, other):
    """Whether two activations, or their names, are the same function."""
    one, other = (keras.activations.get(x) for x in (one, other))
    return one is other or (
        getattr(one, "__name__", None) == getattr(other, "__name__", "")
    )
