"""Which of several answers goes best with a question."""

import keras
from keras import ops

from keras_dl.heads.head import PooledHead
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import TokenAccuracy
from keras_dl.models import TargetKind
from keras_dl.models.ranges import check_classes


@keras.saving.register_keras_serializable("keras_dl")
class MultipleChoice(PooledHead):
    """Which of several answers goes best with a question.

        score_c = w . drop(pooled_c) + b;  p = softmax(score_1, ..., score_n)

    Each choice is a text of its own: the question with that answer.

    **Shapes.** Ids `(batch, choices, time)` to logits `(batch, choices)`;
    targets are the right choices, `(batch,)`, or one-hot.

    **Predictions.** Probabilities.

    **Loss, metrics.** Crossentropy; accuracy.

    Args:
        dropout: Share of the pooled output to drop.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed, or the encoder has no
            pooler.

    Example:

    >>> encoder = keras_dl.applications.BERT.of_size("bert_tiny")
    >>> model = keras_dl.applications.TaskModel(encoder, MultipleChoice())
    >>> model(np.ones((2, 4, 16), "int32")).shape
    (2, 4)

    Reference:
        Devlin et al., "BERT", 2019, on SWAG.
    """

    flattens = True

    def __init__(self, dropout=0.1, **kwargs):
        super().__init__(1, dropout, **kwargs)

    def call(self, outputs, inputs, encoder, training=None):
        scores = super().call(outputs, inputs, encoder, training)
        choices = inputs["token_ids"].shape[1]
        return ops.reshape(scores, (-1, choices))

    def target_kind(self):
        return TargetKind("classes")

    def default_loss(self):
        return LabelSmoothedCrossentropy()

    def predictions(self, outputs):
        return ops.softmax(outputs)

    def default_metrics(self):
        return [TokenAccuracy(name="accuracy")]

    def check_targets(self, name, y, inputs, encoder, sample_weight=None):
        choices = inputs["token_ids"].shape[1]
        if y.ndim == 1 or y.shape[-1] == 1:
            check_classes(name, y, choices, sample_weight)
