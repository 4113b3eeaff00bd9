"""What the models of token ids have in common."""

import numpy as np
from keras import ops

from keras_dl.applications.bases.portable import PortableModel
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import Perplexity

UNKNOWN_ID = 1


class TokenModel(PortableModel):
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

    def compile(self, optimizer="adam", loss=None, *, metrics=None, **kwargs):
        """Prepares for training, by default as a model of tokens needs it.

        Args:
            optimizer: Optimizer, or its name.
            loss: Loss of the logits. By default
                `keras_dl.losses.LabelSmoothedCrossentropy`, without
                smoothing; padding (id 0) counts for nothing.
            metrics: By default `keras_dl.metrics.Perplexity`; `[]`: none.
            **kwargs: Further arguments of `keras.Model.compile`.
        """
        if loss is None:
            loss = LabelSmoothedCrossentropy(ignore_class=0)
        if metrics is None:
            metrics = [Perplexity(ignore_class=0)]
        super().compile(
            optimizer=optimizer, loss=loss, metrics=metrics, **kwargs
        )

    def fit(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.fit`, with a check of the ids in arrays."""
        self._check_arrays(x, y)
        return super().fit(x, y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.evaluate`, with a check of the ids in arrays."""
        self._check_arrays(x, y)
        return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """As `keras.Model.predict`, with a check of the ids in arrays."""
        self._check_arrays(x)
        return super().predict(x, *args, **kwargs)

    def _check_arrays(self, x, y=None):
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

    def _build_for(self, inputs):
        """Makes the variables where a model has not been called yet."""
        if not self.built:
            self.build([tuple(part.shape) for part in inputs])

    def get_config(self):
        return {**super().get_config(), **self._arguments}


def known(ids, size):
    """The ids, with the unknown token for those that there are not."""
    ids = ops.cast(ids, "int32")
    inside = ops.logical_and(ids >= 0, ids < size)
    return ops.where(inside, ids, UNKNOWN_ID)
