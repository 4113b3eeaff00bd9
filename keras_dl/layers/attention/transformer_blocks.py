"""The encoder and decoder blocks of the Transformer."""

import keras

from keras_dl import backend
from keras_dl.checks import check_integer, check_rate, check_seed
from keras_dl.layers.attention.multi_head_attention import (
    MultiHeadAttention,
    specs_like,
)
from keras_dl.layers.dense import Dense
from keras_dl.layers.masks import (
    cached_mask,
    check_mask,
    combine_masks,
    padding_mask,
    zero_masked,
)


@keras.saving.register_keras_serializable("keras_dl")
class TransformerEncoderBlock(keras.Layer):
    """Self-attention and a feed-forward network, each with a residual.

        post-norm:  y = norm(x + drop(attention(x)))
                    z = norm(y + drop(feed_forward(y)))
        pre-norm:   y = x + drop(attention(norm(x)))
                    z = y + drop(feed_forward(norm(y)))

    with `feed_forward(x) = W_2 activation(W_1 x + b_1) + b_2`. With
    `use_causal_mask` at call it is the block of a decoder-only model.

    **Shapes.** `(batch, time, d)` to the same.

    **Masking.** A masked step has no effect on others, whatever it holds, NaN
    too. With a cache the mask is that of the new steps, and holds for this
    call; `attention_mask` says which of the earlier steps are real. The mask
    is passed on.

    Args:
        num_heads: Number of attention heads.
        intermediate_dim: Width of the feed-forward network.
        dropout: Share to drop of each of the two outputs, before the
            residual is added.
        attention_dropout: Share to drop of the attention weights; as
            `dropout` by default.
        activation: Activation of the feed-forward network.
        norm_first: Whether to normalize before (pre-norm) or after.
        attention_bias: Whether the projections of the attention have biases.
        layer_norm_epsilon: Added to the variances.
        kernel_initializer: Initializer of all kernels.
        seed: Seed of the dropout, from which each part gets its own.
        key_dim: Size of each head; `d / num_heads` by default.
        **kwargs: Arguments of `keras.Layer`.

    Call arguments:
        inputs: Tensor of shape `(batch, time, d)`.
        mask: Boolean `(batch, time)`; comes along with the inputs.
        attention_mask: Boolean, broadcast to `(batch, time, time)`: what a
            step may see, beside `mask`.
        use_causal_mask: Whether a step sees only itself and earlier ones.
        cache, index: Keys and values of earlier steps, and how many there
            are: see `MultiHeadAttention`. The new cache is returned last.
        inputs_mask: As `mask`: so Keras calls it when other tensors come too.
        return_attention_scores: Whether to return the weights too.
        training: Whether dropout is active.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> block = keras_dl.layers.TransformerEncoderBlock(2, 16, dropout=0.1)
    >>> block(np.ones((2, 5, 8))).shape
    (2, 5, 8)

    Reference:
        Vaswani et al., "Attention is all you need", 2017: post-norm, ReLU, no
        biases in the attention. Pre-norm: Xiong et al., "On layer
        normalization in the Transformer architecture", 2020.
    """

    def __init__(
        self,
        num_heads,
        intermediate_dim,
        dropout=0.0,
        activation="relu",
        norm_first=False,
        attention_bias=True,
        layer_norm_epsilon=1e-5,
        kernel_initializer="glorot_uniform",
        seed=None,
        attention_dropout=None,
        key_dim=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = check_integer("num_heads", num_heads, 1)
        self.key_dim = key_dim
        self.intermediate_dim = check_integer(
            "intermediate_dim", intermediate_dim, 1
        )
        self.dropout = check_rate("dropout", dropout)
        self.attention_dropout = (
            self.dropout
            if attention_dropout is None
            else check_rate("attention_dropout", attention_dropout)
        )
        self.activation = keras.activations.get(activation)
        self.norm_first = norm_first
        self.attention_bias = attention_bias
        self.layer_norm_epsilon = layer_norm_epsilon
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = None if seed is None else check_seed(seed)
        self.supports_masking = True

        self.attention = self._attention("attention", 0)
        self.attention_norm = self._norm("attention_norm")
        self.widen = self._dense(intermediate_dim, "widen")
        self.feed_forward_norm = self._norm("feed_forward_norm")
        self.drop = keras.layers.Dropout(
            dropout, seed=self._seed(1), dtype=self.dtype_policy
        )

    def _seed(self, part):
        return None if self.seed is None else (self.seed + part) % 2**32

    def _attention(self, name, part, num_heads=None):
        return MultiHeadAttention(
            num_heads or self.num_heads,
            key_dim=None if num_heads else self.key_dim,
            dropout=self.attention_dropout,
            use_bias=self.attention_bias,
            kernel_initializer=self.kernel_initializer.clone(),
            seed=self._seed(part),
            dtype=self.dtype_policy,
            name=name,
        )

    def _norm(self, name):
        return keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name
        )

    def _dense(self, units, name, **kwargs):
        return Dense(
            units,
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
            **kwargs,
        )

    def build(self, input_shape):
        self.attention.build(input_shape)
        self.attention_norm.build(input_shape)
        self.widen.build(input_shape)
        self.narrow = self._dense(input_shape[-1], "narrow")
        self.narrow.build((*input_shape[:-1], self.intermediate_dim))
        self.feed_forward_norm.build(input_shape)
        self.built = True

    def call(
        self,
        inputs,
        mask=None,
        attention_mask=None,
        use_causal_mask=False,
        cache=None,
        index=None,
        inputs_mask=None,
        return_attention_scores=False,
        training=None,
    ):
        mask = inputs_mask if mask is None else mask
        x, visible = self._masked(inputs, mask, "mask", cache, index)
        x, *others = self._residual(
            x,
            self.attention_norm,
            self.attention,
            attention_mask=combine_masks(visible, attention_mask),
            use_causal_mask=use_causal_mask,
            cache=cache,
            index=index,
            return_attention_scores=return_attention_scores,
            training=training,
        )
        x = self._feed_forward(x, training)
        return (x, *others) if others else x

    def _masked(self, inputs, mask, name, cache, index):
        """The inputs without what the mask hides, and what may be seen."""
        x = zero_masked(inputs, check_mask(name, mask, inputs))
        return x, padding_mask(cached_mask(mask, cache, index))

    def _feed_forward(self, x, training):
        norm = self.feed_forward_norm
        inputs = backend.call(norm, x) if self.norm_first else x
        hidden = self.activation(backend.call(self.widen, inputs))
        return self._added(x, backend.call(self.narrow, hidden), norm, training)

    def _residual(self, x, norm, layer, training, **kwargs):
        """The layer's output added to `x`, and whatever else it returns."""
        inputs = backend.call(norm, x) if self.norm_first else x
        results = backend.call(layer, inputs, training=training, **kwargs)
        y, *others = results if isinstance(results, tuple) else (results,)
        return self._added(x, y, norm, training), *others

    def _added(self, x, y, norm, training):
        """`x + drop(y)`, normalized if that did not come first."""
        if training and self.dropout:
            y = backend.call(self.drop, y, training=training)
        x = x + y
        return x if self.norm_first else backend.call(norm, x)

    def layer_chains(self):
        """Paths of layers that follow one another, each read by the next."""
        return [["widen", "narrow"]]

    def empty_cache(self, batch, length):
        """A cache for `length` positions, with nothing in it."""
        return self.attention.empty_cache(batch, length)

    def compute_output_spec(self, inputs, *args, **kwargs):
        # The rest of the block changes no shapes.
        return self.attention.compute_output_spec(inputs, **kwargs)

    def compute_mask(self, inputs, mask=None):
        return mask

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
            "activation": keras.activations.serialize(self.activation),
            "norm_first": self.norm_first,
            "attention_bias": self.attention_bias,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
            "seed": self.seed,
            "attention_dropout": self.attention_dropout,
            "key_dim": self.key_dim,
        }


