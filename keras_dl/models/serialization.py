"""Models whose files say what they consist of, on every backend."""

import keras


class ConfiguredModel(keras.Model):
    """A `keras.Model` whose config and file can be read anywhere.

    The config holds the arguments; layers and other objects among them are
    serialized by whoever puts them there, and made again here. A file does
    not bind the backend that reads it to XLA.
    """

    @classmethod
    def from_config(cls, config, custom_objects=None):
        arguments = {
            name: _object(value, custom_objects)
            for name, value in config.items()
        }
        return cls(**arguments)

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
