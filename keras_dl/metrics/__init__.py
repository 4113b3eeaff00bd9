"""Metrics: what Keras lacks."""

from keras_dl.metrics.binary_f1 import BinaryF1
from keras_dl.metrics.bleu import BLEU
from keras_dl.metrics.correlation import (
    PearsonCorrelation,
    SpearmanCorrelation,
)
from keras_dl.metrics.entity_f1 import EntityF1
from keras_dl.metrics.exact_match import ExactMatch
from keras_dl.metrics.frechet_distance import FrechetDistance
from keras_dl.metrics.matthews_correlation import MatthewsCorrelation
from keras_dl.metrics.mode_coverage import ModeCoverage
from keras_dl.metrics.peak_signal_noise_ratio import PeakSignalNoiseRatio
from keras_dl.metrics.perplexity import Perplexity
from keras_dl.metrics.sliced_wasserstein import (
    sliced_wasserstein,
    sliced_wasserstein_pyramid,
)
from keras_dl.metrics.squad import squad_normalize, squad_scores
from keras_dl.metrics.structural_similarity import StructuralSimilarity, ssim
from keras_dl.metrics.tag_chunks import tag_chunks
from keras_dl.metrics.token_accuracy import TokenAccuracy

__all__ = [
    "BLEU",
    "BinaryF1",
    "EntityF1",
    "ExactMatch",
    "FrechetDistance",
    "MatthewsCorrelation",
    "ModeCoverage",
    "PeakSignalNoiseRatio",
    "PearsonCorrelation",
    "Perplexity",
    "SpearmanCorrelation",
    "StructuralSimilarity",
    "TokenAccuracy",
    "sliced_wasserstein",
    "sliced_wasserstein_pyramid",
    "squad_normalize",
    "squad_scores",
    "ssim",
    "tag_chunks",
]
