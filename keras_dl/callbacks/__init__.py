"""Callbacks: schedules, pictures, diagnostics."""

from keras_dl.callbacks.for_optimizer import ForOptimizer

__all__ = ["ForOptimizer"]
