"""Ready-made models, assembled from the parts of Keras and keras_dl."""

from keras_dl.applications.lstm import LanguageModel, Seq2Seq
from keras_dl.applications.mlp import MLP
from keras_dl.applications.transformer import (
    Transformer,
    TransformerLanguageModel,
)

__all__ = [
    "MLP",
    "LanguageModel",
    "Seq2Seq",
    "Transformer",
    "TransformerLanguageModel",
]
