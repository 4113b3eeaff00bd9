"""The Transformer: encoder with decoder, and the decoder alone."""

import collections

import keras
from keras import ops

from keras_dl.applications.bases.embedded_model import EmbeddedModel
from keras_dl.checks import check_integer, check_rate
from keras_dl.generation.steps import to_the_left
from keras_dl.layers import TransformerDecoderBlock, TransformerEncoderBlock
from keras_dl.layers.attention.decoder_steps import next_step, start_steps
from keras_dl.models.features import stack_paths


@keras.saving.register_keras_serializable("keras_dl")
class Transformer(EmbeddedModel):
    """Encoder and decoder of the paper "Attention is all you need".

        memory = encoder blocks over sqrt(d) E[source] + positions
        h = decoder blocks over sqrt(d) E[target_in] + positions, memory
        p(y_t | y_1 ... y_{t-1}, source) = softmax(E h_t)

    With one vocabulary for both sides, the paper's choice, one matrix E
    serves source, target and output. `Transformer.base` and `Transformer.big`
    are the paper's two sizes.

    **Shapes.** A pair of ids, source `(batch, time_s)` and the target moved
    on by one, `(batch, time_t)`, to logits `(batch, time_t, vocabulary_size)`.
    `keras_dl.text.TeacherForcingBatches` yields such pairs.

    **Masking.** Padding (id 0) on either side has no effect, and no position
    sees later ones of the target. The default loss leaves out positions whose
    target is the padding.

    `keras_dl.generate(model, sources, ...)` writes targets, from `start_id`
    on, with a cache of keys and values.

    Args:
        vocabulary_size: Number of ids of the target.
        source_vocabulary_size: Number of ids of the source. By default the
            two share one vocabulary, and one embedding.
        num_layers: Number of blocks on each side.
        hidden_dim: Size of the vectors.
        num_heads: Number of attention heads.
        intermediate_dim: Width of the feed-forward networks.
        dropout: Share to drop, in [0, 1).
        activation: Activation of the feed-forward networks.
        norm_first: Whether blocks normalize before their parts (pre-norm).
        attention_bias: Whether projections of the attention have biases.
        positions: `"sinusoid"` or `"learned"`.
        max_sequence_length: Number of positions; no limit by default.
        start_id: Id before the first token of a target.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: Pair of integer tensors, `(source, target_in)`.
        training: Whether dropout is active.

    Raises:
        ValueError: If an argument is not allowed, or inputs are longer than
            `max_sequence_length`.

    Example:

    >>> model = Transformer(100, num_layers=1, hidden_dim=32, num_heads=2)
    >>> model.compile(
    ...     keras.optimizers.Adam(
    ...         keras_dl.optimizers.Noam(32), beta_2=0.98, epsilon=1e-9
    ...     ),
    ...     keras_dl.losses.LabelSmoothedCrossentropy(0.1, ignore_class=0),
    ... )
    >>> source, target = np.ones((2, 7), "int32"), np.ones((2, 5), "int32")
    >>> model((source, target)).shape
    (2, 5, 100)

    Reference:
        Vaswani et al., "Attention is all you need", 2017. Its tables count
        63,045,632 parameters for base and 214,171,648 for big, with 37,000
        tokens, rounded to 65 and 213 million.
    """

    reads_source = True

    def __init__(
        self,
        vocabulary_size,
        source_vocabulary_size=None,
        num_layers=6,
        hidden_dim=512,
        num_heads=8,
        intermediate_dim=2048,
        dropout=0.1,
        activation="relu",
        norm_first=False,
        attention_bias=False,
        positions="sinusoid",
        max_sequence_length=None,
        start_id=2,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._remember(
            vocabulary_size=check_integer(
                "vocabulary_size", vocabulary_size, 2
            ),
            source_vocabulary_size=source_vocabulary_size,
            num_layers=check_integer("num_layers", num_layers, 1),
            hidden_dim=check_integer("hidden_dim", hidden_dim, 2),
            num_heads=check_integer("num_heads", num_heads, 1),
            intermediate_dim=intermediate_dim,
            dropout=check_rate("dropout", dropout),
            activation=activation,
            norm_first=norm_first,
            attention_bias=attention_bias,
            positions=positions,
            max_sequence_length=max_sequence_length,
            start_id=check_integer(
                "start_id", start_id, 0, vocabulary_size - 1
            ),
        )
        self._check_sizes()
        shared = source_vocabulary_size is None
        if not shared:
            check_integer("source_vocabulary_size", source_vocabulary_size, 2)
        self.embedding = self._embedding(vocabulary_size, "embedding")
        self.source_embedding = (
            self.embedding
            if shared
            else self._embedding(source_vocabulary_size, "source_embedding")
        )
        self.source_positions = self._positions("source_positions")
        self.target_positions = self._positions("target_positions")
        self.encoder = self._blocks(
            TransformerEncoderBlock, num_layers, "encoder"
        )
        self.decoder = self._blocks(
            TransformerDecoderBlock, num_layers, "decoder"
        )
        self.encoder_norm = self._norm("encoder_norm")
        self.decoder_norm = self._norm("decoder_norm")
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    @classmethod
    def base(cls, vocabulary_size, **kwargs):
        """The paper's base model: 6 blocks, 512 wide, 8 heads."""
        return cls(vocabulary_size, **kwargs)

    @classmethod
    def big(cls, vocabulary_size, **kwargs):
        """The paper's big model: 6 blocks, 1024 wide, 16 heads."""
        sizes = {
            "hidden_dim": 1024,
            "num_heads": 16,
            "intermediate_dim": 4096,
            "dropout": 0.3,
        }
        return cls(vocabulary_size, **{**sizes, **kwargs})

    @property
    def input_sizes(self):
        """Sizes of the vocabularies of source and target."""
        own = self.source_vocabulary_size or self.vocabulary_size
        return own, self.vocabulary_size

    def build(self, input_shape):
        source, target = input_shape
        wide, narrow = (*target, self.hidden_dim), (*source, self.hidden_dim)
        self.embedding.build(target)
        if self.source_embedding is not self.embedding:
            self.source_embedding.build(source)
        self.source_positions.build(narrow)
        self.target_positions.build(wide)
        for block in self.encoder:
            block.build(narrow)
        for block in self.decoder:
            block.build(wide, narrow)
        for norm in filter(None, (self.encoder_norm, self.decoder_norm)):
            norm.build(wide)
        self.built = True

    def call(self, inputs, training=None):
        source, target = inputs
        self._check_length(source.shape, target.shape)
        memory, mask = self.encode(source, training)
        x = self._embed_target(target, training=training)
        real = ops.not_equal(target, 0)
        for block in self.decoder:
            x = block(
                x,
                memory,
                inputs_mask=real,
                memory_mask=mask,
                training=training,
            )
        return self._logits(x)

    def encode(self, source, training=None):
        """The memory and its mask."""
        mask = ops.not_equal(source, 0)
        x = self._embed(
            self.source_embedding,
            self.source_positions,
            source,
            self.input_sizes[0],
            training=training,
        )
        for block in self.encoder:
            x = block(x, mask=mask, training=training)
        return x if self.encoder_norm is None else self.encoder_norm(x), mask

    def _embed_target(self, target, at=None, training=None):
        return self._embed(
            self.embedding,
            self.target_positions,
            target,
            self.vocabulary_size,
            at,
            training,
        )

    def _logits(self, x):
        if self.decoder_norm is not None:
            x = self.decoder_norm(x)
        return self.embedding(x, reverse=True)

    def feature_paths(self):
        """Standard names of features: see `keras_dl.models.taps`."""
        names, lookups = {}, collections.Counter()
        sides = zip(("encoder", "decoder"), self.embedding_paths(), strict=True)
        for side, embedding in sides:
            # A shared embedding is called once for each side.
            names[f"{side}_embeddings"] = f"{embedding}@{lookups[embedding]}"
            lookups[embedding] += 1
            blocks = [f"{side}/{i}" for i in range(self.num_layers)]
            names.update(stack_paths(self, blocks, f"{side}_"))
        for i, block in enumerate(blocks):
            for what in ("weights", "logits"):
                path = f"{block}/memory_attention:{what}"
                names[f"memory_attention_{what}/{i}"] = path
        return names

    def embedding_paths(self):
        """Where tokens are looked up: see `keras_dl.models.embed`."""
        shared = self.source_embedding is self.embedding
        return ["embedding" if shared else "source_embedding", "embedding"]

    def prefill(self, prompts, mask, length):
        """Reads sources, padded on the left; see `keras_dl.generate`."""
        source, _ = to_the_left(prompts, mask)
        memory, mask = self.encode(source)
        state = start_steps(self.decoder, memory, mask, length)
        start = ops.full((ops.shape(prompts)[0],), self.start_id, dtype="int32")
        return self.decode_step(start, state)

    def decode_step(self, tokens, state):
        """Reads one more token of each target."""
        at = ops.reshape(state["index"], (1, 1))
        x = self._embed_target(tokens[:, None], at)
        x, state = next_step(self.decoder, x, state)
        return self._logits(x)[:, 0], state

    def compute_output_shape(self, input_shape):
        return (*input_shape[1], self.vocabulary_size)


@keras.saving.register_keras_serializable("keras_dl")
class TransformerLanguageModel(EmbeddedModel):
    """The decoder alone, as a language model.

        h = causal blocks over sqrt(d) E[w] + positions
        p(w_{t+1} | w_1 ... w_t) = softmax(E h_t)

    **Shapes.** Ids `(batch, time)` to logits `(batch, time, vocabulary_size)`.

    **Masking.** No position sees later ones. The default loss leaves out
    positions whose target is the padding, id 0; so pad on the right.

    `keras_dl.generate(model, ...)` continues prompts, with a cache of keys
    and values.

    Args:
        vocabulary_size: Number of token ids.
        num_layers: Number of blocks.
        hidden_dim: Size of the vectors.
        num_heads: Number of attention heads.
        intermediate_dim: Width of the feed-forward networks; 4 `hidden_dim` by
            default.
        dropout: Share to drop, in [0, 1).
        activation: Activation of the feed-forward networks.
        norm_first: Whether blocks normalize before their parts (pre-norm).
        attention_bias: Whether projections of the attention have biases.
        positions: `"sinusoid"` or `"learned"`.
        max_sequence_length: Number of positions; no limit by default.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: Integer tensor of shape `(batch, time)`.
        training: Whether dropout is active.

    Raises:
        ValueError: If an argument is not allowed, or inputs are longer than
            `max_sequence_length`.

    Example: a model that learns to count to three.

    >>> keras.utils.set_random_seed(0)
    >>> vocabulary = keras_dl.text.CharacterVocabulary(["1", "2", "3"])
    >>> ids = vocabulary.encode("123" * 40)
    >>> batches = keras_dl.text.LanguageModelBatches(ids, 8, batch_size=4)
    >>> model = TransformerLanguageModel(
    ...     vocabulary.size, 1, 16, 2, dropout=0.0
    ... )
    >>> model.compile(keras.optimizers.Adam(0.03))
    >>> history = model.fit(batches, epochs=10, verbose=0)
    >>> keras_dl.generate(model, "12", 6, vocabulary=vocabulary)
    '312312'

    Reference:
        Liu et al., "Generating Wikipedia by summarizing long sequences",
        2018; Radford et al., "Improving language understanding by generative
        pre-training", 2018, with learned positions and GELU.
    """

    def __init__(
        self,
        vocabulary_size,
        num_layers=6,
        hidden_dim=512,
        num_heads=8,
        intermediate_dim=None,
        dropout=0.1,
        activation="gelu",
        norm_first=True,
        attention_bias=True,
        positions="sinusoid",
        max_sequence_length=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._remember(
            vocabulary_size=check_integer(
                "vocabulary_size", vocabulary_size, 2
            ),
            num_layers=check_integer("num_layers", num_layers, 1),
            hidden_dim=check_integer("hidden_dim", hidden_dim, 2),
            num_heads=check_integer("num_heads", num_heads, 1),
            intermediate_dim=intermediate_dim or 4 * hidden_dim,
            dropout=check_rate("dropout", dropout),
            activation=activation,
            norm_first=norm_first,
            attention_bias=attention_bias,
            positions=positions,
            max_sequence_length=max_sequence_length,
        )
        self._check_sizes()
        self.embedding = self._embedding(vocabulary_size, "embedding")
        self.position = self._positions("position")
        self.blocks = self._blocks(TransformerEncoderBlock, num_layers, "block")
        self.norm = self._norm("norm")
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape):
        wide = (*input_shape, self.hidden_dim)
        self.embedding.build(input_shape)
        self.position.build(wide)
        for block in self.blocks:
            block.build(wide)
        if self.norm is not None:
            self.norm.build(wide)
        self.built = True

    def call(self, inputs, training=None):
        self._check_length(inputs.shape)
        x = self._embed_at(inputs, training=training)
        for block in self.blocks:
            x = block(x, use_causal_mask=True, training=training)
        return self._logits(x)

    def _embed_at(self, ids, at=None, training=None):
        return self._embed(
            self.embedding,
            self.position,
            ids,
            self.vocabulary_size,
            at,
            training,
        )

    def _logits(self, x):
        return self.embedding(
            x if self.norm is None else self.norm(x), reverse=True
        )

    def feature_paths(self):
        """Standard names of features: see `keras_dl.models.taps`."""
        blocks = [f"blocks/{i}" for i in range(self.num_layers)]
        names = stack_paths(self, blocks)
        # Its second call makes the logits.
        return {**names, "embeddings": "embedding@0"}

    def embedding_paths(self):
        """Where tokens are looked up: see `keras_dl.models.embed`."""
        return ["embedding"]

    def prefill(self, prompts, mask, length):
        """Reads prompts, padded on the left; see `keras_dl.generate`."""
        batch, width = ops.shape(prompts)[0], prompts.shape[1]
        mask = ops.cast(mask, "bool")
        state = {
            "caches": [b.empty_cache(batch, length) for b in self.blocks],
            "visible": ops.pad(
                mask, ((0, 0), (0, length - width)), constant_values=True
            ),
            "padding": width - ops.sum(ops.cast(mask, "int32"), axis=1),
            "index": ops.zeros((), dtype="int32"),
        }
        logits, state = self._read(prompts, state)
        return logits, state

    def decode_step(self, tokens, state):
        """Reads one more token of each row."""
        return self._read(tokens[:, None], state)

    def _read(self, ids, state):
        index, steps = state["index"], ids.shape[1]
        at = ops.arange(steps, dtype="int32")[None] + index
        at = ops.maximum(at - state["padding"][:, None], 0)
        x, caches = self._embed_at(ids, at), []
        for block, cache in zip(self.blocks, state["caches"], strict=True):
            x, cache = block(
                x,
                attention_mask=state["visible"][:, None, :],
                use_causal_mask=True,
                cache=cache,
                index=index,
            )
            caches.append(cache)
        state = {**state, "caches": caches, "index": index + steps}
        return self._logits(x[:, -1:])[:, 0], state

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.vocabulary_size)
