"""What the models of token ids have in common."""

from keras import ops

from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import Perplexity
from keras_dl.models import SupervisedModel, TargetKind
from keras_dl.models.ranges import check_classes, check_ids
from keras_dl.models.supervised_model import check_takes_logits

UNKNOWN_ID = 1


class TokenModel(SupervisedModel):
    """A model from token ids to logits of tokens.

    A subclass hands its arguments to `_remember`, which keeps them as its
    config, and sets `vocabulary_size` and, with several inputs, `input_sizes`.

    `fit`, `evaluate` and `predict` refuse ids outside the vocabulary by name,
    wherever they come from. A call reads them as the unknown token, and the
    loss of such targets is NaN.
    """

    reads_source = False
    pad_id = 0

    def __init__(self, **kwargs):
        # Ids may come as floats, which half precision would round.
        super().__init__(autocast=False, **kwargs)

    def _remember(self, **arguments):
        self._arguments = arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    @property
    def input_sizes(self):
        """Sizes of the vocabularies of the inputs."""
        return (self.vocabulary_size,)

    def default_loss(self):
        """`LabelSmoothedCrossentropy` without smoothing, padding left out."""
        return LabelSmoothedCrossentropy(ignore_class=self.pad_id)

    def target_kind(self):
        return TargetKind("classes", 2, self.vocabulary_size)

    def default_metrics(self):
        """`Perplexity`, padding left out."""
        return [Perplexity(ignore_class=self.pad_id)]

    def padding_mask(self, inputs):
        """Which tokens are real; `None` for pairs, which have two answers."""
        if isinstance(inputs, (list, tuple)):
            return None
        return ops.not_equal(inputs, self.pad_id)

    def check_loss(self, loss):
        check_takes_logits(loss)

    def check_arrays(self, x, y=None, sample_weight=None):
        parts = list(x) if isinstance(x, (list, tuple)) else [x]
        for ids, size in zip(parts, self.input_sizes, strict=False):
            check_ids("x", ids, 0, size)
        check_classes("y", y, self.vocabulary_size, sample_weight)

    def get_config(self):
        return {**super().get_config(), **self._arguments}


def known(ids, size):
    """The ids, with the unknown token for those that there are not."""
    ids = ops.cast(ids, "int32")
    inside = ops.logical_and(ids >= 0, ids < size)
    return ops.where(inside, ids, UNKNOWN_ID)
