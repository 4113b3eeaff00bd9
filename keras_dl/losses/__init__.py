"""Losses: what Keras lacks."""

from keras_dl.losses.adversarial import (
    AdversarialHingeLoss,
    AdversarialLoss,
    GeneratorClassificationLoss,
    LeastSquaresLoss,
    MinimaxLoss,
    NonSaturatingLoss,
    WassersteinLoss,
    adversarial,
)
from keras_dl.losses.label_smoothed_crossentropy import (
    LabelSmoothedCrossentropy,
)
from keras_dl.losses.penalties import (
    DriftPenalty,
    GradientPenalty,
    Penalty,
    R1Penalty,
)
from keras_dl.losses.perceptual import PerceptualLoss

__all__ = [
    "AdversarialHingeLoss",
    "AdversarialLoss",
    "DriftPenalty",
    "GeneratorClassificationLoss",
    "GradientPenalty",
    "LabelSmoothedCrossentropy",
    "LeastSquaresLoss",
    "MinimaxLoss",
    "NonSaturatingLoss",
    "Penalty",
    "PerceptualLoss",
    "R1Penalty",
    "WassersteinLoss",
    "adversarial",
]
