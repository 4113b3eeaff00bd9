"""Layers that Keras lacks, or computes slowly."""

from keras_dl.layers.recurrent import GRU, LSTM, fast_recurrent

__all__ = ["GRU", "LSTM", "fast_recurrent"]
