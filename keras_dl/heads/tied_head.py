"""What heads that predict tokens have in common."""

import keras
from keras import ops

from keras_dl import backend
from keras_dl.heads.head import NO_TARGET, Head
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import TokenAccuracy
from keras_dl.models.ranges import check_classes


class TiedHead(Head):
    """Logits of tokens: `E f(x) + b`, with the encoder's embeddings E."""

    def attach(self, encoder):
        self.bias = self.add_weight(
            shape=(encoder.vocabulary_size,), initializer="zeros", name="bias"
        )
        self.built = True

    def _dense_and_norm(self, encoder, size, units, name, activation=None):
        dense = self._dense(
            encoder,
            size,
            units,
            name,
            activation=activation or encoder.activation,
            dtype=self.dtype_policy,
        )
        return dense, self._norm(encoder, units, f"{name}_norm")

    def _norm(self, encoder, size, name):
        norm = keras.layers.LayerNormalization(
            epsilon=encoder.layer_norm_epsilon,
            dtype=self.dtype_policy,
            name=name,
        )
        norm.build((None, size))
        return norm

    def _logits(self, x, encoder):
        embedding = encoder.token_embedding
        if embedding.quantization_mode:
            # Only the layer knows what its numbers mean. Called in full it
            # would warn of the mask that `x` may carry.
            x = ops.cast(x, embedding.compute_dtype)
            logits = embedding.quantized_call(x, reverse=True)
            return ops.cast(logits, "float32") + ops.cast(self.bias, "float32")
        if not hasattr(embedding, "embeddings"):
            # Factorized: two thin products, and no table to take.
            logits = ops.cast(embedding(x, reverse=True), "float32")
            return logits + ops.cast(self.bias, "float32")
        return self._linear(x, embedding.embeddings)

    def _linear(self, x, embeddings):
        matrix = ops.transpose(ops.cast(embeddings, x.dtype))
        logits = backend.linear(x, matrix, ops.cast(self.bias, x.dtype))
        return ops.cast(logits, "float32")

    def default_loss(self):
        return LabelSmoothedCrossentropy(ignore_class=NO_TARGET)

    def default_metrics(self):
        return [TokenAccuracy(NO_TARGET, name="accuracy")]

    def check_targets(self, name, y, inputs, encoder, sample_weight=None):
        size = encoder.vocabulary_size
        check_classes(name, y, size, sample_weight, NO_TARGET)


def gathered(x, positions):
    """The vectors of `x`, `(batch, time, d)`, at `(batch, n)` positions."""
    positions = ops.cast(ops.expand_dims(positions, -1), "int32")
    return ops.take_along_axis(x, positions, axis=1)
