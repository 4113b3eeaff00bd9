"""Models whose files say what they consist of, on every backend."""

import keras

from keras_dl.models.frozen import freeze_as, frozen_in
from keras_dl.models.paths import places, sublayer, sublayers
from keras_dl.models.placement import restore
from keras_dl.models.quantized import quantization_of, quantize_as


class ConfiguredModel(keras.Model):
    """A subclassed `keras.Model` whose file can be read anywhere, changes too.

    A base class, as `keras.Model` is, of models that hand their `**kwargs` on
    to it; all of `keras_dl.applications` are. The config of such a model holds
    its arguments, from which it makes its layers; what became of them later it
    says besides:

    - which layers are **quantized**, and how (Keras' own functional models
      have this in the configs of their layers);
    - which layers were **replaced**: see `keras_dl.models.replace_layer`;
    - which layers are **frozen**, by `layer.trainable = False`, wherever they
      stand.

    A model made from the config changes these as soon as it is built, and so
    before weights are loaded; until they are, its weights are new ones. It
    must be built outside of `fit`. A model whose layers are built in
    `__init__`, and which is itself never built, ends it with
    `self._change_as_saved()`.

    Objects among the arguments (layers, optimizers) are serialized by whoever
    puts them in the config, and made again here. A file does not bind the
    backend that reads it to XLA.

    Low-rank updates (`enable_lora`) are merged into the weights when they are
    saved, as Keras does, and are not there any more in the model that is read.
    Of layers in the modes `"gptq"` and `"awq"` Keras 3.15 writes files that it
    cannot read, its own too.

    Args:
        *args: Arguments of `keras.Model`.
        quantization: What the config says of quantized layers:
            `{path: {"dtype": ..., "config": ...}}`.
        replaced: What it says of replaced ones: layers by path, or the path of
            a layer that stands there, too.
        frozen: What it says of frozen ones: a list of paths.
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

    def __init__(
        self, *args, quantization=None, replaced=None, frozen=None, **kwargs
    ):
        super().__init__(*args, **kwargs)
        self._saved = _Saved(quantization, replaced, frozen)

    @property
    def replaced(self):
        """The layers that replaced others, by path: a dict."""
        return self._saved.replaced

    def record_replaced(self, path, layer):
        """Writes down that another layer stands at a path: for its config.

        What was written of layers that are gone with the old one is dropped.
        """
        now = dict(self.replaced) | {path: layer}
        self.replaced.clear()
        self.replaced.update(
            (path, layer)
            for path, layer in now.items()
            if _at(self, path) is layer
        )

    def _post_build(self):
        """What Keras runs after any `build`, while variables may be made."""
        super()._post_build()
        self._change_as_saved()

    def build_from_config(self, config):
        """As Keras', which only warns where something fails in `build`."""
        super().build_from_config(config)
        self._change_as_saved()

    def _change_as_saved(self):
        saved, to_replace = self._saved, self._saved.to_replace
        if not self.built or saved.is_restoring:
            return  # What is quantized or frozen may not be in its place yet.
        if to_replace:
            saved.to_replace, saved.is_restoring = {}, True
            saved.replaced.update(restore(self, to_replace))
            saved.is_restoring = False
        if saved.quantization:
            quantize_as(self, saved.quantization)
            self._post_quantize(None)
            saved.quantization = None
        if saved.frozen:
            freeze_as(self, saved.frozen)
            saved.frozen = None

    def get_config(self):
        config = super().get_config()
        saved = self._saved
        found = saved.quantization or quantization_of(self)
        if found:
            config["quantization"] = dict(found)
        replaced = saved.to_replace or _shared_once(self, saved.replaced)
        if replaced:
            config["replaced"] = {
                path: keras.saving.serialize_keras_object(layer)
                for path, layer in replaced.items()
            }
        frozen = saved.frozen or frozen_in(self)
        if frozen:
            config["frozen"] = list(frozen)
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        arguments = {
            name: value
            if name == "quantization"
            else _object(value, custom_objects)
            for name, value in config.items()
        }
        model = cls(**arguments)
        model._freeze_early()
        return model

    def _freeze_early(self):
        """Freezes what is there before it is built, so that it can be thawed.

        Layers that others are still to replace are not.
        """
        saved = self._saved
        there = set(sublayers(self, by_place=True))
        if saved.frozen and not saved.to_replace and there >= set(saved.frozen):
            freeze_as(self, saved.frozen)
            saved.frozen = None

    def compile_from_config(self, config):
        """Compiles as the model was compiled when it was saved."""
        config = keras.saving.deserialize_keras_object(config)
        if config.get("jit_compile"):
            # What "auto" came to on the backend that saved the model: let the
            # backend that reads it decide for itself.
            config["jit_compile"] = "auto"
        self.compile(**config)
        if self.built:
            self.optimizer.build(self.trainable_variables)


def _at(model, path):
    """The layer at a path, or `None`."""
    try:
        return sublayer(model, path)
    except ValueError:
        return None


def _shared_once(model, replaced):
    """Layers by path; of one that stands elsewhere too, that path.

    Elsewhere is where the model makes it itself, or else where it is recorded
    first.
    """
    found, everywhere = {}, places(model)
    for path, layer in replaced.items():
        others = everywhere.get(id(layer), [path])
        made = [place for place in others if place not in replaced]
        first = [place for place in replaced if replaced[place] is layer]
        place = (made or first)[0]
        found[path] = layer if place == path else place
    return found


class _Saved:
    """What a config says, out of sight of Keras, which would track layers."""

    def __init__(self, quantization, replaced, frozen):
        self.quantization, self.frozen = quantization, frozen
        self.to_replace = dict(replaced or {})
        self.replaced, self.is_restoring = {}, False


def _object(value, custom_objects):
    """An object from its config, where it is one; in dicts and lists too."""
    if isinstance(value, (list, tuple)):
        return type(value)(_object(part, custom_objects) for part in value)
    if not isinstance(value, dict):
        return value
    if "class_name" in value and "config" in value:
        return keras.saving.deserialize_keras_object(
            value, custom_objects=custom_objects
        )
    return {k: _object(part, custom_objects) for k, part in value.items()}
