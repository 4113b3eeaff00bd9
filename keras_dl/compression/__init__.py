"""Making models smaller."""

from keras_dl.compression.distillation.knowledge_selection import (
    KnowledgeSelection,
)
from keras_dl.compression.distillation.layer_map import layer_map
from keras_dl.compression.distillation.presets import (
    bilstm,
    distilbert,
    patient,
    tinybert,
)
from keras_dl.compression.distillation.student import student_from_layers

__all__ = [
    "KnowledgeSelection",
    "bilstm",
    "distilbert",
    "layer_map",
    "patient",
    "student_from_layers",
    "tinybert",
]
