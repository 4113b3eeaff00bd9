"""Every argument of every application survives the round trip of its config.

Those of the GANs are listed by themselves, and compared in test_gans.py.
"""

import inspect

import keras
import pytest
from configs import check_arguments

from keras_dl import applications

SIZES = {
    "num_layers": 3,
    "hidden_dim": 6,
    "num_heads": 2,
    "intermediate_dim": 5,
}
CASES = {
    applications.MLP: {
        "units": (3,),
        "task": "multilabel",
        "num_outputs": 4,
        "activation": "gelu",
        "dropout": 0.25,
        "batch_norm": True,
        "normalizer": keras.layers.Normalization(),
        "kernel_regularizer": "l2",
    },
    applications.VGG16: {
        "num_outputs": 4,
        "task": "multilabel",
        "dense_units": (3,),
        "dropout": 0.25,
        "batch_norm": True,
        "base": 2,
        "kernel_initializer": "he_normal",
        "normalizer": keras.layers.Rescaling(0.5),
        "kernel_regularizer": "l2",
    },
    applications.LanguageModel: {
        "vocabulary_size": 9,
        "units": 4,
        "num_layers": 3,
        "dropout": 0.25,
        "tied": False,
    },
    applications.Seq2Seq: {
        "vocabulary_size": 9,
        "source_vocabulary_size": 8,
        "units": 4,
        "num_layers": 3,
        "score": "additive",
        "order": "bahdanau",
        "dropout": 0.25,
        "start_id": 3,
    },
    applications.Transformer: {
        "vocabulary_size": 9,
        "source_vocabulary_size": 8,
        **SIZES,
        "dropout": 0.25,
        "activation": "gelu",
        "norm_first": True,
        "attention_bias": True,
        "positions": "learned",
        "max_sequence_length": 7,
        "start_id": 3,
    },
    applications.TransformerLanguageModel: {
        "vocabulary_size": 9,
        **SIZES,
        "dropout": 0.25,
        "activation": "relu",
        "norm_first": False,
        "attention_bias": False,
        "positions": "learned",
        "max_sequence_length": 7,
    },
    applications.LSTMEncoder: {
        "vocabulary_size": 9,
        "embedding_dim": 3,
        "units": 4,
        "num_layers": 2,
        "bidirectional": False,
        "pooling": "mean",
        "dropout": 0.25,
        "pad_id": 1,
    },
    applications.TransformerEncoder: {
        "vocabulary_size": 9,
        **SIZES,
        "num_heads": [2, 1, 2],
        "intermediate_dim": [5, 4, 3],
        "dropout": 0.25,
        "activation": "gelu",
        "norm_first": True,
        "positions": "learned",
        "max_sequence_length": 7,
        "pooling": "last",
        "pad_id": 1,
        "head_dim": 4,
    },
    applications.BERT: {
        "vocabulary_size": 9,
        **SIZES,
        "max_sequence_length": 7,
        "num_segments": 3,
        "embedding_dim": 4,
        "num_distinct_layers": 1,
        "pooler": "relu",
        "dropout": 0.25,
        "attention_dropout": 0.5,
        "activation": "relu",
        "pad_id": 1,
        "first_position": 2,
        "layer_norm_epsilon": 1e-3,
        "initializer_range": 0.1,
        "entity_stream": None,  # Needs blocks of their own.
        "head_dim": 4,
        "model_type": "albert",
    },
}


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_config_keeps_every_argument(kind):
    first = next(iter(inspect.signature(kind).parameters))
    sizes = "vocabulary_size" if first == "vocabulary_size" else "num_outputs"
    check_arguments(kind, CASES[kind], **{sizes: 5})
