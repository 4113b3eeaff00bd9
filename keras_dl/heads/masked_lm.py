"""Which tokens stood where the input was masked."""

import keras

from keras_dl.heads.tied_head import TiedHead, gathered


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
    optional = position_inputs = inputs

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
