"""Encoders beside BERT: of LSTMs, and of the Transformer."""

import math

import keras
from keras import ops

from keras_dl.applications.bases.block_stack import BlockStack
from keras_dl.checks import (
    check_choice,
    check_integer,
    check_per_layer,
    check_rate,
    per_layer,
)
from keras_dl.layers import (
    LSTM,
    LearnedPositions,
    SinusoidPositions,
    TransformerEncoderBlock,
)
from keras_dl.layers.lookup import looked_up
from keras_dl.models import Encoder
from keras_dl.models.encoder import POOLINGS, pool
from keras_dl.models.features import block_paths, stack_paths


class _TokenEncoder(Encoder):
    """What both have in common: tokens that are looked up, and a pooling."""

    def _remember(self, **arguments):
        self._arguments = tuple(arguments)
        for name, value in arguments.items():
            setattr(self, name, value)

    def _embedding(self, size):
        return keras.layers.ReversibleEmbedding(
            self.vocabulary_size,
            size,
            embeddings_initializer=self.initializer(),
            dtype=self.dtype_policy,
            name="token_embedding",
        )

    @property
    def pools(self):
        """Whether there is a pooled output: with a `pooling`."""
        return self.pooling is not None

    def compute_output_spec(self, inputs, training=None):
        batch, time = self.read(inputs)["token_ids"].shape
        spec = keras.KerasTensor
        sequence = (batch, time, self.hidden_dim)
        results = {"sequence_output": spec(sequence, dtype=self.compute_dtype)}
        if self.pools:
            results["pooled_output"] = spec(
                (batch, self.pooled_dim), dtype=self.compute_dtype
            )
        return results

    def embedding_paths(self):
        """Where tokens are looked up: see `keras_dl.models.embed`."""
        return ["token_embedding"]

    def get_config(self):
        arguments = {name: getattr(self, name) for name in self._arguments}
        return {**super().get_config(), **arguments}


