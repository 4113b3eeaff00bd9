"""Ready-made models, assembled from the parts of Keras and keras_dl."""

from keras_dl.applications.mlp import MLP

__all__ = ["MLP"]
