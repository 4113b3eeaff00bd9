"""A pool of generated images: a discriminator sees older ones too."""

import keras
from keras import ops

from keras_dl import backend
from keras_dl.checks import check_integer


@keras.saving.register_keras_serializable("keras_dl")
class ImagePool(keras.layers.Layer):
    """Keeps generated images, and gives old ones back half of the time.

    Until the pool is full each image is stored, as far as there is room, and
    returned. Then, for each image, a coin says whether it is returned itself,
    or stored in the place of one of the pool, which is returned instead. A
    discriminator that sees older images too does not chase its generator in
    circles.

    **Shapes.** `(batch, ...)` to the same. All but the batch must be known. Of
    a batch that is larger than the pool, the rest is returned as it is.

    **Precision.** Images are kept in float32 and returned as they came.

    Args:
        size: How many images are kept; 0 returns all as they are.
        seed: Integer, or `None` for chance.
        kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If `size` is not an integer of at least 0.

    Example: room for three images, and then half of the time an old one.

    >>> pool = ImagePool(3, seed=0)
    >>> pool(ops.array([[1.0], [2.0], [3.0]]))
    [[1.], [2.], [3.]]
    >>> pool(ops.array([[4.0], [5.0]])).shape
    (2, 1)

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
        # As many as there are places: each has one of its own.
        images = ops.cast(inputs[: self.size], self.images.dtype)
        rows = ops.arange(ops.shape(images)[0], dtype="int32")
        count = ops.convert_to_tensor(self.count)
        full = count >= self.size
        start = keras.random.randint((), 0, self.size, seed=self.random)
        places = (ops.where(full, start, count) + rows) % self.size
        coins = keras.random.uniform(ops.shape(rows), seed=self.random) > 0.5
        swapped = full & coins
        stored = swapped | (count + rows < self.size)
        axes = (-1, *[1] * (len(images.shape) - 1))
        old = backend.exchange_rows(
            self.images,
            places,
            lambda old: ops.where(ops.reshape(stored, axes), images, old),
        )
        self.count.assign(ops.minimum(count + ops.shape(images)[0], self.size))
        returned = ops.where(ops.reshape(swapped, axes), old, images)
        returned = ops.cast(returned, inputs.dtype)
        return ops.concatenate([returned, inputs[self.size :]])

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size, "seed": self.seed}
