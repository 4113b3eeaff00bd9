"""Which tokens a masked span held, told from its ends."""

import keras
from keras import ops

from keras_dl.checks import check_integer
from keras_dl.heads.tied_head import TiedHead, gathered
from keras_dl.models.ranges import check_ids


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
    >>> heads = {
    ...     "masked_tokens": keras_dl.heads.MaskedLM(),
    ...     "span_boundary": SpanBoundary(),
    ... }
    >>> model = keras_dl.applications.TaskModel(encoder, heads)
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
    position_inputs = ("span_left", "span_right")

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

    def check_arrays(self, inputs, encoder):
        super().check_arrays(inputs, encoder)
        check_ids("span_offset", inputs.get("span_offset"), 0, self.max_span)

    def get_config(self):
        return {
            **super().get_config(),
            "max_span": self.max_span,
            "position_dim": self.position_dim,
        }
