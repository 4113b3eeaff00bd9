"""A tag for each token."""

import keras
from keras import ops

from keras_dl.checks import check_integer, check_rate
from keras_dl.heads.head import NO_TARGET, Head
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import TokenAccuracy
from keras_dl.models import TargetKind
from keras_dl.models.ranges import check_classes


@keras.saving.register_keras_serializable("keras_dl")
class TokenClassification(Head):
    """A tag for each token, such as the kind of entity that it is part of.

        logits_t = W drop(h_t) + b

    **Shapes.** To logits `(batch, time, num_tags)`; targets are tag indices,
    `(batch, time)`, -1 or -100 where there is no target: padding, special
    tokens, and all but the first piece of a word. `keras_dl.text.TaggedWords`
    makes them.
    One-hot targets have the shape of the logits, all 0 where there is none.

    **Predictions.** Probabilities of each token's tags.

    **Loss, metrics.** Crossentropy and accuracy of the tokens with a target.
    Give `compile` a `keras_dl.metrics.EntityF1` for the score of entities.

    Args:
        num_tags: Number of tags.
        dropout: Share of the outputs of the encoder to drop.
        label_names: Names of the tags by their indices, such as the
            `tag_names` of `keras_dl.text.TaggedWords`, or `None`.
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

    def __init__(self, num_tags, dropout=0.1, label_names=None, **kwargs):
        super().__init__(**kwargs)
        self.num_tags = check_integer("num_tags", num_tags, 1)
        self._set_labels(self.num_tags, label_names)
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

    def target_kind(self):
        return TargetKind("classes", 2, self.num_tags, self.label_names)

    def default_loss(self):
        return LabelSmoothedCrossentropy(ignore_class=NO_TARGET)

    def predictions(self, outputs):
        if self.num_tags == 1:  # Of which Keras warns.
            return ops.ones_like(outputs)
        return ops.softmax(outputs)

    def default_metrics(self):
        return [TokenAccuracy(NO_TARGET, name="accuracy")]

    def check_targets(self, name, y, inputs, encoder, sample_weight=None):
        check_classes(name, y, self.num_tags, sample_weight, NO_TARGET)

    def get_config(self):
        return {
            **super().get_config(),
            "num_tags": self.num_tags,
            "dropout": self.dropout,
            "label_names": self.label_names,
        }
