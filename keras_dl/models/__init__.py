"""What models have in common, whatever they compute: how files keep them."""

from keras_dl.models.quantized import QuantizableModel
from keras_dl.models.sublayers import sublayers

__all__ = ["QuantizableModel", "sublayers"]
