"""Objectives of pre-training: heads that predict what was hidden."""

import keras
from keras import ops

from keras_dl import backend
from keras_dl.checks import check_integer
from keras_dl.heads.head import Head
from keras_dl.heads.tokens import NO_TARGET
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import TokenAccuracy


class TiedHead(Head):
    """Logits of tokens: `E f(x) + b`, with the encoder's embeddings E."""

    def attach(self, encoder):
        self.bias = self.add_weight(
            shape=(encoder.vocabulary_size,), initializer="zeros", name="bias"
        )
        self.built = True

    def _dense_and_norm(self, encoder, size, units, name):
        dense = self._dense(
            encoder,
            size,
            units,
            name,
            activation=encoder.activation,
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
        embedding, bias = encoder.token_embedding, ops.cast(self.bias, x.dtype)
        if embedding.quantization_mode:
            # Only the layer knows what its numbers mean. Called in full it
            # would warn of the mask that `x` may carry.
            x = ops.cast(x, embedding.compute_dtype)
            logits = embedding.quantized_call(x, reverse=True)
            return ops.cast(logits, "float32") + ops.cast(self.bias, "float32")
        tied = ops.cast(embedding.embeddings, x.dtype)
        logits = backend.linear(x, ops.transpose(tied), bias)
        return ops.cast(logits, "float32")

    def default_loss(self):
        return LabelSmoothedCrossentropy(ignore_class=NO_TARGET)

    def default_metrics(self):
        return [TokenAccuracy(NO_TARGET, name="accuracy")]


@keras.saving.register_keras_serializable("keras_dl")
class MaskedLM(TiedHead):
    """Which tokens stood where the input was masked.

        logits_t = E norm(activation(W h_t + c)) + b

    `E` is the encoder's token embedding.

    **Shapes.** With the input `"masked_positions"`, `(batch, masked)`, logits
    of these positions alone, `(batch, masked, vocabulary_size)`; else of all.
    Targets are token ids of that shape, -1 where there is no target.
    `keras_dl.text.MaskedBatches` makes both.

    **Loss, metrics.** Crossentropy and accuracy of the masked tokens.

    Args:
        **kwargs: Arguments of `keras.Layer`.

    Example:

    >>> encoder = keras_dl.applications.BERT(100, 2, 16, 2, 32)
    >>> model = keras_dl.applications.TaskModel(
    ...     encoder, {"masked_tokens": MaskedLM()}
    ... )
    >>> ids, places = np.ones((2, 8), "int32"), np.array([[3, 5], [2, 0]])
    >>> x = {"token_ids": ids, "masked_positions": places}
    >>> model(x)["masked_tokens"].shape
    (2, 2, 100)

    Reference:
        Devlin et al., "BERT", 2019.
    """

    inputs = ("masked_positions",)
    optional = inputs

    def attach(self, encoder):
        self.dense, self.norm = self._dense_and_norm(
            encoder, encoder.hidden_dim, encoder.embedding_dim, "dense"
        )
        super().attach(encoder)

    def call(self, outputs, inputs, encoder, training=None):
        x = outputs["sequence_output"]
        if "masked_positions" in inputs:
            x = gathered(x, inputs["masked_positions"])
        return self._logits(self.norm(self.dense(x)), encoder)


@keras.saving.register_keras_serializable("keras_dl")
class SpanBoundary(TiedHead):
    """Which tokens a masked span held, told from its two ends outside.

        x = [h_left; h_right; P_offset]
        logits = E norm(f(norm(f(x)))) + b,  f(x) = activation(W x + c)

    with the outputs of the last token before the span and the first one after
    it, and the position in the span.

    **Shapes.** Inputs `"span_left"`, `"span_right"` and `"span_offset"`,
    `(batch, masked)`, to logits `(batch, masked, vocabulary_size)`; targets
    are token ids, -1 where there is no target. `keras_dl.text.MaskedBatches`
    makes them with `keras_dl.text.SpanMasking`.

    **Loss, metrics.** Crossentropy and accuracy.

    Args:
        max_span: Number of positions that a span can have.
        position_dim: Size of the vectors of positions in a span.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> encoder = keras_dl.applications.BERT(100, 2, 16, 2, 32)
    >>> model = keras_dl.applications.TaskModel(
    ...     encoder,
    ...     {"masked_tokens": MaskedLM(), "span_boundary": SpanBoundary()},
    ... )
    >>> x = {
    ...     "token_ids": np.ones((1, 8), "int32"),
    ...     "span_left": np.array([[2, 2]]),  # Of a span at 3 and 4.
    ...     "span_right": np.array([[5, 5]]),
    ...     "span_offset": np.array([[0, 1]]),
    ... }
    >>> model(x)["span_boundary"].shape
    (1, 2, 100)

    Reference:
        Joshi et al., "SpanBERT", 2020. As in its code, the decoder is tied to
        the embeddings, with a bias of its own.
    """

    inputs = ("span_left", "span_right", "span_offset")

    def __init__(self, max_span=10, position_dim=200, **kwargs):
        super().__init__(**kwargs)
        self.max_span = check_integer("max_span", max_span, 1)
        self.position_dim = check_integer("position_dim", position_dim, 1)

    def attach(self, encoder):
        self.positions = keras.layers.Embedding(
            self.max_span,
            self.position_dim,
            embeddings_initializer=encoder.initializer(),
            dtype=self.dtype_policy,
            name="positions",
        )
        self.positions.build((None, None))
        sizes = (
            2 * encoder.hidden_dim + self.position_dim,
            encoder.embedding_dim,
        )
        hidden = encoder.hidden_dim
        self.first, self.first_norm = self._dense_and_norm(
            encoder, sizes[0], hidden, "first"
        )
        self.second, self.second_norm = self._dense_and_norm(
            encoder, hidden, sizes[1], "second"
        )
        super().attach(encoder)

    def call(self, outputs, inputs, encoder, training=None):
        x = outputs["sequence_output"]
        x = ops.concatenate(
            [
                gathered(x, inputs["span_left"]),
                gathered(x, inputs["span_right"]),
                self.positions(inputs["span_offset"]),
            ],
            axis=-1,
        )
        x = self.first_norm(self.first(x))
        return self._logits(self.second_norm(self.second(x)), encoder)

    def get_config(self):
        return {
            **super().get_config(),
            "max_span": self.max_span,
            "position_dim": self.position_dim,
        }


def gathered(x, positions):
    """The vectors of `x`, `(batch, time, d)`, at `(batch, n)` positions."""
    positions = ops.cast(ops.expand_dims(positions, -1), "int32")
    return ops.take_along_axis(x, positions, axis=1)
