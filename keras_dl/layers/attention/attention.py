"""`Attention`: one layer for the classical score functions."""

import math

import keras
from keras import ops

from keras_dl import backend
from keras_dl.checks import check_choice, check_integer, check_rate
from keras_dl.layers.masks import combine_masks, padding_mask, zero_masked

SCORES = ("dot", "scaled_dot", "general", "additive")


@keras.saving.register_keras_serializable("keras_dl")
class Attention(keras.Layer):
    """Attention of queries on a memory, with a choice of scores.

        a_ij = softmax_j(score(q_i, k_j));   context_i = sum_j a_ij v_j

    | score        | formula                    | variables       | of       |
    |--------------|----------------------------|-----------------|----------|
    | `dot`        | q . k                      | none            | Luong    |
    | `scaled_dot` | q . k / sqrt(d)            | none            | Vaswani  |
    | `general`    | q . (W k)                  | W               | Luong    |
    | `additive`   | v . tanh(W q + U k)        | W, U, v         | Bahdanau |

    `keras.layers.Attention` has the first alone, and
    `keras.layers.AdditiveAttention` no projections.

    **Shapes.** Query `(batch, queries, d)`, value `(batch, keys, e)`, key as
    the value up to its last dimension: context `(batch, queries, e)`, weights
    `(batch, queries, keys)`. `dot` and `scaled_dot` need keys of size `d`.

    **Masking.** Masked keys get weight 0, whatever they hold, NaN too. A query
    that may see nothing gets the even mean of the values, with zeros for those
    that `value_mask` hides. The mask of the query is passed on.

    Args:
        score: One of the table.
        units: Size of the hidden layer of `additive`; `d` by default.
        dropout: Share of the weights to drop in training.
        seed: Seed of the dropout.
        **kwargs: Arguments of `keras.Layer`.

    Call arguments:
        query: Tensor of shape `(batch, queries, d)`.
        value: Tensor of shape `(batch, keys, e)`.
        key: Tensor of shape `(batch, keys, ...)`; the value by default.
        value_mask: Boolean `(batch, keys)`; comes along with the value.
        attention_mask: Boolean, broadcast to `(batch, queries, keys)`.
        return_attention_scores: Whether to return the weights too.
        training: Whether dropout is active.

    Raises:
        ValueError: If an argument is not allowed, or `dot` meets keys of
            another size than the queries.

    Example:

    >>> layer = keras_dl.layers.Attention("additive", units=16)
    >>> context, weights = layer(
    ...     np.ones((2, 3, 8)), np.ones((2, 5, 6)), return_attention_scores=True
    ... )
    >>> context.shape, weights.shape
    ((2, 3, 6), (2, 3, 5))

    Reference:
        Bahdanau, Cho and Bengio, "Neural machine translation by jointly
        learning to align and translate", 2015; Luong, Pham and Manning,
        "Effective approaches to attention-based neural machine translation",
        2015; Vaswani et al., "Attention is all you need", 2017.
    """

    def __init__(
        self, score="scaled_dot", units=None, dropout=0.0, seed=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.score = check_choice("score", score, SCORES)
        self.units = None if units is None else check_integer("units", units, 1)
        self.dropout = check_rate("dropout", dropout)
        self.seed = seed
        self.supports_masking = True
        self._softmax = MaskedSoftmax(dtype=self.dtype_policy)
        self._drop = keras.layers.Dropout(
            self.dropout, seed=seed, dtype=self.dtype_policy
        )

    def build(self, query_shape, value_shape, key_shape=None):
        size, key_size = query_shape[-1], (key_shape or value_shape)[-1]
        if self.score in ("dot", "scaled_dot"):
            if size != key_size:
                raise ValueError(
                    f"score={self.score!r} needs queries and keys of the same "
                    f"size; 'general' does not. Received: query of size {size},"
                    f" key of size {key_size}."
                )
        elif self.score == "general":
            self.key_kernel = self.add_weight(
                shape=(key_size, size), name="key_kernel"
            )
        else:
            units = self.units or size
            self.query_kernel = self.add_weight(
                shape=(size, units), name="query_kernel"
            )
            self.key_kernel = self.add_weight(
                shape=(key_size, units), name="key_kernel"
            )
            self.score_kernel = self.add_weight(
                shape=(units,), initializer="random_normal", name="score_kernel"
            )
        self.built = True

    def project(self, key):
        """What the scores need of the keys, once for all queries."""
        if self.score in ("dot", "scaled_dot"):
            return key
        return ops.matmul(key, self.key_kernel)

    def scores(self, query, projected):
        """Scores `(batch, queries, keys)` of queries and projected keys."""
        if self.score == "additive":
            query = ops.matmul(query, self.query_kernel)
            both = ops.expand_dims(query, 2) + ops.expand_dims(projected, 1)
            return ops.matmul(
                ops.tanh(both), ops.expand_dims(self.score_kernel, -1)
            )[..., 0]
        scores = ops.matmul(query, ops.swapaxes(projected, 1, 2))
        if self.score == "scaled_dot":
            scores = scores / math.sqrt(query.shape[-1])
        return scores

    def attend(self, query, projected, value, mask=None, training=None):
        """`(context, weights)`; everything masked in `value` must be zero."""
        scores = self.scores(query, projected)
        weights = backend.call(self._softmax, scores, allowed=mask)
        kept = weights
        if training and self.dropout:
            kept = self._drop(weights, training=training)
        return ops.matmul(kept, value), weights

    def call(
        self,
        query,
        value,
        key=None,
        value_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
    ):
        value = zero_masked(value, value_mask)
        key = value if key is None else zero_masked(key, value_mask)
        mask = combine_masks(padding_mask(value_mask), attention_mask)
        context, weights = self.attend(
            query, self.project(key), value, mask, training
        )
        return (context, weights) if return_attention_scores else context

    def compute_mask(self, query, mask=None):
        return mask[0] if isinstance(mask, (list, tuple)) else mask

    def compute_output_spec(
        self,
        query,
        value,
        *args,
        return_attention_scores=False,
        **kwargs,
    ):
        dtype = self.compute_dtype
        context = keras.KerasTensor(
            (*query.shape[:-1], value.shape[-1]), dtype=dtype
        )
        if not return_attention_scores:
            return context
        shape = (*query.shape[:-1], value.shape[1])
        return context, keras.KerasTensor(shape, dtype=dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "score": self.score,
            "units": self.units,
            "dropout": self.dropout,
            "seed": self.seed,
        }


class MaskedSoftmax(keras.Layer):
    """Softmax over the last axis, of what is allowed, never NaN.

    A row that allows nothing comes out even. It is a layer so that scores and
    weights are its input and output: see `keras_dl.models.taps`.

    Call arguments:
        scores: Tensor of shape `(..., keys)`.
        allowed: Boolean, broadcast to the scores; all by default.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def call(self, scores, allowed=None):
        if scores.shape[-1] == 1:
            # What Keras' softmax warns of: 1, still a function of the scores.
            return ops.where(True, ops.ones_like(scores), scores)
        if allowed is not None:
            half = keras.backend.standardize_dtype(scores.dtype) == "float16"
            hidden = -6e4 if half else -1e9
            scores = ops.where(allowed, scores, ops.cast(hidden, scores.dtype))
        return ops.softmax(scores, axis=-1)
