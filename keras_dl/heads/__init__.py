"""Heads: what tasks put on an encoder, with their losses and metrics."""

from keras_dl.heads.classification import Classification
from keras_dl.heads.entity_alignment import EntityAlignment
from keras_dl.heads.extractive_qa import ExtractiveQA
from keras_dl.heads.head import Head
from keras_dl.heads.masked_lm import MaskedLM
from keras_dl.heads.multilabel_classification import MultilabelClassification
from keras_dl.heads.multiple_choice import MultipleChoice
from keras_dl.heads.regression import Regression
from keras_dl.heads.replaced_token_detection import ReplacedTokenDetection
from keras_dl.heads.span_boundary import SpanBoundary
from keras_dl.heads.token_classification import TokenClassification
from keras_dl.heads.transformer_decoder import TransformerDecoder

__all__ = [
    "Classification",
    "EntityAlignment",
    "ExtractiveQA",
    "Head",
    "MaskedLM",
    "MultilabelClassification",
    "MultipleChoice",
    "Regression",
    "ReplacedTokenDetection",
    "SpanBoundary",
    "TokenClassification",
    "TransformerDecoder",
]
