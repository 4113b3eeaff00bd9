"""Metrics: what Keras lacks."""

from keras_dl.metrics.bleu import BLEU
from keras_dl.metrics.exact_match import ExactMatch
from keras_dl.metrics.perplexity import Perplexity

__all__ = ["BLEU", "ExactMatch", "Perplexity"]
