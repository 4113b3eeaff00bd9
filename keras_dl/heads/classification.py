"""The class of a text, or of a pair of texts."""

import keras

from keras_dl.checks import check_integer
from keras_dl.heads.head import PooledChoice
from keras_dl.models import TargetKind


@keras.saving.register_keras_serializable("keras_dl")
class Classification(PooledChoice):
    """Which class a text, or a pair of texts, belongs to.

        logits = W drop(pooled) + b

    A pair is one text of two segments. With `num_classes=2` and `dropout=0.0`
    this is also the objective of pre-training that tells next sentences from
    random ones (BERT), or right from swapped order (ALBERT): the data make the
    difference.

    **Shapes.** To logits `(batch, num_classes)`; targets are class indices,
    `(batch,)`, or probabilities of the shape of the logits, such as one-hot
    ones.

    **Predictions.** Probabilities.

    **Loss, metrics.** Crossentropy; accuracy.

    Args:
        num_classes: Number of classes.
        dropout: Share of the pooled output to drop.
        label_names: Names of the classes by their indices, or `None`.
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

    def __init__(self, num_classes, dropout=0.1, label_names=None, **kwargs):
        check_integer("num_classes", num_classes, 2)
        super().__init__(num_classes, dropout, **kwargs)
        self.num_classes = int(num_classes)
        self._set_labels(self.num_classes, label_names)

    def target_kind(self):
        return TargetKind("classes", 1, self.num_classes, self.label_names)

    def number_of_choices(self, inputs):
        return self.num_classes

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "label_names": self.label_names,
        }
