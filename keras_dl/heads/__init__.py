"""Heads: what tasks put on an encoder, with their losses and metrics."""

from keras_dl.heads.decoder import TransformerDecoder
from keras_dl.heads.entity_alignment import EntityAlignment
from keras_dl.heads.head import Head
from keras_dl.heads.pretraining import MaskedLM, SpanBoundary
from keras_dl.heads.sentences import (
    Classification,
    MultipleChoice,
    Regression,
)
from keras_dl.heads.tokens import ExtractiveQA, TokenClassification

__all__ = [
    "Classification",
    "EntityAlignment",
    "ExtractiveQA",
    "Head",
    "MaskedLM",
    "MultipleChoice",
    "Regression",
    "SpanBoundary",
    "TokenClassification",
    "TransformerDecoder",
]
