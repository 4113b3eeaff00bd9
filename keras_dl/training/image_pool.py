"""A pool of generated images: a discriminator sees older ones too."""

import keras
from keras import ops

from keras_dl.checks import check_integer


@keras.saving.register_keras_serializable("keras_dl")
class ImagePool(keras.layers.Layer):
    """Keeps generated images, and gives old ones back half of the time.

    Until the pool is full each image is stored and returned. Then, for each
    image, a coin says whether it is returned itself, or stored in the place of
    one of the pool, which is returned instead. A discriminator that sees older
    images too does not chase its generator in circles.

    **Shapes.** `(batch, ...)` to the same. All but the batch must be known. Of
    a batch that is larger than the pool, the rest is returned as it is.

    **Precision.** Images are kept in float32 and returned as they came.

    Args:
        size: How many images are kept; 0 returns all as they are.
        seed: Integer, or `None` for chance.
        kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If `size` is not an integer of at least 0.

    Example:

    >>> pool = ImagePool(50)
    >>> score = discriminator(pool(generator(images)))

    Reference:
        Shrivastava et al., "Learning from simulated and unsupervised images
        through adversarial training", 2017. The images of one batch are
        exchanged for different ones of the pool here.
    """

    def __init__(self, size=50, seed=None, **kwargs):
        super().__init__(
            autocast=False,
            **{"dtype": "float32", "trainable": False, **kwargs},
        )
        self.size = check_integer("size", size, 0)
        self.seed = seed
        self.random = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        if self.size:
            self.images = self.add_weight(
                (self.size, *input_shape[1:]),
                "zeros",
                trainable=False,
                name="images",
            )
            self.count = self.add_weight(
                (), "zeros", "int32", trainable=False, name="count"
            )

    def call(self, inputs):
        if not self.size:
            return inputs
        images = ops.cast(inputs, self.images.dtype)
        rows = ops.arange(ops.shape(inputs)[0], dtype="int32")
        count = ops.convert_to_tensor(self.count)
        pool = self._filled(images, count)
        stored = count + rows < self.size
        first = keras.random.randint((), 0, self.size, seed=self.random)
        coins = keras.random.uniform(ops.shape(rows), seed=self.random)
        swapped = (coins > 0.5) & ~stored & (rows < self.size)
        slots = (first + rows) % self.size
        axes = (-1, *[1] * (len(images.shape) - 1))
        old = ops.take(pool, slots, axis=0)
        returned = ops.where(ops.reshape(swapped, axes), old, images)
        # Each slot looks for the row, if any, that is to be written to it.
        row = (ops.arange(self.size, dtype="int32") - first) % self.size
        there = row < ops.shape(inputs)[0]
        row = ops.where(there, row, 0)
        there = there & ops.take(swapped, row)
        self.images.assign(
            ops.where(ops.reshape(there, axes), ops.take(images, row, 0), pool)
        )
        self.count.assign(ops.minimum(count + ops.shape(inputs)[0], self.size))
        return ops.cast(returned, inputs.dtype)

    def _filled(self, images, count):
        """The pool with these images in its free slots."""
        pool = ops.convert_to_tensor(self.images)
        row = ops.arange(self.size, dtype="int32") - count
        there = (row >= 0) & (row < ops.shape(images)[0])
        axes = (-1, *[1] * (len(images.shape) - 1))
        found = ops.take(images, ops.where(there, row, 0), axis=0)
        return ops.where(ops.reshape(there, axes), found, pool)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size, "seed": self.seed}
