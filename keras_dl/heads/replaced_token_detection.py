"""Which tokens of a text are not its own."""

import keras
from keras import ops

from keras_dl.heads.head import NO_TARGET, Head
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import TokenAccuracy
from keras_dl.models.ranges import check_classes


@keras.saving.register_keras_serializable("keras_dl")
class ReplacedTokenDetection(Head):
    """Which tokens of a text were replaced by others, ELECTRA's objective.

        p(replaced at t) = sigmoid(w . activation(W h_t + c) + b)

    **Shapes.** To logits `(batch, time, 2)`, of tokens that are the text's
    own, which are 0, and of those that were replaced: their softmax is the
    sigmoid of the second. Targets are 0 and 1, `(batch, time)`, -1 or -100
    where there is no target, as for padding.

    **Predictions.** Probabilities of both.

    **Loss, metrics.** Crossentropy and accuracy of the tokens with a target.

    Args:
        **kwargs: Arguments of `keras.Layer`.

    Example:

    >>> encoder = keras_dl.applications.BERT(100, 2, 16, 2, 32, pooler=None)
    >>> model = keras_dl.applications.TaskModel(
    ...     encoder, ReplacedTokenDetection()
    ... )
    >>> model(np.ones((2, 8), "int32")).shape
    (2, 8, 2)

    Reference:
        Clark et al., "ELECTRA: pre-training text encoders as discriminators
        rather than generators", 2020.
    """

    def attach(self, encoder):
        size = encoder.hidden_dim
        self.dense = self._dense(
            encoder,
            size,
            size,
            "dense",
            activation=encoder.activation,
            dtype=self.dtype_policy,
        )
        self.logits = self._dense(encoder, size, 1, "logits", dtype="float32")
        self.built = True

    def call(self, outputs, inputs, encoder, training=None):
        replaced = self.logits(self.dense(outputs["sequence_output"]))
        return ops.concatenate([ops.zeros_like(replaced), replaced], axis=-1)

    def default_loss(self):
        return LabelSmoothedCrossentropy(ignore_class=NO_TARGET)

    def predictions(self, outputs):
        return ops.softmax(outputs)

    def default_metrics(self):
        return [TokenAccuracy(NO_TARGET, name="accuracy")]

    def check_targets(self, name, y, inputs, encoder, sample_weight=None):
        check_classes(name, y, 2, sample_weight, NO_TARGET)
