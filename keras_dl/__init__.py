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
from keras_dl.execution import compiled, run_network
from keras_dl.training import Trainer

__version__ = "0.1.0"

__all__ = [
    "Trainer",
    "applications",
    "callbacks",
    "compiled",
    "compression",
    "constraints",
    "datasets",
    "generate",
    "generation",
    "grad",
    "heads",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "run_network",
    "substitute",
    "tasks",
    "testing",
    "text",
    "training",
    "value_and_grad",
    "variable_gradients",
]


def __getattr__(name):
    """Loads the rooms that are not always needed when they are named."""
    if name == "generate":
        return importlib.import_module("keras_dl.generation").generate
    if name in __all__:
        return importlib.import_module(f"keras_dl.{name}")
    raise AttributeError(f"module 'keras_dl' has no attribute {name!r}")
