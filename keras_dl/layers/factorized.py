"""Layers whose matrix is a product of two thin ones."""

import keras
from keras import ops

from keras_dl import backend
from keras_dl.checks import check_integer
from keras_dl.layers.dense import Dense


@keras.saving.register_keras_serializable("keras_dl")
class FactorizedDense(keras.Layer):
    """A dense layer whose kernel is a product of two thin ones.

        y = activation((x A) B + b),  A (inputs, rank), B (rank, units)

    It has `rank (inputs + units)` numbers in the place of `inputs units`:
    fewer below the break-even rank `inputs units / (inputs + units)`.
    `keras_dl.compression.factorize` makes it of a trained layer.

    **Shapes.** `(..., inputs)` to `(..., units)`.

    **Masking.** The mask is passed on.

    Args:
        units: Size of the output.
        rank: Size between the two.
        activation: Activation of the output.
        use_bias: Whether there is a bias.
        kernel_initializer: Initializer of both matrices.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If `units` or `rank` is no integer of at least 1.

    Example:

    >>> layer = keras_dl.layers.FactorizedDense(8, rank=2)
    >>> layer(np.ones((3, 6))).shape
    (3, 8)
    >>> layer.count_params()
    36

    Reference:
        Sainath et al., "Low-rank matrix factorization for deep neural network
        training with high-dimensional output targets", 2013.
    """

    def __init__(
        self,
        units,
        rank,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = check_integer("units", units, 1)
        self.rank = check_integer("rank", rank, 1)
        self.activation = keras.activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True
        self.reduce = self._dense(rank, "reduce", use_bias=False)
        self.expand = self._dense(
            units, "expand", use_bias=use_bias, activation=self.activation
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
        self.reduce.build(input_shape)
        self.expand.build((*input_shape[:-1], self.rank))
        self.built = True

    def call(self, inputs):
        return backend.call(self.expand, backend.call(self.reduce, inputs))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "rank": self.rank,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }


@keras.saving.register_keras_serializable("keras_dl")
class FactorizedEmbedding(keras.Layer):
    """An embedding whose table is a product of two thin matrices.

        e_i = T_i P,  T (input_dim, rank), P (rank, output_dim)
        reverse:  logits = (x P^T) T^T

    It stands in for `keras.layers.Embedding` and
    `keras.layers.ReversibleEmbedding`, whose weights are tied.
    `keras_dl.compression.factorize` makes it of a trained one.

    **Shapes.** Ids `(...)` to `(..., output_dim)`; with `reverse`, vectors
    `(..., output_dim)` to logits `(..., input_dim)`.

    **Masking.** With `mask_zero` the id 0 is padding, of inputs that are
    integers. Other masks are passed on.

    Args:
        input_dim: Number of ids.
        output_dim: Size of the vectors.
        rank: Size between the two.
        embeddings_initializer: Initializer of the table.
        mask_zero: Whether the id 0 is masked.
        **kwargs: Arguments of `keras.Layer`.

    Call arguments:
        inputs: Ids, or with `reverse` vectors.
        reverse: Whether to give the logits of vectors.

    Raises:
        ValueError: If a size is no integer of at least 1.

    Example:

    >>> layer = keras_dl.layers.FactorizedEmbedding(50, 8, rank=2)
    >>> vectors = layer(np.array([[4, 5]]))
    >>> vectors.shape, layer(vectors, reverse=True).shape
    ((1, 2, 8), (1, 2, 50))

    Reference:
        Lan et al., "ALBERT", 2020. There a projection follows the
        normalization of the embeddings; here it belongs to the table.
    """

    is_embedding = True

    def __init__(
        self,
        input_dim,
        output_dim,
        rank,
        embeddings_initializer="uniform",
        mask_zero=False,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self.input_dim = check_integer("input_dim", input_dim, 1)
        self.output_dim = check_integer("output_dim", output_dim, 1)
        self.rank = check_integer("rank", rank, 1)
        self.embeddings_initializer = keras.initializers.get(
            embeddings_initializer
        )
        self.mask_zero = bool(mask_zero)
        self.supports_masking = True
        self.table = keras.layers.ReversibleEmbedding(
            input_dim,
            rank,
            embeddings_initializer=self.embeddings_initializer.clone(),
            dtype=self.dtype_policy,
            name="table",
        )

    def build(self, input_shape=None):
        self.table.build(input_shape)
        self.projection = self.add_weight(
            shape=(self.rank, self.output_dim),
            initializer="glorot_uniform",
            name="projection",
        )
        self.built = True

    def call(self, inputs, reverse=False):
        projection = ops.cast(self.projection, self.compute_dtype)
        if not reverse:
            vectors = ops.cast(self.table(inputs), self.compute_dtype)
            return ops.matmul(vectors, projection)
        x = ops.cast(inputs, self.compute_dtype)
        x = ops.matmul(x, ops.transpose(projection))
        return ops.cast(self.table(x, reverse=True), self.compute_dtype)

    def compute_mask(self, inputs, mask=None):
        vectors = keras.backend.is_float_dtype(
            keras.backend.standardize_dtype(inputs.dtype)
        )
        if vectors or not self.mask_zero:
            return mask
        return ops.not_equal(inputs, 0)

    def compute_output_shape(self, input_shape, reverse=False):
        if reverse:
            return (*input_shape[:-1], self.input_dim)
        return (*input_shape, self.output_dim)

    def compute_output_spec(self, inputs, reverse=False):
        shape = self.compute_output_shape(inputs.shape, reverse)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "rank": self.rank,
            "embeddings_initializer": keras.initializers.serialize(
                self.embeddings_initializer
            ),
            "mask_zero": self.mask_zero,
        }
