"""Making models smaller.

`docs/compression.md` is the guide.
"""

from keras_dl.compression.masks import sparsity
from keras_dl.compression.movement import MovementPruning
from keras_dl.compression.pruning import MagnitudePruning
from keras_dl.compression.schedules import PolynomialSparsity

__all__ = [
    "MagnitudePruning",
    "MovementPruning",
    "PolynomialSparsity",
    "sparsity",
]
