"""A number for a text, or for a pair of texts."""

import keras

from keras_dl.heads.head import PooledHead
from keras_dl.metrics import PearsonCorrelation, SpearmanCorrelation
from keras_dl.models.ranges import check_finite


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

    def check_targets(self, name, y, inputs, encoder, sample_weight=None):
        check_finite(name, y, sample_weight)

    def default_metrics(self):
        return [
            PearsonCorrelation(name="pearson"),
            SpearmanCorrelation(name="spearman"),
        ]
