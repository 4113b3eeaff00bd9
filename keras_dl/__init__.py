"""keras_dl: components and training methods for Keras 3.

Written once, they run on TensorFlow, JAX and PyTorch. See docs/concepts.md
for where each concept lives.
"""

import importlib

from keras_dl.autodiff import (
    grad,
    substitute,
    value_and_grad,
    variable_gradients,
)
from keras_dl.training import Trainer

__version__ = "0.1.0"

__all__ = [
    "Trainer",
    "applications",
    "callbacks",
    "datasets",
    "grad",
    "substitute",
    "testing",
    "training",
    "value_and_grad",
    "variable_gradients",
]

_ROOMS = ("applications", "callbacks", "datasets", "testing")


def __getattr__(name):
    """Loads the rooms that are not always needed when they are named."""
    if name in _ROOMS:
        return importlib.import_module(f"keras_dl.{name}")
    raise AttributeError(f"module 'keras_dl' has no attribute {name!r}")
