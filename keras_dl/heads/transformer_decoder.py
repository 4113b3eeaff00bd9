"""The head that writes: a Transformer decoder on an encoder's outputs."""

import keras
from keras import ops

from keras_dl.checks import check_integer
from keras_dl.heads.tied_head import TiedHead
from keras_dl.layers import (
    LearnedPositions,
    SinusoidPositions,
    TransformerDecoderBlock,
    combine_masks,
)
from keras_dl.layers.attention.decoder_steps import next_step, start_steps
from keras_dl.layers.lookup import looked_up
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import Perplexity, TokenAccuracy
from keras_dl.models.ranges import check_classes, check_ids


@keras.saving.register_keras_serializable("keras_dl")
class TransformerDecoder(TiedHead):
    """Writes tokens one after another, from what the encoder read.

        x_t = W drop(norm(E[token_t] + P[t])) + c
        h = decoder blocks over x, with the encoder's outputs as memory
        logits_t = E (V h_t + d) + b

    `E` is the encoder's token embedding, on the way in and out; `P`, the
    normalization and all else are the decoder's own. `W` and `V` are there
    only if the encoder has an `embedding_dim` of its own.

    It serves twice. In pre-training it predicts a fragment that is hidden
    from the encoder (MASS): `keras_dl.text.FragmentDecoding` makes the inputs
    and targets. Then it writes one text from another: the same head goes on
    with pairs, such as those of `keras_dl.text.TeacherForcingBatches`, and
    `keras_dl.generate(model, sources)` writes with a model that has no other
    head, by a cache of keys and values.

    **Shapes.** Inputs `"decoder_ids"`, `(batch, length)`, the token before
    each that is to be predicted; `"decoder_positions"`, of the same shape,
    where these stand in the text (0, 1, 2, ... by default); `"memory_mask"`,
    `(batch, time)`, which outputs of the encoder may be seen beside the
    padding mask (all by default). To logits
    `(batch, length, vocabulary_size)`; targets are token ids
    `(batch, length)`, the encoder's `pad_id` where there is none.

    **Masking.** No position sees a later one. The encoder's padding, and what
    `"memory_mask"` hides, has no effect.

    **Loss, metrics.** Crossentropy, accuracy and perplexity of the tokens
    that are no padding.

    Args:
        num_layers: Number of blocks; as the encoder has by default.
        num_heads: Number of attention heads; as the encoder's by default.
        intermediate_dim: Width of the feed-forward networks; as the
            encoder's by default.
        start_id: Id that `keras_dl.generate` begins with.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed.

    Example: a decoder that is to write texts in capitals.

    >>> v = keras_dl.text.CharacterVocabulary(list("abcABC"))
    >>> batches = keras_dl.text.TeacherForcingBatches(
    ...     ["ab", "cab", "abba"], ["AB", "CAB", "ABBA"], v, v, batch_size=3
    ... )
    >>> encoder = keras_dl.applications.BERT(v.size, 1, 16, 2, 32)
    >>> writer = keras_dl.applications.TaskModel(encoder, TransformerDecoder())
    >>> writer.compile(keras.optimizers.AdamW(1e-3))
    >>> history = writer.fit(batches, verbose=0)
    >>> text = keras_dl.generate(writer, "bc", 4, search="beam", vocabulary=v)
    >>> isinstance(text, str)
    True

    One that was an objective of pre-training goes on as a writer:

    >>> objectives = {"fragment": TransformerDecoder()}
    >>> model = keras_dl.applications.TaskModel(encoder, objectives)
    >>> head = model.heads["fragment"]
    >>> writer = keras_dl.applications.TaskModel(encoder, head)

    Reference:
        Song et al., "MASS: Masked Sequence to Sequence Pre-training for
        Language Generation", 2019. As in its code, which has two variants,
        the two sides have positions of their own and share the token
        embedding. Where it differs: blocks are those of the encoder, and
        embeddings are not scaled.
    """

    inputs = ("decoder_ids", "decoder_positions", "memory_mask")
    optional = ("decoder_positions", "memory_mask")
    looks_up_tokens = True

    def __init__(
        self,
        num_layers=None,
        num_heads=None,
        intermediate_dim=None,
        start_id=2,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._sizes = {
            "num_layers": num_layers,
            "num_heads": num_heads,
            "intermediate_dim": intermediate_dim,
        }
        for name, value in self._sizes.items():
            if value is not None:
                check_integer(name, value, 1)
        self.start_id = check_integer("start_id", start_id, 0)

    def attach(self, encoder):
        check_integer("start_id", self.start_id, 0, encoder.vocabulary_size - 1)
        self.pad_id = encoder.pad_id
        size, dim = encoder.embedding_dim, encoder.hidden_dim
        self.positions = self._positions(encoder)
        self.positions.build((None, None, size))
        self.embedding_norm = self._norm(encoder, size, "embedding_norm")
        self.drop = keras.layers.Dropout(
            encoder.dropout, dtype=self.dtype_policy
        )
        self.embedding_projection = self._between(
            encoder, size, dim, "embedding_projection"
        )
        self.blocks = self._blocks(encoder)
        self.output_projection = self._between(
            encoder, dim, size, "output_projection"
        )
        super().attach(encoder)

    def _positions(self, encoder):
        """Learned ones, as far as the encoder reads."""
        if encoder.max_sequence_length is None:
            return SinusoidPositions(dtype=self.dtype_policy, name="positions")
        return LearnedPositions(
            encoder.max_sequence_length,
            initializer=encoder.initializer(),
            dtype=self.dtype_policy,
            name="positions",
        )

    def _between(self, encoder, size, units, name):
        """A dense layer from one size to the other, if they differ."""
        if size == units:
            return None
        return self._dense(encoder, size, units, name, dtype=self.dtype_policy)

    def _blocks(self, encoder):
        sizes = {
            name: value or getattr(encoder, name)
            for name, value in self._sizes.items()
        }
        sizes["intermediate_dim"] = (
            sizes["intermediate_dim"] or 4 * encoder.hidden_dim
        )
        for name, value in sizes.items():
            if isinstance(value, tuple):
                raise ValueError(
                    f"`{name}` of a TransformerDecoder must be given on an "
                    f"encoder whose blocks differ. Received: {name}={value} "
                    "of the encoder."
                )
        blocks = [
            TransformerDecoderBlock(
                sizes["num_heads"],
                sizes["intermediate_dim"],
                dropout=encoder.dropout,
                attention_dropout=encoder.attention_dropout,
                activation=encoder.activation,
                layer_norm_epsilon=encoder.layer_norm_epsilon,
                kernel_initializer=encoder.initializer(),
                dtype=self.dtype_policy,
                name=f"block_{i + 1}",
            )
            for i in range(sizes["num_layers"])
        ]
        for block in blocks:
            block.build(
                (None, None, encoder.hidden_dim),
                (None, None, encoder.hidden_dim),
            )
        return blocks

    def call(self, outputs, inputs, encoder, training=None):
        memory = outputs["sequence_output"]
        seen = combine_masks(inputs["padding_mask"], inputs.get("memory_mask"))
        positions = inputs.get("decoder_positions")
        x = self._embed(inputs["decoder_ids"], positions, encoder, training)
        for block in self.blocks:
            x = block(x, memory, memory_mask=seen, training=training)
        return self._logits(x, encoder)

    def check_arrays(self, inputs, encoder):
        super().check_arrays(inputs, encoder)
        ids = inputs.get("decoder_ids")
        check_ids("decoder_ids", ids, 0, encoder.vocabulary_size)

    def check_targets(self, name, y, inputs, encoder, sample_weight=None):
        check_classes(name, y, encoder.vocabulary_size, sample_weight)

    def start(self, memory, mask, length):
        """The state of writing at most `length` tokens from a memory."""
        return start_steps(self.blocks, memory, mask, length)

    def step(self, tokens, state, encoder):
        """Reads one more token of each row: the next logits, and the state."""
        at = ops.reshape(state["index"], (1, 1))
        x = self._embed(tokens[:, None], at, encoder)
        x, state = next_step(self.blocks, x, state)
        return self._logits(x, encoder)[:, 0], state

    def _embed(self, ids, positions, encoder, training=False):
        x = looked_up(encoder.token_embedding, ids, encoder.vocabulary_size)
        x = self.positions(x, positions=positions)
        x = self.drop(self.embedding_norm(x), training=training)
        if self.embedding_projection is not None:
            x = self.embedding_projection(x)
        return x

    def _logits(self, x, encoder):
        if self.output_projection is not None:
            x = self.output_projection(x)
        return super()._logits(x, encoder)

    def default_loss(self):
        return LabelSmoothedCrossentropy(ignore_class=self.pad_id)

    def default_metrics(self):
        return [
            TokenAccuracy(self.pad_id, name="accuracy"),
            Perplexity(ignore_class=self.pad_id),
        ]

    def get_config(self):
        return {
            **super().get_config(),
            **self._sizes,
            "start_id": self.start_id,
        }
