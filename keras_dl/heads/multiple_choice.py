"""Which of several answers goes best with a question."""

import keras
from keras import ops

from keras_dl.heads.head import PooledChoice
from keras_dl.models import TargetKind


@keras.saving.register_keras_serializable("keras_dl")
class MultipleChoice(PooledChoice):
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
        return ops.reshape(scores, (-1, self.number_of_choices(inputs)))

    def target_kind(self):
        return TargetKind("classes")

    def number_of_choices(self, inputs):
        return inputs["token_ids"].shape[1]
