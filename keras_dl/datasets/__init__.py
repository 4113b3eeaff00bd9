"""Datasets that work offline, and TensorFlow Datasets by name."""

from keras_dl.datasets.batches import Batches
from keras_dl.datasets.bucketed import BucketedBatches
from keras_dl.datasets.catalog import load, names
from keras_dl.datasets.mixtures import (
    grid_of_gaussians,
    ring_of_gaussians,
)
from keras_dl.datasets.multi_task_batches import MultiTaskBatches
from keras_dl.datasets.splits import Info, Split, Splits
from keras_dl.datasets.unpaired_batches import UnpairedBatches

__all__ = [
    "Batches",
    "BucketedBatches",
    "Info",
    "MultiTaskBatches",
    "Split",
    "Splits",
    "UnpairedBatches",
    "grid_of_gaussians",
    "load",
    "names",
    "ring_of_gaussians",
]
