"""Tools for testing Keras components on several backends at once.

`compare_backends` runs one case in a process per installed backend, with the
same weights and inputs, and lays outputs, gradients, trained weights and
times side by side. The `check_*` functions are the contracts that every
component of a kind has to keep.
"""

from keras_dl.testing.case import Case
from keras_dl.testing.compare import (
    assert_backends_agree,
    compare_backends,
    compare_many,
    installed_backends,
)
from keras_dl.testing.contracts import (
    check_callback,
    check_layer,
    check_loss,
    check_metric,
    check_optimizer,
    check_trainer,
)
from keras_dl.testing.report import Report

__all__ = [
    "Case",
    "Report",
    "assert_backends_agree",
    "check_callback",
    "check_layer",
    "check_loss",
    "check_metric",
    "check_optimizer",
    "check_trainer",
    "compare_backends",
    "compare_many",
    "installed_backends",
]
