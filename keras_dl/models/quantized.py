"""Which layers of a model are quantized, and how: for configs."""

import keras

from keras_dl.models.paths import sublayers


def quantization_of(layer):
    """Which layers inside are quantized, and how, by their paths."""
    return {
        path: {
            "dtype": keras.dtype_policies.serialize(_policy(part)),
            "config": _serialized(getattr(part, "quantization_config", None)),
        }
        for path, part in sublayers(layer, by_place=True).items()
        if part.quantization_mode is not None
    }


def quantize_as(layer, quantization):
    """Quantizes layers inside that are not yet, as `quantization_of` says.

    What their weights become is of use only if weights are loaded.
    """
    parts = sublayers(layer, by_place=True)
    unknown = sorted(quantization.keys() - parts.keys())
    if unknown:
        raise ValueError(
            f"`quantization` names layers that {layer.name!r} does not have: "
            f"{unknown}. It has: {sorted(parts)}."
        )
    for path, how in quantization.items():
        if parts[path].quantization_mode is None:
            _quantize(parts[path], **how)


def _quantize(layer, dtype, config):
    policy = keras.dtype_policies.get(dtype)
    config = keras.saving.deserialize_keras_object(config)
    mode = policy.quantization_mode
    if config is None or mode == "float8":
        # The policy says all; Keras quantizes a layer whose policy is set.
        layer.dtype_policy = policy
        return
    layer.quantize(mode, config=config, type_check=False)
    if mode in ("gptq", "awq"):
        # What is in a file has been calibrated, which ends with this.
        setattr(layer, f"is_{mode}_calibrated", True)
        del layer._kernel


def _serialized(config):
    if getattr(config, "quantization_layer_structure", None):
        # The layers to calibrate, each of which holds the config in turn.
        arguments = {
            **config.get_config(),
            "quantization_layer_structure": None,
        }
        config = type(config)(**arguments)
    return keras.saving.serialize_keras_object(config)


def _policy(layer):
    policy = layer.dtype_policy
    if isinstance(policy, keras.dtype_policies.DTypePolicyMap):
        return policy[layer.path]
    return policy
