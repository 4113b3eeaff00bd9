"""BERT's family from the backbones of keras-hub, which was keras-nlp."""

from keras import ops

from keras_dl.layers import gelu_tanh

# Our layer of a block, to the name of theirs.
_PARTS = {
    "attention.query_dense": "self_attention_layer/query",
    "attention.key_dense": "self_attention_layer/key",
    "attention.value_dense": "self_attention_layer/value",
    "attention.output_dense": "self_attention_layer/attention_output",
    "attention_norm": "self_attention_layer_norm",
    "widen": "feedforward_intermediate_dense",
    "narrow": "feedforward_output_dense",
    "feed_forward_norm": "feedforward_layer_norm",
}
# What sets the kinds of backbones apart.
_KINDS = {
    "BertBackbone": {"activation": gelu_tanh},
    "AlbertBackbone": {"activation": gelu_tanh},
    "RobertaBackbone": {
        "num_segments": 0,
        "pooler": None,
        "pad_id": 1,
        "layer_norm_epsilon": 1e-5,
    },
    "DistilBertBackbone": {"num_segments": 0, "pooler": None},
}


def arguments(backbone):
    """The arguments of `BERT` for a backbone."""
    kind = type(backbone).__name__
    config = backbone.get_config() if kind in _KINDS else {}
    if not config or config.get("num_inner_repetitions", 1) != 1:
        raise ValueError(
            f"`backbone` must be one of {sorted(_KINDS)} of keras-hub, with "
            f"num_inner_repetitions=1. Received: {backbone!r}."
        )
    same = ("vocabulary_size", "num_layers", "num_heads", "intermediate_dim")
    found = {name: config[name] for name in same}
    found.update(
        hidden_dim=config["hidden_dim"],
        max_sequence_length=config["max_sequence_length"],
        dropout=config["dropout"],
        num_segments=config.get("num_segments", 0),
        embedding_dim=config.get("embedding_dim"),
        num_distinct_layers=config.get("num_groups"),
    )
    return {**found, **_KINDS[kind]}


def copy(backbone, encoder):
    """Assigns the backbone's weights to the encoder's."""
    joined = getattr(backbone, "embeddings", None)
    positions = joined if joined is not None else backbone
    tables = [
        (encoder.token_embedding, backbone.token_embedding),
        (encoder.positions, positions.position_embedding),
        (encoder.segment_embedding, "segment_embedding"),
        (encoder.embedding_norm, "embeddings_layer_norm"),
        (encoder.embedding_projection, "embeddings_projection"),
        (encoder.pooler_dense, "pooled_dense"),
    ]
    for ours, theirs in tables:
        if ours is not None:
            if isinstance(theirs, str):
                theirs = getattr(backbone, theirs)
            for a, b in zip(ours.weights, theirs.weights, strict=True):
                a.assign(b)
    blocks = backbone.transformer_layers
    for ours, theirs in zip(encoder.blocks, blocks, strict=True):
        theirs = theirs[0] if isinstance(theirs, list) else theirs
        _copy_block(ours, theirs)


def _copy_block(ours, theirs):
    by_path = {variable.path: variable for variable in theirs.weights}
    for attribute, name in _PARTS.items():
        layer = ours
        for step in attribute.split("."):
            layer = getattr(layer, step)
        for variable in layer.weights:
            end = f"/{name}/{variable.name}"
            (found,) = (v for path, v in by_path.items() if path.endswith(end))
            # Their heads have an axis of their own.
            variable.assign(ops.reshape(found, variable.shape))
