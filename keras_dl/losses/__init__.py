"""Losses: what Keras lacks."""

from keras_dl.losses.label_smoothed_crossentropy import (
    LabelSmoothedCrossentropy,
)

__all__ = ["LabelSmoothedCrossentropy"]
