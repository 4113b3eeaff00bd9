"""`Encoder`: what heads need of a body that reads texts."""

import keras
from keras import ops

from keras_dl.models.checked_data import run_checked
from keras_dl.models.ranges import check_ids
from keras_dl.models.restored import RestoredModel
from keras_dl.models.serialization import ConfiguredModel


class Encoder(RestoredModel, ConfiguredModel):
    """A model that reads texts, and leaves it to heads to say what of them.

    Whatever is an `Encoder` takes every head of `keras_dl.heads` in a
    `keras_dl.applications.TaskModel`: `keras_dl.applications.BERT`,
    `LSTMEncoder` and `TransformerEncoder` are, and `BackboneEncoder` makes one
    of a backbone of keras-hub.

    A subclass sets the attributes below, those without a default at least,
    and writes `call`, which takes what `read` returns and gives a dict with
    `"sequence_output"`, `(batch, time, hidden_dim)`, and, if it `pools`,
    `"pooled_output"`, `(batch, pooled_dim)`.

    Its variables are made in `__init__`, so that heads can be put on it.

    Attributes:
        vocabulary_size: Number of token ids.
        hidden_dim: Size of the vectors of the sequence output.
        pooled_dim: Size of the pooled output; `hidden_dim` by default.
        pools: Whether there is a pooled output.
        token_embedding: The layer that looks up tokens, with `embeddings`, a
            `(vocabulary_size, embedding_dim)` matrix: heads that write tokens
            share it.
        embedding_dim: Size of its vectors; `hidden_dim` by default.
        pad_id: Id of the padding.
        max_sequence_length: Number of tokens that a text can have; `None`: no
            limit.
        input_names: What inputs can be called.
        num_segments: Number of segment ids; 0: it reads no segments.
        num_layers, num_heads, intermediate_dim: Sizes that a
            `TransformerDecoder` has too if it is not told others.
        dropout, attention_dropout, activation, layer_norm_epsilon: Likewise,
            for what is inside heads.
        entity_stream: `keras_dl.layers.EntityStream`, or `None`.
    """

    pools = True
    pad_id = 0
    max_sequence_length = None
    input_names = ("token_ids", "padding_mask")
    num_segments = 0
    num_heads = 4
    intermediate_dim = None
    dropout = 0.1
    attention_dropout = None
    activation = "gelu"
    layer_norm_epsilon = 1e-12
    initializer_range = 0.02

    def __init__(self, **kwargs):
        # Ids may come as floats, which half precision would round.
        super().__init__(autocast=False, **kwargs)
        # No class attribute: on PyTorch it would hide the layer.
        self.entity_stream = None

    @property
    def pooled_dim(self):
        """Size of the pooled output."""
        return self.hidden_dim

    def initializer(self):
        """A new initializer for the kernels of heads."""
        return keras.initializers.TruncatedNormal(stddev=self.initializer_range)

    def read(self, inputs):
        """The inputs as a dict, of names that there are, with the mask.

        Args:
            inputs: Token ids, or a dict with `"token_ids"`.

        Returns:
            A dict, with the boolean `"padding_mask"`, true for real tokens.

        Raises:
            ValueError: If a name is not one of `input_names`.
        """
        if not isinstance(inputs, dict):
            inputs = {"token_ids": inputs}
        if "token_ids" not in inputs or not set(inputs) <= set(
            self.input_names
        ):
            others = [name for name in self.input_names if name != "token_ids"]
            raise ValueError(
                "`inputs` must be token ids, or a dict with 'token_ids' and "
                f"any of {others}. Received: {sorted(inputs)}."
            )
        real = inputs.get("padding_mask")
        if real is None:
            real = ops.not_equal(inputs["token_ids"], self.pad_id)
        return {**inputs, "padding_mask": ops.cast(real, "bool")}

    def padding_mask(self, inputs):
        """Which tokens are real, `(batch, time)`."""
        return self.read(inputs)["padding_mask"]

    def check_arrays(self, inputs):
        """Refuses arrays with ids that do not exist, and texts too long."""
        ids = self.read(inputs)["token_ids"]
        check_ids("token_ids", ids, 0, self.vocabulary_size)
        check_length("token_ids", ids, self.max_sequence_length)

    def layer_groups(self):
        """Lists of its layers, the lowest first: embeddings, blocks, pooler.

        The last is what the pooled output alone needs, and may be empty.
        """
        raise NotImplementedError

    def remove_blocks(self, layers):
        """Removes blocks for good: see `keras_dl.compression.remove_layers`."""
        raise ValueError(
            f"Blocks of a {type(self).__name__} cannot be removed: those of "
            "keras_dl.applications.BERT and TransformerEncoder can."
        )

    def compile(self, *args, **kwargs):
        raise TypeError(
            f"A {type(self).__name__} is an encoder, without an output to "
            "compare with targets. Put heads on it: "
            "keras_dl.applications.TaskModel(encoder, heads)."
        )

    def predict(self, x, *args, **kwargs):
        """As `keras.Model.predict`, with a check of the ids."""
        return run_checked(
            lambda x, *_: self.check_arrays(x),
            super().predict,
            x,
            *args,
            **kwargs,
        )


def check_length(name, ids, limit):
    """Refuses an array of texts with more tokens than the limit."""
    if limit is not None and ids.shape[-1] and ids.shape[-1] > limit:
        raise ValueError(
            f"Texts must have at most max_sequence_length={limit} tokens. "
            f"Received: {name} of shape {tuple(ids.shape)}."
        )


POOLINGS = ("first", "last", "mean", "max")


def pool(sequence, real, pooling):
    """One vector of each text, of those of its real tokens.

    Args:
        sequence: Tensor of shape `(batch, time, size)`.
        real: Boolean mask, `(batch, time)`.
        pooling: `"first"` or `"last"` real token, `"mean"` or `"max"`.

    Returns:
        Tensor of shape `(batch, size)`; of a text without real tokens the
        first vector, or zeros.
    """
    if pooling in ("first", "last"):
        steps = ops.arange(ops.shape(real)[1], dtype="int32")
        if pooling == "first":
            at = ops.argmax(real, axis=1)
        else:
            at = ops.max(ops.where(real, steps, 0), axis=1)
        at = ops.cast(at, "int32")[:, None, None]
        return ops.squeeze(ops.take_along_axis(sequence, at, axis=1), 1)
    real = ops.expand_dims(real, -1)
    if pooling == "mean":
        total = ops.sum(ops.where(real, sequence, 0), axis=1)
        count = ops.sum(ops.cast(real, sequence.dtype), axis=1)
        return total / ops.maximum(count, 1)
    largest = ops.max(ops.where(real, sequence, -6e4), axis=1)
    return ops.where(ops.any(real, axis=1), largest, 0)
