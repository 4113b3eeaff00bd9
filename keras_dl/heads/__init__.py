"""Heads: what tasks put on an encoder, with their losses and metrics."""

from keras_dl.heads.decoder import TransformerDecoder
from keras_dl.heads.entities import AlignedEntities
from keras_dl.heads.head import Head
from keras_dl.heads.pretraining import MaskedTokens, SpanBoundary
from keras_dl.heads.sentences import (
    Classification,
    MultipleChoice,
    Regression,
)
from keras_dl.heads.tokens import SpanAnswer, Tagging

__all__ = [
    "AlignedEntities",
    "Classification",
    "Head",
    "MaskedTokens",
    "MultipleChoice",
    "Regression",
    "SpanAnswer",
    "SpanBoundary",
    "Tagging",
    "TransformerDecoder",
]
