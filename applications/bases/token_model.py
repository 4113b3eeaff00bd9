"""What the models of token ids have in common."""

import numpy as np
from keras import ops

from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import Perplexity
from keras_dl.models import SupervisedModel, TargetKind
from keras_dl.models.supervised_model import check_takes_logits

UNKNOWN_ID = 1


class TokenModel(SupervisedModel):
    """A model from token ids to logits of tokens.

    A subclass hands its arguments to `_remember`, which keeps them as its
    config, and sets `vocabulary_size` and, with several inputs, `input_sizes`.

    Ids outside the vocabulary are refused by name where they come as arrays
    (`fit`, `evaluate`, `predict`). Where they come from a dataset, and so
    first show up inside compiled code, inputs are read as the unknown token,
    and the loss of targets is NaN.
    """

    reads_source = False
    pad_id = 0

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

    def check_arrays(self, x, y=None):
        parts = list(x) if isinstance(x, (list, tuple)) else [x]
        pairs = list(zip(parts, self.input_sizes, strict=False))
        for name, ids, size in [
            *(("x", ids, size) for ids, size in pairs),
            ("y", y, self.vocabulary_size),
        ]:
            if not isinstance(ids, np.ndarray) or not ids.size:
                continue
            if ids.min() < 0 or ids.max() >= size:
                raise ValueError(
                    f"`{name}` holds ids that are not in the vocabulary: ids "
                    f"from 0 to {size - 1} are allowed. Received: ids from "
                    f"{ids.min()} to {ids.max()}."
                )

    def get_config(self):
        return {**super().get_config(), **self._arguments}


def known(ids, size):
    """The ids, with the unknown token for those that there are not."""
    ids = ops.cast(ids, "int32")
    inside = ops.logical_and(ids >= 0, ids < size)
    return ops.where(inside, ids, UNKNOWN_ID)