@keras.saving.register_keras_serializable("keras_dl")
class TransformerDecoderBlock(TransformerEncoderBlock):
    """Causal self-attention, attention on a memory, and a feed-forward network.

        post-norm:  y = norm(x + drop(attention(x)))
                    y = norm(y + drop(memory_attention(y, memory)))
                    z = norm(y + drop(feed_forward(y)))

    and pre-norm accordingly; see `TransformerEncoderBlock`.

    **Shapes.** Inputs `(batch, time, d)` and memory `(batch, keys, e)` to
    `(batch, time, d)`.

    **Masking.** No step sees a later one. Masked steps and masked parts of
    the memory have no effect, whatever they hold. The inputs' mask is passed
    on.

    Args:
        num_heads: Number of heads of each attention.
        intermediate_dim: Width of the feed-forward network.
        **kwargs: As `TransformerEncoderBlock`.

    Call arguments:
        inputs: Tensor of shape `(batch, time, d)`.
        memory: The encoder's output, `(batch, keys, e)`.
        inputs_mask, memory_mask: Boolean masks; they come along.
        cache, index: Pair of the cache of the self-attention and of the
            memory's keys and values, as `start_cache` makes it, and the
            position of the inputs. The new cache is returned last.
        return_attention_scores: Whether to return the weights of both
            attentions too.
        training: Whether dropout is active.

    Raises:
        ValueError: If an argument is not allowed, or a cache comes without an
            index.

    Example:

    >>> block = keras_dl.layers.TransformerDecoderBlock(2, 16)
    >>> block(np.ones((2, 5, 8)), np.ones((2, 3, 8))).shape
    (2, 5, 8)

    Reference:
        Vaswani et al., "Attention is all you need", 2017.
    """

    def __init__(self, num_heads, intermediate_dim, **kwargs):
        super().__init__(num_heads, intermediate_dim, **kwargs)
        self.memory_attention = self._attention("memory_attention", 2)
        self.memory_norm = self._norm("memory_norm")

    def build(self, inputs_shape, memory_shape):
        super().build(inputs_shape)
        self.memory_attention.build(inputs_shape, memory_shape)
        self.memory_norm.build(inputs_shape)

    def call(
        self,
        inputs,
        memory,
        inputs_mask=None,
        memory_mask=None,
        attention_mask=None,
        cache=None,
        index=None,
        return_attention_scores=False,
        training=None,
    ):
        own, of_memory = self._caches(cache, index)
        options = {
            "return_attention_scores": return_attention_scores,
            "training": training,
        }
        x, visible = self._masked(
            inputs, inputs_mask, "inputs_mask", own, index
        )
        x, *others = self._residual(
            x,
            self.attention_norm,
            self.attention,
            attention_mask=combine_masks(visible, attention_mask),
            use_causal_mask=True,
            cache=own,
            index=index,
            **options,
        )
        x, *weights = self._residual(
            x,
            self.memory_norm,
            self.memory_attention,
            value=memory if cache is None else None,
            value_mask=memory_mask,
            cache=of_memory,
            **options,
        )
        x = self._feed_forward(x, training)
        if cache is not None:
            weights.append((others.pop(), of_memory))
        others = (*others, *weights)
        return (x, *others) if others else x

    def _caches(self, cache, index):
        """The cache of the self-attention, and the memory's."""
        if cache is not None and index is None:
            raise ValueError(
                "`index` must be given with a `cache`: how many steps it "
                f"holds. Received: index={index}."
            )
        return (None, None) if cache is None else cache

    def start_cache(self, memory, length, memory_mask=None):
        """A cache for `length` steps on this memory."""
        batch = keras.ops.shape(memory)[0]
        return (
            self.empty_cache(batch, length),
            self.memory_attention.project(memory, value_mask=memory_mask),
        )

    def compute_output_spec(
        self,
        inputs,
        memory,
        *args,
        cache=None,
        index=None,
        return_attention_scores=False,
        **kwargs,
    ):
        own, of_memory = self._caches(cache, index)
        results = [keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)]
        if return_attention_scores:
            for layer, keys, held in (
                (self.attention, inputs, own),
                (self.memory_attention, memory, of_memory),
            ):
                _, scores = layer.compute_output_spec(
                    inputs, keys, cache=held, return_attention_scores=True
                )
                results.append(scores)
        if cache is not None:
            results.append(specs_like(cache))
        return results[0] if len(results) == 1 else tuple(results)

    def compute_mask(self, inputs, mask=None):
        return mask[0] if isinstance(mask, (list, tuple)) else mask