@keras.saving.register_keras_serializable("keras_dl")
class LSTMEncoder(_TokenEncoder):
    """Texts read by stacked LSTMs, in one direction or in both.

        h^0_t = E[w_t];   h^l_t = LSTM_l(h^{l-1}_t), in both directions joined

    The body of the small students and baselines of distillation, and of the
    taggers that came before BERT. It takes every head of `keras_dl.heads`.

    **Shapes.** Ids `(batch, time)` to a dict: `"sequence_output"`,
    `(batch, time, hidden_dim)`, where `hidden_dim` is `units`, twice that in
    both directions; and `"pooled_output"`, `(batch, hidden_dim)`.

    **Masking.** Padding has no effect on real tokens, whatever stands there.

    **Ids out of range.** As in `keras_dl.applications.BERT`: refused by name
    in data, NaN in a call.

    Args:
        vocabulary_size: Number of token ids.
        embedding_dim: Size of the embeddings.
        units: Size of each LSTM, in each direction.
        num_layers: Number of layers.
        bidirectional: Whether they read in both directions.
        pooling: `"last"`: the last states of each direction; `"first"`,
            `"mean"` or `"max"` of the outputs; or `None`: no pooled output.
        dropout: Share of the inputs of each layer to drop.
        pad_id: Id of the padding.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: Token ids, or a dict with `"token_ids"` and `"padding_mask"`.
        training: Whether dropout is active.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> encoder = LSTMEncoder(100, embedding_dim=8, units=6)
    >>> head = keras_dl.heads.TokenClassification(5)
    >>> model = keras_dl.applications.TaskModel(encoder, head)
    >>> model(np.array([[4, 5, 0]])).shape
    (1, 3, 5)

    Reference:
        Graves and Schmidhuber, "Framewise phoneme classification with
        bidirectional LSTM", 2005; as a student, Tang et al., "Distilling
        task-specific knowledge from BERT into simple neural networks", 2019.
    """

    activation = "relu"

    def __init__(
        self,
        vocabulary_size,
        embedding_dim=128,
        units=128,
        num_layers=1,
        bidirectional=True,
        pooling="last",
        dropout=0.1,
        pad_id=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if pooling is not None:
            check_choice("pooling", pooling, POOLINGS)
        self._remember(
            vocabulary_size=check_integer(
                "vocabulary_size", vocabulary_size, 2
            ),
            embedding_dim=check_integer("embedding_dim", embedding_dim, 1),
            units=check_integer("units", units, 1),
            num_layers=check_integer("num_layers", num_layers, 1),
            bidirectional=bool(bidirectional),
            pooling=pooling,
            dropout=check_rate("dropout", dropout),
            pad_id=check_integer("pad_id", pad_id, 0, vocabulary_size - 1),
        )
        self.hidden_dim = units * (2 if bidirectional else 1)
        policy = self.dtype_policy
        self.token_embedding = self._embedding(embedding_dim)
        self.recurrent = [
            self._layer(f"recurrent_{i + 1}") for i in range(num_layers)
        ]
        self.drop = keras.layers.Dropout(dropout, dtype=policy)
        self.build((None, None))

    def _layer(self, name):
        lstm = LSTM(
            self.units,
            return_sequences=True,
            return_state=True,
            dtype=self.dtype_policy,
            name=name,
        )
        if not self.bidirectional:
            return lstm
        return keras.layers.Bidirectional(
            lstm, dtype=self.dtype_policy, name=name
        )

    def build(self, input_shape):
        if self.built:
            return
        self.token_embedding.build((None, None))
        size = self.embedding_dim
        for layer in self.recurrent:
            layer.build((None, None, size))
            size = self.hidden_dim
        self.built = True

    def call(self, inputs, training=None):
        inputs = self.read(inputs)
        real = inputs["padding_mask"]
        ids, size = inputs["token_ids"], self.vocabulary_size
        x = looked_up(self.token_embedding, ids, size)
        for layer in self.recurrent:
            x, *states = layer(self.drop(x, training=training), mask=real)
        results = {"sequence_output": x}
        if self.pooling == "last":
            # Pairs of h and c, forwards and backwards.
            results["pooled_output"] = ops.concatenate(states[::2], axis=-1)
        elif self.pooling is not None:
            results["pooled_output"] = pool(x, real, self.pooling)
        return results

    def layer_groups(self):
        """Lists of its layers, the lowest first: embeddings, LSTMs, none."""
        layers = [[layer] for layer in self.recurrent]
        return [[self.token_embedding], *layers, []]

    def feature_paths(self):
        """Standard names of features: see `keras_dl.models.taps`."""
        blocks = [(f"recurrent/{i}", None) for i in range(self.num_layers)]
        return {**block_paths(blocks), "embeddings": "token_embedding@0"}


@keras.saving.register_keras_serializable("keras_dl")
class TransformerEncoder(BlockStack, _TokenEncoder):
    """The encoder of the Transformer, for heads.

        h^0 = drop(sqrt(d) E[w] + positions);   h^l = block_l(h^{l-1})

    with a last normalization if blocks normalize first. Against BERT it has
    no segments, no pooler and no normalization of embeddings, and reads texts
    of any length with sinusoids.

    **Shapes.** Ids `(batch, time)` to a dict: `"sequence_output"`,
    `(batch, time, hidden_dim)`, and `"pooled_output"`, `(batch, hidden_dim)`.

    **Masking.** Padding has no effect on real tokens.

    **Ids out of range.** As in `keras_dl.applications.BERT`.

    Args:
        vocabulary_size: Number of token ids.
        num_layers: Number of blocks.
        hidden_dim: Size of the vectors.
        num_heads: Number of attention heads, or a list of one for each block.
        intermediate_dim: Width of the feed-forward networks, or a list; 4
            `hidden_dim` by default.
        dropout: Share to drop.
        activation: Activation of the feed-forward networks.
        norm_first: Whether blocks normalize before their parts (pre-norm).
        positions: `"sinusoid"` or `"learned"`.
        max_sequence_length: Number of positions; no limit by default.
        pooling: `"first"` or `"last"` of the real tokens, their `"mean"` or
            `"max"`; or `None`: no pooled output.
        pad_id: Id of the padding.
        head_dim: Size of each head; `hidden_dim / num_heads` by default, and
            needed if `num_heads` is a list.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: Token ids, or a dict with `"token_ids"` and `"padding_mask"`.
        training: Whether dropout is active.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> encoder = TransformerEncoder(100, 2, 16, 2)
    >>> head = keras_dl.heads.Classification(3)
    >>> model = keras_dl.applications.TaskModel(encoder, head)
    >>> model(np.array([[4, 5, 0]])).shape
    (1, 3)

    Reference:
        Vaswani et al., "Attention is all you need", 2017.
    """

    def __init__(
        self,
        vocabulary_size,
        num_layers=6,
        hidden_dim=512,
        num_heads=8,
        intermediate_dim=None,
        dropout=0.1,
        activation="relu",
        norm_first=False,
        positions="sinusoid",
        max_sequence_length=None,
        pooling="mean",
        pad_id=0,
        head_dim=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if pooling is not None:
            check_choice("pooling", pooling, POOLINGS)
        intermediate_dim = intermediate_dim or 4 * hidden_dim
        self._remember(
            vocabulary_size=check_integer(
                "vocabulary_size", vocabulary_size, 2
            ),
            num_layers=check_integer("num_layers", num_layers, 1),
            hidden_dim=check_integer("hidden_dim", hidden_dim, 2),
            num_heads=check_per_layer("num_heads", num_heads, num_layers),
            intermediate_dim=check_per_layer(
                "intermediate_dim", intermediate_dim, num_layers
            ),
            dropout=check_rate("dropout", dropout),
            activation=activation,
            norm_first=bool(norm_first),
            positions=check_choice(
                "positions", positions, ("sinusoid", "learned")
            ),
            max_sequence_length=max_sequence_length,
            pooling=pooling,
            pad_id=check_integer("pad_id", pad_id, 0, vocabulary_size - 1),
            head_dim=head_dim,
        )
        self.embedding_dim = hidden_dim
        self.token_embedding = self._embedding(hidden_dim)
        self.position = self._positions()
        self.blocks = [
            TransformerEncoderBlock(
                per_layer(num_heads, i),
                per_layer(intermediate_dim, i),
                key_dim=head_dim,
                dropout=dropout,
                activation=activation,
                norm_first=norm_first,
                dtype=self.dtype_policy,
                name=f"block_{i + 1}",
            )
            for i in range(num_layers)
        ]
        self.norm = None
        if norm_first:
            self.norm = keras.layers.LayerNormalization(
                epsilon=1e-5, dtype=self.dtype_policy, name="norm"
            )
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.build((None, None))

    def _positions(self):
        if self.positions == "sinusoid":
            return SinusoidPositions(dtype=self.dtype_policy, name="position")
        limit = check_integer(
            "max_sequence_length", self.max_sequence_length, 1
        )
        return LearnedPositions(
            limit,
            initializer=self.initializer(),
            dtype=self.dtype_policy,
            name="position",
        )

    def build(self, input_shape):
        if self.built:
            return
        self.token_embedding.build((None, None))
        wide = (None, None, self.hidden_dim)
        for layer in [self.position, *self.blocks, self.norm]:
            if layer is not None:
                layer.build(wide)
        self.built = True

    def call(self, inputs, training=None):
        inputs = self.read(inputs)
        real = inputs["padding_mask"]
        ids, size = inputs["token_ids"], self.vocabulary_size
        x = looked_up(self.token_embedding, ids, size)
        x = self.position(x * math.sqrt(self.hidden_dim))
        x = self.drop(x, training=training)
        for block in self.blocks:
            x = block(x, mask=real, training=training)
        if self.norm is not None:
            x = self.norm(x)
        results = {"sequence_output": x}
        if self.pools:
            results["pooled_output"] = pool(x, real, self.pooling)
        return results

    def layer_groups(self):
        """Lists of its layers, the lowest first: embeddings, blocks, none."""
        blocks = [[block] for block in self.blocks]
        if self.norm is not None:
            blocks[-1].append(self.norm)
        return [[self.token_embedding, self.position], *blocks, []]

    def feature_paths(self):
        """Standard names of features: see `keras_dl.models.taps`."""
        blocks = [f"blocks/{i}" for i in range(self.num_layers)]
        names = stack_paths(self, blocks)
        return {**names, "embeddings": "token_embedding@0"}
