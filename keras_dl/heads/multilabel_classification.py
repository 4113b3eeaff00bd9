"""Which of several labels a text, or a pair of texts, has."""

import keras
from keras import ops

from keras_dl.checks import check_integer
from keras_dl.heads.head import PooledHead
from keras_dl.models import TargetKind


@keras.saving.register_keras_serializable("keras_dl")
class MultilabelClassification(PooledHead):
    """Which labels a text, or a pair of texts, has: none, one or several.

        logits = W drop(pooled) + b;  p_c = sigmoid(logits_c)

    Each label is a yes or no by itself, where `Classification` chooses one.

    **Shapes.** To logits `(batch, num_classes)`; targets have that shape, 1
    for the labels that a text has and 0 for the others, or numbers between.

    **Predictions.** The probability of each label; they do not sum to 1.

    **Loss, metrics.** Binary crossentropy, the mean over labels and texts;
    the share of labels that are right, and F1 of all labels together
    (micro), with the threshold 0.5.

    Args:
        num_classes: Number of labels.
        dropout: Share of the pooled output to drop.
        label_names: Names of the labels by their indices, or `None`.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed, or the encoder has no
            pooler.

    Example:

    >>> encoder = keras_dl.applications.BERT.of_size("bert_tiny")
    >>> topics = ["sport", "politics", "money"]
    >>> head = MultilabelClassification(3, label_names=topics)
    >>> model = keras_dl.applications.TaskModel(encoder, head)
    >>> model.compile(keras.optimizers.AdamW(1e-4))
    >>> x, y = np.ones((2, 16), "int32"), np.array([[1, 0, 1], [0, 0, 0]])
    >>> history = model.fit(x, y, verbose=0)
    >>> model.predict(x, verbose=0).shape, model.label_names
    ((2, 3), ('sport', 'politics', 'money'))

    Reference:
        Devlin et al., "BERT", 2019; as `problem_type`
        `"multi_label_classification"` of transformers.
    """

    def __init__(self, num_classes, dropout=0.1, label_names=None, **kwargs):
        check_integer("num_classes", num_classes, 1)
        super().__init__(num_classes, dropout, **kwargs)
        self.num_classes = int(num_classes)
        self._set_labels(self.num_classes, label_names)

    def target_kind(self):
        return TargetKind("labels", 1, self.num_classes, self.label_names)

    def default_loss(self):
        return keras.losses.BinaryCrossentropy(from_logits=True)

    def predictions(self, outputs):
        return ops.sigmoid(outputs)

    def default_metrics(self):
        return [
            keras.metrics.BinaryAccuracy(name="accuracy"),
            keras.metrics.F1Score(average="micro", threshold=0.5, name="f1"),
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "label_names": self.label_names,
        }
