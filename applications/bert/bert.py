"""BERT: one encoder, which its whole family configures."""

import functools

import keras
from keras import ops

from keras_dl.applications.bases.block_stack import BlockStack
from keras_dl.applications.bert import arguments as bert_arguments
from keras_dl.applications.bert import inputs as bert_inputs
from keras_dl.applications.bert.files import PublishedModel
from keras_dl.checks import per_layer
from keras_dl.layers import (
    Dense,
    EntityFusionBlock,
    LearnedPositions,
    TransformerEncoderBlock,
)
from keras_dl.layers.attention.entity_fusion import NO_ENTITY
from keras_dl.layers.lookup import looked_up
from keras_dl.models.features import stack_paths


@keras.saving.register_keras_serializable("keras_dl")
class BERT(BlockStack, PublishedModel):
    """Transformer encoder that reads a text in both directions.

        x_t = drop(norm(E[token_t] + P[t] + S[segment_t]))
        h = blocks(W x + b)
        pooled = tanh(W_p h_0 + b_p)

    `W`, `b` only if `embedding_dim` is given. What tells the members of the
    family apart is configuration; `BERT.of_size` knows the published ones:

    | model      | differs in                                                |
    |------------|-----------------------------------------------------------|
    | BERT       |                                                           |
    | RoBERTa    | `num_segments=1`, `pad_id=1`, `first_position=2`; so do   |
    |            | XLM-RoBERTa and CamemBERT                                 |
    | ALBERT     | `embedding_dim=128`, `num_distinct_layers=1`, `gelu_tanh` |
    | DistilBERT | half the layers, `num_segments=0`, `pooler=None`          |
    | ELECTRA    | `embedding_dim=128`, `pooler=None`                        |
    | TinyBERT   | 4 layers of 312, or 6 of 768                              |
    | UniLM      | `num_segments=6`, and the input `"attention_pattern"`     |
    | ERNIE      | `entity_stream`, and the input `"entity_ids"` (Zhang)     |

    **Shapes.** Ids `(batch, time)` to a dict: `"sequence_output"`,
    `(batch, time, hidden_dim)`; with a pooler, `"pooled_output"`,
    `(batch, hidden_dim)`; and `"entity_output"`, `(batch, time, dim of the
    entities)`, if the entity stream returns it.

    **Masking.** Padding has no effect on real tokens. What a token may see can
    be narrowed down further by `"attention_mask"`, and row by row by
    `"attention_pattern"`: 0 bidirectional, 1 left to right, 2 right to left, 3
    sequence to sequence; see `keras_dl.layers.attention_pattern_mask`. In the
    last, segments of odd numbers are the target, those of even ones the
    source. What a mask hides has no effect, except where it is NaN. Outputs of
    padding mean nothing.

    **Looking inside.** `keras_dl.models.features` gives `"hidden_states/0"`,
    what goes into the first block, those that come out of each, and
    `"attention_weights/0"`, those of the tokens in the first block.

    **Ids out of range.** `fit`, `evaluate` and `predict` refuse data that hold
    them by name, arrays and batches alike. In a call an id of a token, segment,
    pattern or entity that does not exist makes the outputs of its text NaN.

    Args:
        vocabulary_size: Number of token ids.
        num_layers: Number of blocks.
        hidden_dim: Size of the vectors between blocks.
        num_heads: Number of attention heads; of blocks that differ, as after
            pruning, a list with one number for each distinct layer.
        intermediate_dim: Width of the feed-forward networks, or a list.
        max_sequence_length: Number of tokens that a text can have.
        num_segments: Number of segment ids; 0 for a model without segments.
        embedding_dim: Size of the embeddings, if it is not `hidden_dim`: a
            product then leads to `hidden_dim` (factorized embedding).
        num_distinct_layers: Number of blocks with weights of their own; as
            `num_layers` by default. Each is applied several times in
            succession (cross-layer sharing).
        pooler: Activation of the dense layer on the first token, or `None`
            for a model without one.
        dropout: Share to drop of embeddings and of what blocks add.
        attention_dropout: Share to drop of attention weights; as `dropout` by
            default.
        activation: Activation of the feed-forward networks: `"gelu"` (exact),
            `"gelu_tanh"`, or any of Keras.
        pad_id: Id of the padding; `None`: all tokens are real, but for those
            that a `"padding_mask"` hides.
        first_position: Position of the first token. If it is not 0, positions
            count real tokens alone, as RoBERTa's do.
        layer_norm_epsilon: Added to the variances.
        initializer_range: Standard deviation of the initial kernels and
            embeddings, of a normal distribution cut off at two of them.
        entity_stream: `keras_dl.layers.EntityStream`: entities that the last
            blocks read beside the tokens.
        head_dim: Size of each head; `hidden_dim / num_heads` by default, and
            needed if `num_heads` is a list.
        model_type: Name of the published family that `to_hugging_face` writes
            it as, such as `"camembert"`; by default what the other arguments
            come to. One that was read has its own.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: Integer tensor of token ids, or a dict with `"token_ids"` and
            any of `"segment_ids"` (zeros by default), `"padding_mask"` (true
            for real tokens; `token_ids != pad_id` by default),
            `"attention_mask"` (`(batch, time, time)`, true where a token may
            see another), `"attention_pattern"` (integers `(batch,)`) and
            `"entity_ids"` (at the first token of a mention its entity,
            elsewhere -1).
        training: Whether dropout is active.

    Raises:
        TypeError: If `entity_stream` is something else.
        ValueError: If an argument is not allowed, inputs have unknown names,
            ids are out of range, or a text is longer than
            `max_sequence_length`.

    Example:

    >>> encoder = BERT.of_size("bert_tiny")
    >>> encoder.count_params()
    4385920
    >>> encoder(np.ones((2, 5), "int32"))["pooled_output"].shape
    (2, 128)

    Reference:
        Devlin et al., "BERT: pre-training of deep bidirectional transformers
        for language understanding", 2019; Liu et al., "RoBERTa", 2019; Lan et
        al., "ALBERT", 2020; Sanh et al., "DistilBERT", 2019; Jiao et al.,
        "TinyBERT", 2020; Dong et al., "UniLM", 2019; Zhang et al., "ERNIE:
        enhanced language representation with informative entities", 2019.
        BERT's own code takes the tanh approximation of GELU, Hugging Face's
        the exact form, which is the default here.
    """

    input_names = bert_inputs.INPUTS

    def __init__(
        self,
        vocabulary_size,
        num_layers=12,
        hidden_dim=768,
        num_heads=12,
        intermediate_dim=3072,
        max_sequence_length=512,
        num_segments=2,
        embedding_dim=None,
        num_distinct_layers=None,
        pooler="tanh",
        dropout=0.1,
        attention_dropout=None,
        activation="gelu",
        pad_id=0,
        first_position=0,
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        entity_stream=None,
        head_dim=None,
        model_type=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        arguments = {
            "vocabulary_size": vocabulary_size,
            "num_layers": num_layers,
            "hidden_dim": hidden_dim,
            "num_heads": num_heads,
            "intermediate_dim": intermediate_dim,
            "max_sequence_length": max_sequence_length,
            "num_segments": num_segments,
            "embedding_dim": embedding_dim,
            "num_distinct_layers": num_distinct_layers,
            "pooler": pooler,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation": activation,
            "pad_id": pad_id,
            "first_position": first_position,
            "layer_norm_epsilon": layer_norm_epsilon,
            "initializer_range": initializer_range,
            "entity_stream": entity_stream,
            "head_dim": head_dim,
            "model_type": model_type,
        }
        self._arguments = tuple(arguments)
        for name, value in bert_arguments.checked(arguments).items():
            setattr(self, name, value)
        self._make_layers()
        self.build((None, None))

    def _make_layers(self):
        self.token_embedding = keras.layers.ReversibleEmbedding(
            self.vocabulary_size,
            self.embedding_dim,
            embeddings_initializer=self.initializer(),
            dtype=self.dtype_policy,
            name="token_embedding",
        )
        self.positions = LearnedPositions(
            self.first_position + self.max_sequence_length,
            initializer=self.initializer(),
            dtype=self.dtype_policy,
            name="positions",
        )
        self.segment_embedding = None
        if self.num_segments:
            self.segment_embedding = keras.layers.Embedding(
                self.num_segments,
                self.embedding_dim,
                embeddings_initializer=self.initializer(),
                dtype=self.dtype_policy,
                name="segment_embedding",
            )
        self.embedding_norm = keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon,
            dtype=self.dtype_policy,
            name="embedding_norm",
        )
        self.drop = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)
        self.embedding_projection = None
        if self.embedding_dim != self.hidden_dim:
            self.embedding_projection = self._dense(
                self.hidden_dim, "embedding_projection"
            )
        self.blocks = [
            self._block_maker(i)(
                per_layer(self.num_heads, i),
                per_layer(self.intermediate_dim, i),
                key_dim=self.head_dim,
                dropout=self.dropout,
                attention_dropout=self.attention_dropout,
                activation=self.activation,
                layer_norm_epsilon=self.layer_norm_epsilon,
                kernel_initializer=self.initializer(),
                dtype=self.dtype_policy,
                name=f"block_{i + 1}",
            )
            for i in range(self.num_distinct_layers)
        ]
        self.pooler_dense = None
        if self.pooler is not None:
            self.pooler_dense = self._dense(
                self.hidden_dim, "pooler", activation=self.pooler
            )

    def _block_maker(self, number):
        stream, last = self.entity_stream, self.num_layers - 1
        if stream is None or number <= last - stream.num_layers:
            return TransformerEncoderBlock
        return functools.partial(stream.block, is_last=number == last)

    def _dense(self, units, name, **kwargs):
        return Dense(
            units,
            kernel_initializer=self.initializer(),
            dtype=self.dtype_policy,
            name=name,
            **kwargs,
        )

    def build(self, input_shape):
        if self.built:
            return
        embedded = (None, None, self.embedding_dim)
        self.token_embedding.build((None, None))
        self.positions.build(embedded)
        if self.segment_embedding is not None:
            self.segment_embedding.build((None, None))
        self.embedding_norm.build(embedded)
        if self.embedding_projection is not None:
            self.embedding_projection.build(embedded)
        for block in self.blocks:
            shapes = [(None, None, self.hidden_dim)]
            if isinstance(block, EntityFusionBlock):
                shapes.append((None, None, self.entity_stream.dim))
            block.build(*shapes)
        if self.pooler_dense is not None:
            self.pooler_dense.build((None, self.hidden_dim))
        self.built = True

    def call(self, inputs, training=None):
        inputs = self.read(inputs)
        x = self.embed(
            inputs["token_ids"], inputs.get("segment_ids"), training=training
        )
        x, seen = bert_inputs.seen(x, inputs)
        stream = self._read_entities(inputs)
        for block in self._successive_blocks():
            results = block(
                x,
                **(stream if isinstance(block, EntityFusionBlock) else {}),
                mask=inputs["padding_mask"],
                attention_mask=seen,
                training=training,
            )
            if isinstance(results, tuple):
                x, stream["entities"] = results
            else:
                x = results
        results = {"sequence_output": x}
        if self.pooler_dense is not None:
            results["pooled_output"] = self.pooler_dense(x[:, 0])
        if self._returns_entities:
            results["entity_output"] = stream["entities"]
        return results

    def embed(self, token_ids, segment_ids=None, training=None):
        """What goes into the first block, `(batch, time, hidden_dim)`."""
        positions = None
        if self.first_position:
            real = ops.cast(ops.not_equal(token_ids, self.pad_id), "int32")
            positions = ops.cumsum(real, axis=1) * real
            positions = positions + (self.first_position - 1)
        x = looked_up(self.token_embedding, token_ids, self.vocabulary_size)
        x = self.positions(x, positions=positions)
        if self.segment_embedding is not None:
            if segment_ids is None:
                segment_ids = ops.zeros_like(token_ids)
            x = x + looked_up(
                self.segment_embedding, segment_ids, self.num_segments
            )
        x = self.drop(self.embedding_norm(x), training=training)
        if self.embedding_projection is not None:
            x = self.embedding_projection(x)
        return x

    @property
    def _returns_entities(self):
        stream = self.entity_stream
        return stream is not None and stream.returns_entities

    def _read_entities(self, inputs):
        """What a block that fuses reads beside the tokens."""
        if self.entity_stream is None:
            return {}
        ids = inputs.get("entity_ids")
        if ids is None:
            ids = ops.full_like(inputs["token_ids"], NO_ENTITY)
        vectors, there = self.entity_stream(ids)
        return {"entities": vectors, "entities_mask": there}

    def compute_output_spec(self, inputs, training=None):
        batch, time = self.read(inputs)["token_ids"].shape

        def spec(*shape):
            return keras.KerasTensor(shape, dtype=self.compute_dtype)

        sequence = (batch, time, self.hidden_dim)
        results = {"sequence_output": spec(*sequence)}
        if self.pooler_dense is not None:
            results["pooled_output"] = spec(batch, self.hidden_dim)
        if self._returns_entities:
            size = self.entity_stream.dim
            results["entity_output"] = spec(batch, time, size)
        return results

    def _successive_blocks(self):
        """The blocks in the order in which they are applied."""
        for i in range(self.num_layers):
            yield self.blocks[self._place(i)]

    def _place(self, i):
        """Which of the distinct blocks is applied as the one of number `i`."""
        return i * self.num_distinct_layers // self.num_layers

    def read(self, inputs):
        """The inputs as a dict, of names that there are, with the mask."""
        return bert_inputs.read(self, inputs)

    def check_arrays(self, inputs):
        """Refuses arrays with ids that do not exist, and texts too long."""
        bert_inputs.check_arrays(self, inputs)

    def remove_blocks(self, layers):
        """Removes blocks for good: see `keras_dl.compression.remove_layers`."""
        if self.entity_stream is not None:
            raise ValueError(
                f"Blocks of {self.name!r} cannot be removed: the last ones "
                "read its `entity_stream`."
            )
        super().remove_blocks(layers)
        self.num_distinct_layers = self.num_layers

    def layer_groups(self):
        """Lists of its layers, the lowest first: embeddings, blocks, pooler."""
        pooler = [] if self.pooler_dense is None else [self.pooler_dense]
        above = [*self.blocks, *pooler]
        embeddings = [layer for layer in self.layers if layer not in above]
        return [embeddings, *([block] for block in self.blocks), pooler]

    @property
    def pools(self):
        """Whether there is a pooled output: with a `pooler`."""
        return self.pooler is not None

    def feature_paths(self):
        """Standard names of features: see `keras_dl.models.taps`."""
        blocks = [f"blocks/{self._place(i)}" for i in range(self.num_layers)]
        names = stack_paths(self, blocks)
        return {**names, "embeddings": "token_embedding@0"}

    def embedding_paths(self):
        """Where tokens are looked up: see `keras_dl.models.embed`."""
        return ["token_embedding"]

    def get_config(self):
        arguments = {name: getattr(self, name) for name in self._arguments}
        return {
            **super().get_config(),
            **arguments,
            "activation": keras.activations.serialize(self.activation),
            "entity_stream": keras.saving.serialize_keras_object(
                self.entity_stream
            ),
        }
