"""Batch normalization by one operation on PyTorch."""

import keras
from keras import ops

from keras_dl import backend


@keras.saving.register_keras_serializable("keras_dl")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch normalization, as one operation in training.

        y = gamma (x - mean) / sqrt(variance + epsilon) + beta

    with mean and variance of the batch in training, and moving averages of
    them otherwise. On PyTorch Keras puts this together of ten operations, and
    their gradients. With a mask, `renorm` or `synchronized`, and on the other
    backends, it is Keras' layer. Arguments, variables and weight files are
    Keras' own.

    **Shapes.** `(batch, ..., channels)` to the same.

    **Masking.** Masked steps count for no statistics; the mask is passed on.

    Args:
        **kwargs: Arguments of `keras.layers.BatchNormalization`.

    Raises:
        ValueError: As `keras.layers.BatchNormalization`.

    Example:

    >>> layer = keras_dl.layers.BatchNormalization(momentum=0.9)
    >>> layer(np.ones((4, 8, 8, 3)), training=True).shape
    (4, 8, 8, 3)

    Reference:
        Ioffe and Szegedy, "Batch normalization: accelerating deep network
        training by reducing internal covariate shift", 2015.
    """

    def call(self, inputs, training=None, mask=None):
        plain = mask is None and not self.renorm and not self.synchronized
        learns = training and self.trainable
        if not plain or not learns:
            return super().call(inputs, training=training, mask=mask)
        x, *moments = backend.normalize_batch(
            inputs,
            self.axis,
            self.gamma.value if self.scale else None,
            self.beta.value if self.center else None,
            self.epsilon,
            self.compute_dtype,
        )
        for moving, new in zip(
            (self.moving_mean, self.moving_variance), moments, strict=True
        ):
            old = ops.cast(moving, new.dtype)
            moving.assign(old + (1.0 - self.momentum) * (new - old))
        return x
