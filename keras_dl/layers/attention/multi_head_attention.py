"""`MultiHeadAttention` with fused kernels, a cache, and scores on request."""

import math

import keras
from keras import ops

from keras_dl import backend
from keras_dl.checks import check_integer, check_rate
from keras_dl.layers.attention.attention import MaskedSoftmax
from keras_dl.layers.dense import Dense
from keras_dl.layers.masks import (
    cached_mask,
    causal_mask,
    check_mask,
    combine_masks,
    padding_mask,
    zero_masked,
)


@keras.saving.register_keras_serializable("keras_dl")
class MultiHeadAttention(keras.Layer):
    """Several scaled dot-product attentions side by side.

        head_i = softmax(Q_i K_i^T / sqrt(d_k)) V_i
        output = [head_1; ...; head_h] W_o,  Q_i = query W_i^Q, ...

    Where the framework has a fused kernel (PyTorch, JAX), it computes it
    whenever no weights are dropped or asked for: always at inference, also of
    a layer with dropout (where `keras.layers.MultiHeadAttention` takes the
    unfused path).

    **Shapes.** Query `(batch, queries, d)`, value and key
    `(batch, keys, ...)`, to `(batch, queries, output_dim)`; weights
    `(batch, heads, queries, keys)`.

    **Masking.** `value_mask`, `key_mask`, `attention_mask` and
    `use_causal_mask` combine: a query sees what all of them allow. In
    self-attention the query's mask is the one of the values. Masked values
    count for nothing, NaN too. A query that may see nothing gets the even mean
    of the values (in float16 PyTorch's kernel gives an uneven one), with zeros
    for those that `value_mask` hides. The query's mask is passed on.

    **Cache.** `call(x, cache=(k, v), index=t)` writes the keys and values of
    `x` at position `t` of the cache, tensors of the shape
    `(batch, length, heads, key_dim)`, attends over it all (`attention_mask`
    says which of it is real), and returns `(output, cache)`. `t` and the steps
    of `x` together must not exceed the length: beyond it, backends differ. A
    mask of `x` hides its masked steps from this call alone. Without `index`
    the cache is a memory, projected once by `project(value)`, which is
    attended to as it is.

    Args:
        num_heads: Number of heads.
        key_dim: Size of a head; the query's size, divided by the heads, by
            default.
        dropout: Share of the attention weights to drop in training.
        use_bias: Whether the four projections have biases.
        output_dim: Size of the output; that of the query by default.
        kernel_initializer: Initializer of the kernels.
        bias_initializer: Initializer of the biases.
        seed: Seed of the dropout.
        **kwargs: Arguments of `keras.Layer`.

    Call arguments:
        query: Tensor of shape `(batch, queries, d)`.
        value: Tensor of shape `(batch, keys, e)`; the query by default.
        key: Tensor of shape `(batch, keys, e)`; the value by default.
        value_mask, key_mask: Boolean `(batch, keys)`; they come along with
            the value and the key.
        attention_mask: Boolean `(batch or 1, queries or 1, keys)`.
        use_causal_mask: Whether a query sees only itself and earlier ones.
        cache, index: See above.
        mask, query_mask: The query's mask, `(batch, queries)`, by one of the
            two names, as Keras fills them in.
        return_attention_scores: Whether to return the weights too.
        training: Whether dropout is active.

    Raises:
        ValueError: If an argument is not allowed, or the query's size is no
            multiple of `num_heads` and `key_dim` is not given.

    Example:

    >>> layer = keras_dl.layers.MultiHeadAttention(num_heads=2)
    >>> layer(np.ones((2, 5, 8)), use_causal_mask=True).shape
    (2, 5, 8)

    Reference:
        Vaswani et al., "Attention is all you need", 2017. The paper's
        projections have no biases: `use_bias=False`.
    """

    def __init__(
        self,
        num_heads,
        key_dim=None,
        dropout=0.0,
        use_bias=True,
        output_dim=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = check_integer("num_heads", num_heads, 1)
        self.key_dim = (
            None if key_dim is None else check_integer("key_dim", key_dim, 1)
        )
        self.dropout = check_rate("dropout", dropout)
        self.use_bias = use_bias
        self.output_dim = (
            None
            if output_dim is None
            else check_integer("output_dim", output_dim, 1)
        )
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.seed = seed
        self.supports_masking = True
        self._softmax = MaskedSoftmax(dtype=self.dtype_policy)
        self._drop = keras.layers.Dropout(
            self.dropout, seed=seed, dtype=self.dtype_policy
        )

    def build(self, query_shape, value_shape=None, key_shape=None):
        value_shape = value_shape or query_shape
        key_shape = key_shape or value_shape
        size = query_shape[-1]
        if self.key_dim is None and size % self.num_heads:
            raise ValueError(
                "The size of the query must be a multiple of `num_heads`, or "
                "`key_dim` be given. Received: a query of size "
                f"{size}, num_heads={self.num_heads}."
            )
        self._head = self.key_dim or size // self.num_heads
        inner = self._head * self.num_heads
        self.query_dense = self._dense("query", inner, query_shape)
        self.key_dense = self._dense("key", inner, key_shape)
        self.value_dense = self._dense("value", inner, value_shape)
        self.output_dense = self._dense(
            "output", self.output_dim or size, (*query_shape[:-1], inner)
        )
        self.built = True

    def _dense(self, name, units, input_shape):
        layer = Dense(
            units,
            use_bias=self.use_bias,
            kernel_initializer=self.kernel_initializer.clone(),
            bias_initializer=self.bias_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build(input_shape)
        return layer

    def project(self, value, key=None, value_mask=None):
        """The heads' keys and values, as a cache holds them."""
        return self._project(keras.Layer.__call__, value, key, value_mask)

    def _project(self, call, value, key, value_mask):
        """As `project`, with the function that calls a layer."""
        value = zero_masked(value, value_mask)
        key = value if key is None else zero_masked(key, value_mask)
        return self._heads(call(self.key_dense, key)), self._heads(
            call(self.value_dense, value)
        )

    def empty_cache(self, batch, length):
        """Zeros in the shape of a cache for `length` positions."""
        shape = (batch, length, self.num_heads, self._head)
        zeros = ops.zeros(shape, dtype=self.compute_dtype)
        return zeros, zeros

    def _heads(self, x):
        steps = -1 if x.shape[1] is None else x.shape[1]
        batch = ops.shape(x)[0]
        return ops.reshape(x, (batch, steps, self.num_heads, self._head))

    def call(
        self,
        query,
        value=None,
        key=None,
        value_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        cache=None,
        index=None,
        mask=None,
        query_mask=None,
        key_mask=None,
        return_attention_scores=False,
        training=None,
    ):
        memory = cache is not None and index is None
        if value is None and not memory:
            value = query
            if value_mask is None:
                value_mask = query_mask if mask is None else mask
        value_mask = combine_masks(value_mask, key_mask)
        if cache is None:
            k, v = self._project(backend.call, value, key, value_mask)
        elif memory:
            k, v = cache
        else:
            check_mask("value_mask", value_mask, value)
            new = self._project(backend.call, value, key, value_mask)
            value_mask = cached_mask(value_mask, cache, index)
            k, v = cache = tuple(
                backend.write_at(whole, part, index)
                for whole, part in zip(cache, new, strict=True)
            )
        q = self._heads(backend.call(self.query_dense, query))
        if use_causal_mask:
            first = 0 if index is None else index
            causal = causal_mask(ops.shape(q)[1], ops.shape(k)[1], first)
            attention_mask = combine_masks(attention_mask, causal)
        mask = combine_masks(padding_mask(value_mask), attention_mask)
        if mask is not None:
            mask = ops.expand_dims(mask, 1)  # The same for all heads.
        needs_weights = return_attention_scores or (training and self.dropout)
        attend = backend.fused_attention(self.compute_dtype)
        if attend is not None and not needs_weights:
            heads = attend(q, k, v, mask=mask)
        else:
            heads, weights = self._attend(q, k, v, mask, training)
        shape = ops.shape(heads)
        heads = ops.reshape(heads, (*shape[:2], self.num_heads * self._head))
        results = [backend.call(self.output_dense, heads)]
        if return_attention_scores:
            results.append(weights)
        if cache is not None and index is not None:
            results.append(cache)
        return results[0] if len(results) == 1 else tuple(results)

    def _attend(self, q, k, v, mask, training):
        """The plain path, which has the weights in hand."""
        q, k, v = (ops.swapaxes(x, 1, 2) for x in (q, k, v))
        q = q * (1 / math.sqrt(self._head))
        scores = ops.matmul(q, ops.swapaxes(k, 2, 3))
        weights = backend.call(self._softmax, scores, allowed=mask)
        kept = weights
        if training and self.dropout:
            kept = backend.call(self._drop, weights, training=training)
        heads = ops.matmul(kept, v)
        return ops.swapaxes(heads, 1, 2), weights

    def compute_output_spec(
        self,
        query,
        value=None,
        *args,
        cache=None,
        index=None,
        return_attention_scores=False,
        **kwargs,
    ):
        dtype, batch, queries = self.compute_dtype, *query.shape[:2]
        size = self.output_dim or query.shape[-1]
        results = [keras.KerasTensor((batch, queries, size), dtype=dtype)]
        if return_attention_scores:
            attended = query if value is None else value
            keys = (attended if cache is None else cache[0]).shape[1]
            shape = (batch, self.num_heads, queries, keys)
            results.append(keras.KerasTensor(shape, dtype=dtype))
        if cache is not None and index is not None:
            results.append(specs_like(cache))
        return results[0] if len(results) == 1 else tuple(results)

    def compute_mask(self, query, mask=None):
        return mask[0] if isinstance(mask, (list, tuple)) else mask

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "output_dim": self.output_dim,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
            "bias_initializer": keras.initializers.serialize(
                self.bias_initializer
            ),
            "seed": self.seed,
        }


def specs_like(tensors):
    """Symbolic tensors of the shapes and dtypes of a structure of tensors."""

    def spec(x):
        dtype = keras.backend.standardize_dtype(x.dtype)
        return keras.KerasTensor(tuple(x.shape), dtype=dtype)

    return keras.tree.map_structure(spec, tensors)
