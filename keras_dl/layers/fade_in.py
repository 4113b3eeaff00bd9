"""From one tensor to another, by and by."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_dl")
class FadeIn(keras.Layer):
    """Goes from an old tensor to a new one while a network grows.

        y = old + alpha (new - old)

    `alpha` is a weight that no gradient changes: whoever trains the network
    sets it, from 0 to 1. A new layer behind it does no harm to what the layers
    before have learned.

    **Shapes.** A list of two tensors of one shape, to one of that shape.

    Args:
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If the inputs are not two tensors of one shape.

    Example:

    >>> fade = keras_dl.layers.FadeIn()
    >>> fade([np.zeros(2), np.ones(2)])
    [0., 0.]
    >>> _ = fade.alpha.assign(0.25)
    >>> fade([np.zeros(2), np.ones(2)])
    [0.25, 0.25]

    Reference:
        Karras et al., "Progressive growing of GANs for improved quality,
        stability, and variation", 2018.
    """

    def build(self, input_shape):
        shapes = [tuple(shape) for shape in input_shape]
        if len(shapes) != 2 or shapes[0] != shapes[1]:
            raise ValueError(
                "`FadeIn` takes a list of two tensors of one shape. "
                f"Received: shapes {shapes}"
            )
        self.alpha = self.add_weight((), "zeros", trainable=False, name="alpha")

    def call(self, inputs):
        old, new = inputs
        return old + ops.cast(self.alpha, new.dtype) * (new - old)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])
