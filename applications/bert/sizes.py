"""The published sizes of BERT and of its family."""


def _bert(
    num_layers, hidden_dim, num_heads=None, intermediate_dim=None, **others
):
    return {
        "vocabulary_size": 30522,
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "num_heads": num_heads or hidden_dim // 64,
        "intermediate_dim": intermediate_dim or 4 * hidden_dim,
        **others,
    }


def _albert(num_layers, hidden_dim, num_heads, dropout=0.0):
    return _bert(
        num_layers,
        hidden_dim,
        num_heads,
        vocabulary_size=30000,
        embedding_dim=128,
        num_distinct_layers=1,
        activation="gelu_tanh",
        dropout=dropout,
    )


def _roberta(num_layers, hidden_dim):
    return _bert(
        num_layers,
        hidden_dim,
        vocabulary_size=50265,
        num_segments=1,
        pad_id=1,
        first_position=2,
        layer_norm_epsilon=1e-5,
    )


SIZES = {
    "bert_tiny": _bert(2, 128),
    "bert_mini": _bert(4, 256),
    "bert_small": _bert(4, 512),
    "bert_medium": _bert(8, 512),
    "bert_base": _bert(12, 768),
    "bert_large": _bert(24, 1024),
    "albert_base": _albert(12, 768, 12),
    "albert_large": _albert(24, 1024, 16),
    "albert_xlarge": _albert(24, 2048, 16),
    "albert_xxlarge": _albert(12, 4096, 64),
    "roberta_base": _roberta(12, 768),
    "roberta_large": _roberta(24, 1024),
    "distilbert_base": _bert(6, 768, num_segments=0, pooler=None),
    "tinybert_4": _bert(4, 312, 12, 1200),
    "tinybert_6": _bert(6, 768),
}
