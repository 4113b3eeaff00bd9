"""Making models smaller.

`docs/compression.md` is the guide.
"""

from keras_dl.compression.calibration import calibrate
from keras_dl.compression.fake_quantization import FakeQuantization
from keras_dl.compression.quantization import StaticQuantizer, quantize
from keras_dl.compression.quantization_report import (
    QuantizationReport,
    quantization_report,
)

__all__ = [
    "FakeQuantization",
    "QuantizationReport",
    "StaticQuantizer",
    "calibrate",
    "quantization_report",
    "quantize",
]
