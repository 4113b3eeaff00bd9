"""Learning rate schedules: what Keras lacks."""

from keras_dl.optimizers.linear import ConstantThenLinear, WarmupLinear
from keras_dl.optimizers.noam import Noam

__all__ = ["ConstantThenLinear", "Noam", "WarmupLinear"]
