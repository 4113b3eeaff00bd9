"""Making models smaller.

`docs/compression.md` is the guide.
"""

from keras_dl.compression.calibration import calibrate
from keras_dl.compression.clustering import ClusteredWeights
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
from keras_dl.compression.factorization import (
    break_even_rank,
    factorize,
    factorize_layer,
    rank_for_energy,
)
from keras_dl.compression.fake_quantization import FakeQuantization
from keras_dl.compression.find_ticket import find_ticket
from keras_dl.compression.flops import flops
from keras_dl.compression.gates import LearnedGates
from keras_dl.compression.importance import (
    head_importance,
    layer_importance,
    lowest,
    unit_importance,
)
from keras_dl.compression.masks import sparsity
from keras_dl.compression.movement import MovementPruning
from keras_dl.compression.pruning import MagnitudePruning
from keras_dl.compression.quantization import StaticQuantizer, quantize
from keras_dl.compression.quantization_report import (
    QuantizationReport,
    quantization_report,
)
from keras_dl.compression.removal import (
    remove_heads,
    remove_layers,
    remove_units,
)
from keras_dl.compression.report import SizeReport, compress, size_report
from keras_dl.compression.report_pictures import draw_sizes, size_table
from keras_dl.compression.schedules import PolynomialSparsity
from keras_dl.compression.sharing import share
from keras_dl.compression.tickets import Ticket

__all__ = [
    "ClusteredWeights",
    "FakeQuantization",
    "KnowledgeSelection",
    "LearnedGates",
    "MagnitudePruning",
    "MovementPruning",
    "PolynomialSparsity",
    "QuantizationReport",
    "SizeReport",
    "StaticQuantizer",
    "Ticket",
    "bilstm",
    "break_even_rank",
    "calibrate",
    "compress",
    "distilbert",
    "draw_sizes",
    "factorize",
    "factorize_layer",
    "find_ticket",
    "flops",
    "head_importance",
    "layer_importance",
    "layer_map",
    "lowest",
    "patient",
    "quantization_report",
    "quantize",
    "rank_for_energy",
    "remove_heads",
    "remove_layers",
    "remove_units",
    "share",
    "size_report",
    "size_table",
    "sparsity",
    "student_from_layers",
    "tinybert",
    "unit_importance",
]
