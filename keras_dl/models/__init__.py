"""The seams on which methods compose: what any model answers.

`docs/methods.md` is the guide.
"""

from keras_dl.models.backbone_encoder import BackboneEncoder
from keras_dl.models.embedded import call_embedded, embed
from keras_dl.models.encoder import Encoder
from keras_dl.models.features import feature_paths, features, taps
from keras_dl.models.paths import sublayer, sublayers
from keras_dl.models.ranges import check_classes, check_finite, check_ids
from keras_dl.models.readings import (
    WeightMask,
    WeightReading,
    variables_by_path,
    weights_read,
)
from keras_dl.models.replacement import replace_layer, replace_layers
from keras_dl.models.serialization import ConfiguredModel
from keras_dl.models.supervised_model import SupervisedModel
from keras_dl.models.target_kind import TargetKind
from keras_dl.models.task import Task

__all__ = [
    "BackboneEncoder",
    "ConfiguredModel",
    "Encoder",
    "SupervisedModel",
    "TargetKind",
    "Task",
    "WeightMask",
    "WeightReading",
    "call_embedded",
    "check_classes",
    "check_finite",
    "check_ids",
    "embed",
    "feature_paths",
    "features",
    "replace_layer",
    "replace_layers",
    "sublayer",
    "sublayers",
    "taps",
    "variables_by_path",
    "weights_read",
]
