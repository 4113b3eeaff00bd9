"""The only room that names a framework: one adapter for each backend."""

import importlib

import keras

from keras_dl.backend import specification
from keras_dl.backend.nesting import differentiated_twice
from keras_dl.backend.scope import Scope, substituted

_SUPPORTED = ("jax", "tensorflow", "torch")

if keras.backend.backend() not in _SUPPORTED:
    raise ImportError(
        "keras_dl runs on the Keras backends 'jax', 'tensorflow' and 'torch'. "
        f"Keras is configured for {keras.backend.backend()!r}: set the "
        "environment variable KERAS_BACKEND before Python starts."
    )

_adapter = importlib.import_module(
    f"keras_dl.backend.{keras.backend.backend()}"
)


def _adapted(function):
    """The adapter's own function, or what the specification has for all."""
    return getattr(_adapter, function, getattr(specification, function))


name = _adapter.name
apply_gradients = _adapted("apply_gradients")
at_once = _adapted("at_once")
call = _adapted("call")
compiled = _adapted("compiled")
compiled_loop = _adapted("compiled_loop")
convolve = _adapted("convolve")
convolve_back = _adapted("convolve_back")
densify = _adapted("densify")
exchange_rows = _adapted("exchange_rows")
forget_compiled = _adapted("forget_compiled")
fused_attention = _adapted("fused_attention")
fused_updates = _adapted("fused_updates")
gather_last = _adapted("gather_last")
gru = _adapted("gru")
linear = _adapted("linear")
lstm = _adapted("lstm")
normalize_batch = _adapted("normalize_batch")
normalize_instances = _adapted("normalize_instances")
own_step = _adapted("own_step")
pad = _adapted("pad")
recorded_step = _adapted("recorded_step")
records_gradients = _adapted("records_gradients")
recurrent_kernel_pays = _adapted("recurrent_kernel_pays")
restore_on_error = _adapted("restore_on_error")
run_if = _adapted("run_if")
run_network = _adapted("run_network")
run_step = _adapted("run_step")
scale_by_replicas = _adapted("scale_by_replicas")
scan = _adapted("scan")
segment_sum = _adapted("segment_sum")
unscale = _adapted("unscale")
update = _adapted("update")
value_and_gradients = _adapted("value_and_gradients")
variable_gradients = _adapted("variable_gradients")
write_at = _adapted("write_at")

__all__ = [
    "Scope",
    "apply_gradients",
    "at_once",
    "call",
    "compiled",
    "compiled_loop",
    "convolve",
    "convolve_back",
    "densify",
    "differentiated_twice",
    "exchange_rows",
    "forget_compiled",
    "fused_attention",
    "fused_updates",
    "gather_last",
    "gru",
    "linear",
    "lstm",
    "name",
    "normalize_batch",
    "normalize_instances",
    "own_step",
    "pad",
    "recorded_step",
    "records_gradients",
    "recurrent_kernel_pays",
    "restore_on_error",
    "run_if",
    "run_network",
    "run_step",
    "scale_by_replicas",
    "scan",
    "segment_sum",
    "substituted",
    "unscale",
    "update",
    "value_and_gradients",
    "variable_gradients",
    "write_at",
]
