"""A stream of entities beside that of tokens, and blocks that fuse the two."""

import keras
import numpy as np
from keras import ops

from keras_dl import backend
from keras_dl.checks import check_integer
from keras_dl.layers.attention.transformer_blocks import TransformerEncoderBlock
from keras_dl.layers.lookup import looked_up
from keras_dl.layers.masks import combine_masks, zero_masked

NO_ENTITY = -1


@keras.saving.register_keras_serializable("keras_dl")
class EntityFusionBlock(TransformerEncoderBlock):
    """Self-attention of tokens and of entities, and a network that fuses them.

        w = norm(w + drop(attention(w)))
        e = norm(e + drop(entity_attention(e)))
        h_j = activation(W w_j + V e_j + b)   where token j has an entity
        h_j = activation(W w_j + b)           where it has none
        w_j = norm(w_j + drop(W' h_j + b'))
        e_j = norm(e_j + drop(V' h_j + c'))

    and with `norm_first` accordingly: see `TransformerEncoderBlock`, whose
    variables are those of the tokens here. An entity stands at the place of
    the token that it is aligned with.

    **Shapes.** Tokens `(batch, time, d)` and entities `(batch, time, e)` to
    both, or to tokens alone.

    **Masking.** A masked token has no effect on others, and what stands where
    there is no entity has none at all, whatever it holds, NaN too. The tokens'
    mask is passed on.

    Args:
        num_heads: Number of attention heads of the tokens.
        intermediate_dim: Size of `h_j`.
        entity_heads: Number of attention heads of the entities.
        returns_entities: Whether to return the entities too. Without, there
            are no `V'` and `c'`.
        **kwargs: As `TransformerEncoderBlock`.

    Call arguments:
        inputs: Tensor of shape `(batch, time, d)`.
        entities: Tensor of shape `(batch, time, e)`.
        mask: Boolean `(batch, time)`; comes along with the inputs.
        entities_mask: Boolean `(batch, time)`: where there is an entity;
            comes along with the entities.
        attention_mask: Boolean, broadcast to `(batch, time, time)`: what a
            step of either stream may see, beside the masks.
        inputs_mask: As `mask`: so Keras calls it when other tensors come too.
        return_attention_scores: Whether to return the weights of the tokens'
            attention too, last.
        training: Whether dropout is active.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> block = keras_dl.layers.EntityFusionBlock(2, 16, entity_heads=1)
    >>> tokens, entities = block(np.ones((2, 5, 8)), np.ones((2, 5, 4)))
    >>> tokens.shape, entities.shape
    ((2, 5, 8), (2, 5, 4))

    Reference:
        Zhang et al., "ERNIE: enhanced language representation with
        informative entities", 2019: the aggregator. Where it differs: the
        authors' code has a second bias beside `b`, and gives the first token
        of each row an entity of zeros.
    """

    def __init__(
        self,
        num_heads,
        intermediate_dim,
        entity_heads,
        returns_entities=True,
        **kwargs,
    ):
        super().__init__(num_heads, intermediate_dim, **kwargs)
        self.entity_heads = check_integer("entity_heads", entity_heads, 1)
        self.returns_entities = returns_entities
        self.entity_attention = self._attention(
            "entity_attention", 2, self.entity_heads
        )
        self.entity_attention_norm = self._norm("entity_attention_norm")
        self.entity_widen = self._dense(
            intermediate_dim, "entity_widen", use_bias=False
        )

    def build(self, inputs_shape, entities_shape):
        super().build(inputs_shape)
        self.entity_attention.build(entities_shape)
        self.entity_attention_norm.build(entities_shape)
        self.entity_widen.build(entities_shape)
        if self.returns_entities:
            size, hidden = entities_shape[-1], self.intermediate_dim
            self.entity_narrow = self._dense(size, "entity_narrow")
            self.entity_narrow.build((*entities_shape[:-1], hidden))
        if self.returns_entities or self.norm_first:
            self.entity_norm = self._norm("entity_norm")
            self.entity_norm.build(entities_shape)

    def call(
        self,
        inputs,
        entities,
        mask=None,
        entities_mask=None,
        attention_mask=None,
        inputs_mask=None,
        return_attention_scores=False,
        training=None,
    ):
        mask = inputs_mask if mask is None else mask
        x, visible = self._masked(inputs, mask, "mask", None, None)
        x, *scores = self._residual(
            x,
            self.attention_norm,
            self.attention,
            attention_mask=combine_masks(visible, attention_mask),
            return_attention_scores=return_attention_scores,
            training=training,
        )
        there = combine_masks(entities_mask, mask)
        e, visible = self._masked(entities, there, "entities_mask", None, None)
        (e,) = self._residual(
            e,
            self.entity_attention_norm,
            self.entity_attention,
            attention_mask=combine_masks(visible, attention_mask),
            training=training,
        )
        x, *others = self._fused(x, zero_masked(e, there), there, training)
        results = (x, *others, *scores)
        return results if len(results) > 1 else x

    def _fused(self, x, e, there, training):
        """Tokens and, if they are asked for, entities, of both of them."""
        from_x, from_e = x, e
        if self.norm_first:
            from_x = backend.call(self.feed_forward_norm, x)
            from_e = zero_masked(backend.call(self.entity_norm, e), there)
        hidden = self.activation(
            backend.call(self.widen, from_x)
            + backend.call(self.entity_widen, from_e)
        )
        streams = [(x, self.feed_forward_norm, self.narrow)]
        if self.returns_entities:
            streams.append((e, self.entity_norm, self.entity_narrow))
        for stream, norm, narrow in streams:
            y = backend.call(narrow, hidden)
            yield self._added(stream, y, norm, training)

    def layer_chains(self):
        """None: two layers read what the two wide ones make together."""
        return []

    def compute_output_spec(
        self,
        inputs,
        entities,
        *args,
        return_attention_scores=False,
        **kwargs,
    ):
        x, scores = super().compute_output_spec(
            inputs, return_attention_scores=True
        )
        results = [x]
        if self.returns_entities:
            results.append(keras.KerasTensor(entities.shape, dtype=x.dtype))
        if return_attention_scores:
            results.append(scores)
        return tuple(results) if len(results) > 1 else x

    def compute_mask(self, inputs, mask=None):
        return mask[0] if isinstance(mask, (list, tuple)) else mask

    def get_config(self):
        return {
            **super().get_config(),
            "entity_heads": self.entity_heads,
            "returns_entities": self.returns_entities,
        }


