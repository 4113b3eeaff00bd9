"""Schedules, rates of groups, updates to differentiate: what Keras lacks."""

from keras_dl.optimizers.differentiable import DifferentiableUpdate
from keras_dl.optimizers.layerwise import (
    gradual_unfreezing,
    layer_groups,
    layerwise_rates,
)
from keras_dl.optimizers.linear_decay import (
    ConstantThenLinear,
    LinearWarmupDecay,
)
from keras_dl.optimizers.noam import Noam
from keras_dl.optimizers.parameter_groups import ParameterGroups

__all__ = [
    "ConstantThenLinear",
    "DifferentiableUpdate",
    "LinearWarmupDecay",
    "Noam",
    "ParameterGroups",
    "gradual_unfreezing",
    "layer_groups",
    "layerwise_rates",
]
