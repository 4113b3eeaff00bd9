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
from keras_dl.losses.soft_targets import SoftTargets
from keras_dl.losses.whole_examples import AttentionTransfer, RelationalLoss

__all__ = [
    "AdversarialHingeLoss",
    "AdversarialLoss",
    "AttentionTransfer",
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
    "RelationalLoss",
    "SoftTargets",
    "WassersteinLoss",
    "adversarial",
]