@keras.saving.register_keras_serializable("keras_dl")
class EntityStream(keras.Layer):
    """The vectors of the entities of a knowledge graph, for an encoder to read.

        e_j = E[entity_j]

    Given to `keras_dl.applications.BERT`, it makes the encoder's last blocks
    `EntityFusionBlock`s, which read the entities beside the tokens. The
    vectors are those of another model, such as TransE, and stay as they are
    unless `trainable` is true.

    **Shapes.** Ids `(batch, time)` to vectors `(batch, time, dim)` and a mask
    `(batch, time)`, true where there is an entity; elsewhere the vectors mean
    nothing.

    Args:
        num_entities: Number of entities.
        dim: Size of their vectors.
        num_heads: Number of attention heads of the entities.
        num_layers: Number of blocks that fuse, the last ones.
        returns_entities: Whether the last block gives the vectors of the
            entities too, as the encoder's `"entity_output"`. Without, it has
            no variables for that.
        trainable: Whether the vectors are trained.
        **kwargs: Arguments of `keras.Layer`.

    Call arguments:
        entity_ids: Integer tensor `(batch, time)`: the entity of the mention
            that begins at a token, -1 where none begins. Other ids that there
            are not give NaN.

    Raises:
        ValueError: If an argument is not allowed.

    Example: an encoder of two blocks, of which the last one reads entities.
    `BERT.from_hugging_face` takes an `entity_stream`, too.

    >>> vectors = np.random.normal(size=(3, 8))  # Of 3 entities.
    >>> stream = EntityStream.of_vectors(vectors, num_heads=2, num_layers=1)
    >>> encoder = keras_dl.applications.BERT(
    ...     30, 2, 16, 2, 32, entity_stream=stream
    ... )
    >>> ids, entity_ids = np.array([[2, 7, 9, 3]]), np.array([[-1, 0, -1, -1]])
    >>> outputs = encoder({"token_ids": ids, "entity_ids": entity_ids})
    >>> outputs["sequence_output"].shape
    (1, 4, 16)

    Reference:
        Zhang et al., "ERNIE: enhanced language representation with
        informative entities", 2019: 6 blocks without entities, 6 with, 4
        heads on TransE's vectors of size 100.
    """

    def __init__(
        self,
        num_entities,
        dim=100,
        num_heads=4,
        num_layers=6,
        returns_entities=False,
        trainable=False,
        **kwargs,
    ):
        # Ids may come as floats, which half precision would round.
        super().__init__(trainable=trainable, autocast=False, **kwargs)
        self.num_entities = check_integer("num_entities", num_entities, 1)
        self.dim = check_integer("dim", dim, 1)
        self.num_heads = check_integer("num_heads", num_heads, 1)
        self.num_layers = check_integer("num_layers", num_layers, 1)
        self.returns_entities = returns_entities
        if dim % num_heads:
            raise ValueError(
                "`dim` must be a multiple of `num_heads`. Received: "
                f"dim={dim}, num_heads={num_heads}."
            )
        self.embedding = keras.layers.Embedding(
            num_entities, dim, dtype=self.dtype_policy, name="embedding"
        )
        self.build((None, None))
        self.embedding.trainable = trainable

    def build(self, input_shape):
        if not self.embedding.built:
            self.embedding.build(input_shape)
        self.built = True

    @classmethod
    def of_vectors(cls, vectors, **kwargs):
        """A stream of entities with these vectors.

        Args:
            vectors: Array `(num_entities, dim)`.
            **kwargs: Other arguments of `EntityStream`.

        Returns:
            An `EntityStream`.

        Raises:
            ValueError: If it is no array of that shape.
        """
        vectors = np.asarray(vectors)
        if vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
            raise ValueError(
                "`vectors` must be numbers of shape (num_entities, dim). "
                f"Received: shape {vectors.shape}, dtype {vectors.dtype}."
            )
        stream = cls(*vectors.shape, **kwargs)
        stream.embedding.embeddings.assign(vectors)
        return stream

    def call(self, entity_ids):
        there = ops.not_equal(entity_ids, NO_ENTITY)
        ids = ops.where(there, entity_ids, 0)
        return looked_up(self.embedding, ids, self.num_entities), there

    def block(self, *args, is_last=False, **kwargs):
        """A block of the encoder that reads the entities.

        Args:
            *args, **kwargs: Arguments of `EntityFusionBlock`.
            is_last: Whether it is the encoder's last one.
        """
        return EntityFusionBlock(
            *args,
            entity_heads=self.num_heads,
            returns_entities=self.returns_entities or not is_last,
            **kwargs,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "num_entities": self.num_entities,
            "dim": self.dim,
            "num_heads": self.num_heads,
            "num_layers": self.num_layers,
            "returns_entities": self.returns_entities,
            "trainable": self.trainable,
        }
