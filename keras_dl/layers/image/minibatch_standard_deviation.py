"""How much the images of a batch differ, for a discriminator to see."""

import keras
from keras import ops

from keras_dl.checks import check_integer, check_positive
from keras_dl.layers.image.axes import (
    channel_axis,
    check_data_format,
    check_images,
)


@keras.saving.register_keras_serializable("keras_dl")
class MinibatchStandardDeviation(keras.Layer):
    """Adds a channel that says how much the images of a group differ.

        s = mean over height, width and channels of
            sqrt(mean over the group of (x - mean of the group)^2 + epsilon)

    Each image gets, as one more channel, the `s` of its group everywhere. A
    discriminator sees by it that a generator makes the same image all the
    time.

    **Groups.** There are `M = max(1, batch // group_size)`, and image `n` is
    in group `n mod M`. So a batch smaller than `group_size` is one group; and
    where the batch does not divide, which the paper leaves out, the first
    groups have more members, no group fewer than `group_size`. In inference,
    too, what an image gives depends on those beside it.

    **Shapes.** `(batch, height, width, channels)` to
    `(batch, height, width, channels + 1)`; only `channels` must be known.

    **Precision.** `s` is computed in float32. Among equal images it is
    `sqrt(epsilon)`, with a gradient of 0.

    Args:
        group_size: Number of images in a group.
        epsilon: Added to the variances.
        data_format: `"channels_last"` or `"channels_first"`; Keras' own
            setting by default.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> layer = keras_dl.layers.MinibatchStandardDeviation()
    >>> layer(np.ones((8, 4, 4, 16))).shape
    (8, 4, 4, 17)

    Reference:
        Karras et al., "Progressive growing of GANs for improved quality,
        stability, and variation", 2018, section 3.
    """

    def __init__(self, group_size=4, epsilon=1e-8, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.group_size = check_integer("group_size", group_size, 1)
        self.epsilon = check_positive("epsilon", epsilon)
        self.data_format = check_data_format(data_format)

    def build(self, input_shape):
        check_images(input_shape)
        self.built = True

    def call(self, inputs):
        shape = ops.shape(inputs)
        s = ops.cast(self._deviations(inputs), inputs.dtype)
        map_shape = list(shape)
        map_shape[channel_axis(self.data_format)] = 1
        extra = ops.broadcast_to(ops.reshape(s, (-1, 1, 1, 1)), map_shape)
        return ops.concatenate(
            [inputs, extra], axis=channel_axis(self.data_format)
        )

    def _deviations(self, inputs):
        """A number for each image: that of its group."""
        batch, *rest = ops.shape(inputs)
        groups = batch // self.group_size
        known = isinstance(groups, int)
        groups = max(groups, 1) if known else ops.maximum(groups, 1)
        rows = (batch + groups - 1) // groups
        # The last row is filled up with images that count for nothing.
        missing = ops.zeros((rows * groups - batch, *rest), "float32")
        x = ops.concatenate([ops.cast(inputs, "float32"), missing])
        x = ops.reshape(x, (rows, groups, *rest))
        real = ops.cast(ops.arange(rows * groups) < batch, "float32")
        real = ops.reshape(real, (rows, groups, 1, 1, 1))
        count = ops.sum(real, axis=0)
        x = x - ops.sum(x * real, axis=0) / count
        variance = ops.sum(ops.square(x) * real, axis=0) / count
        s = ops.mean(ops.sqrt(variance + self.epsilon), axis=(1, 2, 3))
        s = ops.broadcast_to(s[None], (rows, groups))
        return ops.reshape(s, (-1,))[:batch]

    def compute_output_shape(self, input_shape):
        shape = list(input_shape)
        shape[channel_axis(self.data_format)] += 1
        return tuple(shape)

    def get_config(self):
        return {
            **super().get_config(),
            "group_size": self.group_size,
            "epsilon": self.epsilon,
            "data_format": self.data_format,
        }
