"""Models whose files say which of their layers are quantized.

Keras keeps a layer's dtype policy in the layer's config, and so in the file of
a functional model. The config of a model of ours holds its own arguments, from
which it makes its layers: what became of them later it has to say besides.
"""

import keras

from keras_dl.backend import keras_names
from keras_dl.models.sublayers import sublayers

keras_names.require(keras.Layer, "_post_build")


class QuantizableModel(keras.Model):
    """A subclassed model that is quantized still when its file is read.

    A base class, as `keras.Model` is, of models that hand their `**kwargs` on
    to it; all of `keras_dl.applications` are. Its config names the layers that
    are quantized by their paths (see `sublayers`), and says how. A model made
    from the config quantizes these as soon as it is built, and so before
    weights are loaded; until they are, its weights are new ones, quantized. It
    must be built outside of `fit`. Low-rank updates (`enable_lora`) are merged
    into the weights when they are saved, as Keras does, and are not there any
    more in the model that is read. Of layers in the modes `"gptq"` and `"awq"`
    Keras 3.15 writes files that it cannot read, its own too.

    A model whose layers are built in `__init__`, and which is itself never
    built, ends it with `self._quantize_as_saved()`.

    Args:
        *args: Arguments of `keras.Model`.
        quantization: What the config says of quantized layers:
            `{path: {"dtype": ..., "config": ...}}`.
        **kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: When it is built, if there are no such layers.

    Example:

    >>> model = keras_dl.applications.MLP((8,), num_outputs=2)
    >>> model.build((None, 3))
    >>> model.quantize("int8", filters="head")
    >>> list(model.get_config()["quantization"])
    ['head']
    """

    def __init__(self, *args, quantization=None, **kwargs):
        super().__init__(*args, **kwargs)
        self._saved_quantization = quantization

    def _post_build(self):
        """What Keras runs after any `build`, while variables may be made."""
        super()._post_build()
        self._quantize_as_saved()

    def build_from_config(self, config):
        """As Keras', which only warns where something fails in `build`."""
        super().build_from_config(config)
        self._quantize_as_saved()

    def _quantize_as_saved(self):
        saved = self._saved_quantization
        if saved and self.built:
            quantize_as(self, saved)
            self._post_quantize(None)
            self._saved_quantization = None

    def get_config(self):
        config = super().get_config()
        found = self._saved_quantization or quantization_of(self)
        return {**config, "quantization": dict(found)} if found else config


def quantization_of(layer):
    """Which layers inside are quantized, and how, by their paths."""
    return {
        path: {
            "dtype": keras.dtype_policies.serialize(_policy(part)),
            "config": _serialized(getattr(part, "quantization_config", None)),
        }
        for path, part in sublayers(layer).items()
        if part.quantization_mode is not None
    }


def quantize_as(layer, quantization):
    """Quantizes layers inside that are not yet, as `quantization_of` says.

    What their weights become is of use only if weights are loaded.
    """
    parts = sublayers(layer)
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
