"""Callbacks: schedules, pictures, diagnostics."""

from keras_dl.callbacks.attention_maps import AttentionMaps, draw_attention
from keras_dl.callbacks.class_activation import draw_class_activation
from keras_dl.callbacks.epoch_order import EpochOrder
from keras_dl.callbacks.for_optimizer import ForOptimizer

__all__ = [
    "AttentionMaps",
    "EpochOrder",
    "ForOptimizer",
    "draw_attention",
    "draw_class_activation",
]
