"""Callbacks: schedules, pictures, diagnostics."""

from keras_dl.callbacks.attention_maps import AttentionMaps, draw_attention
from keras_dl.callbacks.class_activation import draw_class_activation
from keras_dl.callbacks.comparison import draw_comparison
from keras_dl.callbacks.epoch_order import EpochOrder
from keras_dl.callbacks.for_optimizer import ForOptimizer
from keras_dl.callbacks.image_grid import draw_image_grid
from keras_dl.callbacks.interpolations import draw_interpolations, slerp
from keras_dl.callbacks.loss_curves import draw_losses
from keras_dl.callbacks.mode_plot import ModePlot, draw_modes
from keras_dl.callbacks.sample_grid import SampleGrid

__all__ = [
    "AttentionMaps",
    "EpochOrder",
    "ForOptimizer",
    "ModePlot",
    "SampleGrid",
    "draw_attention",
    "draw_class_activation",
    "draw_comparison",
    "draw_image_grid",
    "draw_interpolations",
    "draw_losses",
    "draw_modes",
    "slerp",
]
