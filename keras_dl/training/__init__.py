"""Training methods on top of one small engine."""

from keras_dl.training.gan import GAN
from keras_dl.training.named_optimizers import NamedOptimizers
from keras_dl.training.trainer import Trainer

__all__ = ["GAN", "NamedOptimizers", "Trainer"]
