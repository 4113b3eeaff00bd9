"""What the Transformers have in common: embedded tokens, and blocks."""

import math

import keras

from keras_dl.applications.bases.token_model import TokenModel, known
from keras_dl.checks import check_choice, check_integer
from keras_dl.layers import LearnedPositions, SinusoidPositions


class EmbeddedModel(TokenModel):
    """Tokens with positions, and the arguments of blocks, once for both."""

    def _blocks(self, kind, count, name):
        return [
            kind(
                self.num_heads,
                self.intermediate_dim,
                dropout=self.dropout,
                activation=self.activation,
                norm_first=self.norm_first,
                attention_bias=self.attention_bias,
                dtype=self.dtype_policy,
                name=f"{name}_{i + 1}",
            )
            for i in range(count)
        ]

    def _embedding(self, size, name):
        return keras.layers.ReversibleEmbedding(
            size,
            self.hidden_dim,
            embeddings_initializer=keras.initializers.RandomNormal(
                stddev=self.hidden_dim**-0.5
            ),
            dtype=self.dtype_policy,
            name=name,
        )

    def _positions(self, name):
        if self.positions == "sinusoid":
            return SinusoidPositions(dtype=self.dtype_policy, name=name)
        return LearnedPositions(
            self.max_sequence_length,
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            dtype=self.dtype_policy,
            name=name,
        )

    def _norm(self, name):
        """The last normalization, which only pre-norm blocks need."""
        if not self.norm_first:
            return None
        return keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=self.dtype_policy, name=name
        )

    def _embed(self, embedding, positions, ids, size, at=None, training=None):
        x = embedding(known(ids, size)) * math.sqrt(self.hidden_dim)
        return self.drop(positions(x, positions=at), training=training)

    def _check_sizes(self):
        check_choice("positions", self.positions, ("sinusoid", "learned"))
        if self.hidden_dim % self.num_heads or self.hidden_dim % 2:
            raise ValueError(
                "`hidden_dim` must be even, and a multiple of `num_heads`. "
                f"Received: hidden_dim={self.hidden_dim}, "
                f"num_heads={self.num_heads}."
            )
        if self.max_sequence_length is not None:
            check_integer("max_sequence_length", self.max_sequence_length, 1)
        if self.positions == "learned" and self.max_sequence_length is None:
            raise ValueError(
                "`max_sequence_length` is needed with positions='learned': how "
                "many positions there are. Received: max_sequence_length=None."
            )

    def _check_length(self, *shapes):
        for shape in shapes:
            steps = shape[1]
            limit = self.max_sequence_length
            if limit is not None and steps is not None and steps > limit:
                raise ValueError(
                    "The inputs are longer than `max_sequence_length`. "
                    f"Received: {steps} steps, max_sequence_length={limit}."
                )
