"""Noise on the embedding that a generator is conditioned on."""

import numbers

import keras
from keras import ops

from keras_dl.checks import check_integer, check_seed
from keras_dl.layers.dense import Dense


@keras.saving.register_keras_serializable("keras_dl")
class ConditioningAugmentation(keras.Layer):
    """Draws the condition from a normal distribution that a text determines.

        mu, log_sigma = activation(W x + b), in two halves
        c = mu + exp(log_sigma) eps,  eps ~ N(0, 1)
        loss = kl_weight mean(-log_sigma + (exp(2 log_sigma) + mu^2 - 1) / 2)

    The loss, added by `add_loss`, is the Kullback-Leibler divergence of
    N(mu, sigma^2) from N(0, 1), averaged over dimensions and samples. Of few
    texts it makes many conditions, which fill the space between those texts.

    **Shapes.** Embeddings `(batch, dim)` to `(batch, units)`.

    **Precision.** All behind `W x + b` is computed in float32.

    Args:
        units: Size of the condition.
        activation: Activation of `mu` and `log_sigma`; leaky ReLU with a slope
            of 0.2 by default.
        kl_weight: Factor of the loss; 0: no loss.
        sample_at_inference: Whether `c` is drawn in inference too, as the
            paper does for its pictures. `False`: it is `mu` there.
        kernel_initializer: Initializer of `W`.
        seed: Seed of the noise.
        **kwargs: Arguments of `keras.Layer`.

    Call arguments:
        inputs: Tensor of shape `(batch, dim)`.
        training: Whether the layer is in training mode.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> layer = keras_dl.layers.ConditioningAugmentation(128)
    >>> layer(np.ones((2, 1024)), training=True).shape
    (2, 128)

    Reference:
        Zhang et al., "StackGAN: text to photo-realistic image synthesis with
        stacked generative adversarial networks", 2017. Activation, average
        and `kl_weight` are those of the authors' code, whose `eps` is a
        truncated normal; ours is not, as in the paper.
    """

    def __init__(
        self,
        units,
        activation="leaky_relu",
        kl_weight=2.0,
        sample_at_inference=True,
        kernel_initializer="glorot_uniform",
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = check_integer("units", units, 1)
        self.activation = keras.activations.get(activation)
        self.kl_weight = _check_weight(kl_weight)
        self.sample_at_inference = sample_at_inference
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = None if seed is None else check_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.dense = Dense(
            2 * self.units,
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name="dense",
        )

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.built = True

    def call(self, inputs, training=None):
        x = self.activation(ops.cast(self.dense(inputs), "float32"))
        mu, log_sigma = ops.split(x, 2, axis=-1)
        if self.kl_weight:
            squares = ops.exp(2 * log_sigma) + ops.square(mu)
            divergence = ops.mean((squares - 1) / 2 - log_sigma)
            self.add_loss(self.kl_weight * divergence)
        if training or self.sample_at_inference:
            noise = keras.random.normal(
                ops.shape(mu), dtype="float32", seed=self.seed_generator
            )
            mu = mu + ops.exp(log_sigma) * noise
        return ops.cast(mu, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "kl_weight": self.kl_weight,
            "sample_at_inference": self.sample_at_inference,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
            "seed": self.seed,
        }


def _check_weight(value):
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not 0 <= value < float("inf"):
        raise ValueError(
            "`kl_weight` must be a number of at least 0. "
            f"Received: kl_weight={value!r}."
        )
    return float(value)
