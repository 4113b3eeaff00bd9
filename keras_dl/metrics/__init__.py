"""Metrics: what Keras lacks."""

from keras_dl.metrics.binary_f1 import BinaryF1
from keras_dl.metrics.bleu import BLEU
from keras_dl.metrics.correlation import (
    PearsonCorrelation,
    SpearmanCorrelation,
)
from keras_dl.metrics.entity_f1 import EntityF1, entities
from keras_dl.metrics.exact_match import ExactMatch
from keras_dl.metrics.matthews_correlation import MatthewsCorrelation
from keras_dl.metrics.perplexity import Perplexity
from keras_dl.metrics.squad import squad_normalize, squad_scores
from keras_dl.metrics.token_accuracy import TokenAccuracy

__all__ = [
    "BLEU",
    "BinaryF1",
    "EntityF1",
    "ExactMatch",
    "MatthewsCorrelation",
    "PearsonCorrelation",
    "Perplexity",
    "SpearmanCorrelation",
    "TokenAccuracy",
    "entities",
    "squad_normalize",
    "squad_scores",
]
