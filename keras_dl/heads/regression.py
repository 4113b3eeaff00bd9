"""A number, or several, for a text, or for a pair of texts."""

import keras

from keras_dl.checks import check_integer
from keras_dl.heads.head import PooledHead
from keras_dl.metrics import PearsonCorrelation, SpearmanCorrelation
from keras_dl.models import TargetKind
from keras_dl.models.ranges import check_finite


@keras.saving.register_keras_serializable("keras_dl")
class Regression(PooledHead):
    """A number for a text, or for a pair of texts, such as their similarity.

        y = W drop(pooled) + b

    **Shapes.** To `(batch, num_outputs)`; targets are numbers of that shape,
    or `(batch,)` if there is one output.

    **Loss, metrics.** Mean squared error; Pearson and Spearman correlation,
    of several outputs the mean absolute error.

    Args:
        dropout: Share of the pooled output to drop.
        num_outputs: How many numbers.
        label_names: Names of the numbers by their indices, or `None`.
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

    def __init__(self, dropout=0.1, num_outputs=1, label_names=None, **kwargs):
        check_integer("num_outputs", num_outputs, 1)
        super().__init__(num_outputs, dropout, **kwargs)
        self.num_outputs = int(num_outputs)
        self._set_labels(self.num_outputs, label_names)

    def target_kind(self):
        return TargetKind("numbers", 1, self.num_outputs, self.label_names)

    def default_loss(self):
        return keras.losses.MeanSquaredError()

    def check_targets(self, name, y, inputs, encoder, sample_weight=None):
        check_finite(name, y, sample_weight)

    def default_metrics(self):
        if self.num_outputs > 1:
            return [keras.metrics.MeanAbsoluteError(name="mae")]
        return [
            PearsonCorrelation(name="pearson"),
            SpearmanCorrelation(name="spearman"),
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "num_outputs": self.num_outputs,
            "label_names": self.label_names,
        }
