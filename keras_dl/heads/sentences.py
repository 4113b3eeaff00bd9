"""Heads that say one thing of a text, or of a pair of texts."""

import keras
from keras import ops

from keras_dl.checks import check_integer
from keras_dl.heads.head import PooledHead
from keras_dl.metrics import PearsonCorrelation, SpearmanCorrelation


@keras.saving.register_keras_serializable("keras_dl")
class Classification(PooledHead):
    """Which class a text, or a pair of texts, belongs to.

        logits = W drop(pooled) + b

    A pair is one text of two segments. With `num_classes=2` and `dropout=0.0`
    this is also the objective of pre-training that tells next sentences from
    random ones (BERT), or right from swapped order (ALBERT): the data make the
    difference.

    **Shapes.** To logits `(batch, num_classes)`; targets are class indices,
    `(batch,)`.

    **Predictions.** Probabilities.

    **Loss, metrics.** Crossentropy; accuracy.

    Args:
        num_classes: Number of classes.
        dropout: Share of the pooled output to drop.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed, or the encoder has no
            pooler.

    Example:

    >>> encoder = keras_dl.applications.BERT.of_size("bert_tiny")
    >>> model = keras_dl.applications.TaskModel(encoder, Classification(3))
    >>> model(np.ones((2, 16), "int32")).shape
    (2, 3)

    Reference:
        Devlin et al., "BERT", 2019.
    """

    def __init__(self, num_classes, dropout=0.1, **kwargs):
        self.num_classes = check_integer("num_classes", num_classes, 2)
        super().__init__(num_classes, dropout, **kwargs)

    def default_loss(self):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def predictions(self, outputs):
        return ops.softmax(outputs)

    def default_metrics(self):
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}


@keras.saving.register_keras_serializable("keras_dl")
class Regression(PooledHead):
    """A number for a text, or for a pair of texts, such as their similarity.

        y = W drop(pooled) + b

    **Shapes.** To `(batch, 1)`; targets are numbers, `(batch,)` or
    `(batch, 1)`.

    **Loss, metrics.** Mean squared error; Pearson and Spearman correlation.

    Args:
        dropout: Share of the pooled output to drop.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed, or the encoder has no
            pooler.

    Example:

    >>> encoder = keras_dl.applications.BERT.of_size("bert_tiny")
    >>> model = keras_dl.applications.TaskModel(encoder, Regression())
    >>> model(np.ones((2, 16), "int32")).shape
    (2, 1)

    Reference:
        Devlin et al., "BERT", 2019, on STS-B.
    """

    returns_logits = False

    def __init__(self, dropout=0.1, **kwargs):
        super().__init__(1, dropout, **kwargs)

    def default_loss(self):
        return keras.losses.MeanSquaredError()

    def default_metrics(self):
        return [
            PearsonCorrelation(name="pearson"),
            SpearmanCorrelation(name="spearman"),
        ]


@keras.saving.register_keras_serializable("keras_dl")
class MultipleChoice(PooledHead):
    """Which of several answers goes best with a question.

        score_c = w . drop(pooled_c) + b;  p = softmax(score_1, ..., score_n)

    Each choice is a text of its own: the question with that answer.

    **Shapes.** Ids `(batch, choices, time)` to logits `(batch, choices)`;
    targets are the right choices, `(batch,)`.

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

    def default_loss(self):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def predictions(self, outputs):
        return ops.softmax(outputs)

    def default_metrics(self):
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
