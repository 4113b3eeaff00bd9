"""Callbacks: schedules, pictures, diagnostics."""

from keras_dl.callbacks.epoch_order import EpochOrder
from keras_dl.callbacks.for_optimizer import ForOptimizer

__all__ = ["EpochOrder", "ForOptimizer"]
