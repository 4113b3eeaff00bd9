"""The only room that names a framework: one adapter for each backend."""

import importlib

import keras

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

name = _adapter.name
apply_gradients = _adapter.apply_gradients
at_once = _adapter.at_once
call = _adapter.call
compiled = _adapter.compiled
compiled_loop = _adapter.compiled_loop
convolve = _adapter.convolve
convolve_back = _adapter.convolve_back
densify = _adapter.densify
exchange_rows = _adapter.exchange_rows
forget_compiled = _adapter.forget_compiled
fused_attention = _adapter.fused_attention
gru = _adapter.gru
guard = _adapter.guard
linear = _adapter.linear
lstm = _adapter.lstm
normalize_batch = _adapter.normalize_batch
normalize_instances = _adapter.normalize_instances
pad = _adapter.pad
pick = _adapter.pick
recurrent_kernel_pays = _adapter.recurrent_kernel_pays
run_if = _adapter.run_if
run_network = _adapter.run_network
run_step = _adapter.run_step
scan = _adapter.scan
segment_sum = _adapter.segment_sum
share = _adapter.share
value_and_gradients = _adapter.value_and_gradients
variable_gradients = _adapter.variable_gradients
whole = _adapter.whole
write_at = _adapter.write_at

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
    "gru",
    "guard",
    "linear",
    "lstm",
    "name",
    "normalize_batch",
    "normalize_instances",
    "pad",
    "pick",
    "recurrent_kernel_pays",
    "run_if",
    "run_network",
    "run_step",
    "scan",
    "segment_sum",
    "share",
    "substituted",
    "value_and_gradients",
    "variable_gradients",
    "whole",
    "write_at",
]
