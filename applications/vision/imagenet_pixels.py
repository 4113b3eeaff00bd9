"""Pixels as weights trained on ImageNet expect them."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_dl")
class ImageNetPixels(keras.layers.Layer):
    """Pixels as the weights of keras.applications' VGG16 expect them.

    RGB values of 0 to 255 become BGR, less the mean of ImageNet, not scaled:
    `keras.applications.vgg16.preprocess_input` as a layer.

    **Shapes.** `(batch, height, width, 3)` to the same.

    Raises:
        ValueError: If images have another number of channels.

    Example:

    >>> red = np.array([255.0, 0.0, 0.0]).reshape(1, 1, 1, 3)
    >>> ImageNetPixels()(red)[0, 0, 0]
    [-103.939, -116.779, 131.320]
    >>> model = keras_dl.applications.VGG16(normalizer=ImageNetPixels())
    """

    def build(self, input_shape):
        if input_shape[-1] != 3:
            raise ValueError(
                "ImageNetPixels, which is normalizer='imagenet', reads images "
                "of 3 channels, red, green and blue. Received: input_shape="
                f"{tuple(input_shape)}."
            )

    def call(self, inputs):
        return keras.applications.vgg16.preprocess_input(
            ops.cast(inputs, self.compute_dtype), data_format="channels_last"
        )

    def compute_output_shape(self, input_shape):
        return input_shape
