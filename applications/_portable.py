"""Models that are compiled alike on the backend that reads them."""

import keras

from keras_dl.models.quantized import QuantizableModel


class PortableModel(QuantizableModel):
    """A `keras.Model` whose file does not bind another backend to XLA.

    And which says of the layers that are quantized that they are.
    """

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
