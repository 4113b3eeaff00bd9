"""Where in a text the answer to a question is."""

import keras
from keras import ops

from keras_dl.checks import check_rate
from keras_dl.heads.head import Head
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import ExactMatch
from keras_dl.models import TargetKind
from keras_dl.models.ranges import check_classes


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

    def target_kind(self):
        return TargetKind("classes", 2)

    def default_loss(self):
        return LabelSmoothedCrossentropy()

    def default_metrics(self):
        return [ExactMatch()]

    def check_targets(self, name, y, inputs, encoder, sample_weight=None):
        check_classes(name, y, inputs["token_ids"].shape[-1], sample_weight)

    def get_config(self):
        return {**super().get_config(), "dropout": self.dropout}
