"""Losses: what Keras lacks."""

from keras_dl.losses.adversarial import (
    AdversarialHingeLoss,
    AdversarialLoss,
    LeastSquaresLoss,
    MinimaxLoss,
    NonSaturatingLoss,
    WassersteinLoss,
    WhichGeneratorLoss,
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
    "GradientPenalty",
    "LabelSmoothedCrossentropy",
    "LeastSquaresLoss",
    "MinimaxLoss",
    "NonSaturatingLoss",
    "Penalty",
    "PerceptualLoss",
    "R1Penalty",
    "WassersteinLoss",
    "WhichGeneratorLoss",
    "adversarial",
]
