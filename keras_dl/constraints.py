"""Constraints on weights that Keras lacks."""

import keras
from keras import ops

from keras_dl.checks import check_positive


@keras.saving.register_keras_serializable("keras_dl")
class ClipWeights(keras.constraints.Constraint):
    """Cuts every weight to [-limit, limit], after each update.

        w <- max(-c, min(c, w))

    The critic of the first Wasserstein GAN is kept Lipschitz by it:
    `keras_dl.training.GAN(..., discriminator_constraint=ClipWeights(0.01))`.

    Args:
        limit: c, a positive number.

    Raises:
        ValueError: If `limit` is not a positive number.

    Example:

    >>> layer = keras.layers.Dense(10, kernel_constraint=ClipWeights(0.01))
    >>> ClipWeights(0.01)(ops.array([0.5, -0.002, -0.5]))
    [0.0100, -0.0020, -0.0100]

    Reference:
        Arjovsky, Chintala and Bottou, "Wasserstein generative adversarial
        networks", 2017.
    """

    def __init__(self, limit):
        self.limit = check_positive("limit", limit)

    def __call__(self, w):
        return ops.clip(w, -self.limit, self.limit)

    def get_config(self):
        return {"limit": self.limit}
