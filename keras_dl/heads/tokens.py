"""Heads that say something of tokens."""

import keras
from keras import ops

from keras_dl.checks import check_integer, check_rate
from keras_dl.heads.head import Head
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import ExactMatch, TokenAccuracy

NO_TARGET = -1


@keras.saving.register_keras_serializable("keras_dl")
class TokenClassification(Head):
    """A tag for each token, such as the kind of entity that it is part of.

        logits_t = W drop(h_t) + b

    **Shapes.** To logits `(batch, time, num_tags)`; targets are tag indices,
    `(batch, time)`, -1 where there is no target: padding, special tokens, and
    all but the first piece of a word. `keras_dl.text.TaggedWords` makes them.

    **Predictions.** Probabilities of each token's tags.

    **Loss, metrics.** Crossentropy and accuracy of the tokens with a target.
    Give `compile` a `keras_dl.metrics.EntityF1` for the score of entities.

    Args:
        num_tags: Number of tags.
        dropout: Share of the outputs of the encoder to drop.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> encoder = keras_dl.applications.BERT.of_size("bert_tiny")
    >>> model = keras_dl.applications.TaskModel(encoder, TokenClassification(9))
    >>> model(np.ones((2, 16), "int32")).shape
    (2, 16, 9)

    Reference:
        Devlin et al., "BERT", 2019, on CoNLL-2003.
    """

    def __init__(self, num_tags, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.num_tags = check_integer("num_tags", num_tags, 2)
        self.dropout = check_rate("dropout", dropout)
        self._drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def attach(self, encoder):
        self.logits = self._dense(
            encoder,
            encoder.hidden_dim,
            self.num_tags,
            "logits",
            dtype="float32",
        )
        self.built = True

    def call(self, outputs, inputs, encoder, training=None):
        x = outputs["sequence_output"]
        return self.logits(self._drop(x, training=training))

    def default_loss(self):
        return LabelSmoothedCrossentropy(ignore_class=NO_TARGET)

    def predictions(self, outputs):
        return ops.softmax(outputs)

    def default_metrics(self):
        return [TokenAccuracy(NO_TARGET, name="accuracy")]

    def get_config(self):
        return {
            **super().get_config(),
            "num_tags": self.num_tags,
            "dropout": self.dropout,
        }


@keras.saving.register_keras_serializable("keras_dl")
class ExtractiveQA(Head):
    """Where in a text the answer to a question begins and ends.

        p(start = t) = softmax_t(s . h_t + a)
        p(end = t) = softmax_t(e . h_t + b)

    **Shapes.** To logits `(batch, 2, time)`, of starts and of ends; targets
    are token positions, `(batch, 2)`. Without an answer both are 0, the first
    token. `keras_dl.text.SpanWindows` makes them, and finds the best answers
    in logits.

    **Masking.** Padding cannot be chosen: its logits are the lowest there
    are.

    **Predictions.** The logits: spans are searched by their sums, and compared
    between windows.

    **Loss, metrics.** The mean of the two crossentropies (the paper takes
    their sum); the share of texts with both ends right, each by itself.

    Args:
        dropout: Share of the outputs of the encoder to drop.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> encoder = keras_dl.applications.BERT.of_size("bert_tiny")
    >>> model = keras_dl.applications.TaskModel(encoder, ExtractiveQA())
    >>> model(np.ones((2, 16), "int32")).shape
    (2, 2, 16)

    Reference:
        Devlin et al., "BERT", 2019, on SQuAD.
    """

    def __init__(self, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.dropout = check_rate("dropout", dropout)
        self._drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def attach(self, encoder):
        self.logits = self._dense(
            encoder, encoder.hidden_dim, 2, "logits", dtype="float32"
        )
        self.built = True

    def call(self, outputs, inputs, encoder, training=None):
        x = self._drop(outputs["sequence_output"], training=training)
        logits = ops.swapaxes(self.logits(x), 1, 2)
        real = ops.expand_dims(inputs["padding_mask"], 1)
        return ops.where(real, logits, -1e9)

    def default_loss(self):
        return LabelSmoothedCrossentropy()

    def default_metrics(self):
        return [ExactMatch()]

    def get_config(self):
        return {**super().get_config(), "dropout": self.dropout}
