"""The families of Hugging Face's files that a `BERT` can be.

A family is a table: how its configuration and its tensors are named there.
"""

import dataclasses

from keras_dl.checks import check_choice


@dataclasses.dataclass(frozen=True)
class Family:
    """How a family names its configuration and its tensors.

    Attributes:
        name: `model_type` of the configuration.
        title: What the names of its classes begin with.
        prefix: What the names of its tensors begin with; families of one
            layout share it, and all that tables say by prefix.
        arguments: Argument of `BERT` to key of the configuration.
        defaults: What the configuration may leave out.
        block: Name of the tensors of a block.
        parts: Layer of a block to name.
        pooler: Name of the pooler, or `None` for a family without one.
        projection: Name of the layer behind factorized embeddings, or `None`.
        fixed: Arguments of `BERT` that are the same in the whole family.
        counts_positions: Whether positions are those of real tokens, counted
            from the one after the id of the padding.
        language_model_activation: Activation of the head that predicts
            tokens, where it is not that of the configuration.
    """

    name: str
    title: str
    prefix: str
    arguments: dict
    defaults: dict
    block: str
    parts: dict
    pooler: str | None = "pooler.dense"
    projection: str | None = None
    fixed: dict = dataclasses.field(default_factory=dict)
    counts_positions: bool = False
    language_model_activation: str | None = None


_ARGUMENTS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "hidden_dim": "hidden_size",
    "num_heads": "num_attention_heads",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "activation": "hidden_act",
    "pad_id": "pad_token_id",
    "layer_norm_epsilon": "layer_norm_eps",
    "initializer_range": "initializer_range",
}
_DEFAULTS = {
    "vocab_size": 30522,
    "num_hidden_layers": 12,
    "hidden_size": 768,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "pad_token_id": 0,
    "layer_norm_eps": 1e-12,
    "initializer_range": 0.02,
}
_PARTS = {
    "attention.query_dense": "attention.self.query",
    "attention.key_dense": "attention.self.key",
    "attention.value_dense": "attention.self.value",
    "attention.output_dense": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "feed_forward_norm": "output.LayerNorm",
}
_BERT = Family(
    "bert", "Bert", "bert", _ARGUMENTS, _DEFAULTS, "encoder.layer.{}", _PARTS
)
_ROBERTA = dataclasses.replace(
    _BERT,
    name="roberta",
    title="Roberta",
    prefix="roberta",
    defaults={**_DEFAULTS, "vocab_size": 50265, "pad_token_id": 1},
    counts_positions=True,
    language_model_activation="gelu",
)
_OF_ROBERTA = {**_ROBERTA.defaults, "vocab_size": 30522}
_FACTORIZED = {**_ARGUMENTS, "embedding_dim": "embedding_size"}
_ALBERT = Family(
    "albert",
    "Albert",
    "albert",
    {**_FACTORIZED, "num_distinct_layers": "num_hidden_groups"},
    {
        **_DEFAULTS,
        "vocab_size": 30000,
        "embedding_size": 128,
        "hidden_size": 4096,
        "num_hidden_groups": 1,
        "num_attention_heads": 64,
        "intermediate_size": 16384,
        "hidden_act": "gelu_new",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    },
    "encoder.albert_layer_groups.{}.albert_layers.0",
    {
        "attention.query_dense": "attention.query",
        "attention.key_dense": "attention.key",
        "attention.value_dense": "attention.value",
        "attention.output_dense": "attention.dense",
        "attention_norm": "attention.LayerNorm",
        "widen": "ffn",
        "narrow": "ffn_output",
        "feed_forward_norm": "full_layer_layer_norm",
    },
    pooler="pooler",
    projection="encoder.embedding_hidden_mapping_in",
)
_DISTILBERT = Family(
    "distilbert",
    "DistilBert",
    "distilbert",
    {
        "vocabulary_size": "vocab_size",
        "num_layers": "n_layers",
        "hidden_dim": "dim",
        "num_heads": "n_heads",
        "intermediate_dim": "hidden_dim",
        "max_sequence_length": "max_position_embeddings",
        "dropout": "dropout",
        "attention_dropout": "attention_dropout",
        "activation": "activation",
        "pad_id": "pad_token_id",
        "initializer_range": "initializer_range",
    },
    {
        "vocab_size": 30522,
        "n_layers": 6,
        "dim": 768,
        "n_heads": 12,
        "hidden_dim": 3072,
        "max_position_embeddings": 512,
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "activation": "gelu",
        "pad_token_id": 0,
        "initializer_range": 0.02,
    },
    "transformer.layer.{}",
    {
        "attention.query_dense": "attention.q_lin",
        "attention.key_dense": "attention.k_lin",
        "attention.value_dense": "attention.v_lin",
        "attention.output_dense": "attention.out_lin",
        "attention_norm": "sa_layer_norm",
        "widen": "ffn.lin1",
        "narrow": "ffn.lin2",
        "feed_forward_norm": "output_layer_norm",
    },
    pooler=None,
    fixed={"num_segments": 0, "layer_norm_epsilon": 1e-12},
)
_ELECTRA = dataclasses.replace(
    _BERT,
    name="electra",
    title="Electra",
    prefix="electra",
    arguments=_FACTORIZED,
    defaults={
        **_DEFAULTS,
        "embedding_size": 128,
        "hidden_size": 256,
        "num_attention_heads": 4,
        "intermediate_size": 1024,
    },
    pooler=None,
    projection="embeddings_project",
    language_model_activation="gelu",
)
FAMILIES = {
    family.name: family
    for family in (
        _BERT,
        _ROBERTA,
        dataclasses.replace(
            _ROBERTA,
            name="xlm-roberta",
            title="XLMRoberta",
            defaults=_OF_ROBERTA,
        ),
        dataclasses.replace(
            _ROBERTA,
            name="camembert",
            title="Camembert",
            defaults=_OF_ROBERTA,
        ),
        _ALBERT,
        _DISTILBERT,
        _ELECTRA,
    )
}


def family_of(encoder, model_type=None):
    """The family that can hold an encoder.

    Args:
        encoder: A `BERT`.
        model_type: Name of the family; by default the encoder's
            `model_type`, and without one, what its arguments come to.
    """
    _check_blocks(encoder)
    model_type = model_type or encoder.model_type
    if model_type is not None:
        return FAMILIES[check_choice("model_type", model_type, FAMILIES)]
    if encoder.first_position:
        name = "roberta"
    elif encoder.pooler == "gelu":
        name = "electra"
    elif (
        encoder.embedding_projection is not None
        or encoder.num_distinct_layers != encoder.num_layers
    ):
        name = "albert"
    elif not encoder.num_segments:
        name = "distilbert"
    else:
        name = "bert"
    return FAMILIES[name]


def _check_blocks(encoder):
    differing = [
        name
        for name in ("num_heads", "intermediate_dim")
        if isinstance(getattr(encoder, name), tuple)
    ]
    if differing or encoder.head_dim not in (
        None,
        encoder.hidden_dim // encoder.num_heads,
    ):
        raise ValueError(
            "No model of Hugging Face is like this one: its blocks differ, or "
            f"have heads of a size of their own. Received: {differing}, "
            f"head_dim={encoder.head_dim}."
        )
