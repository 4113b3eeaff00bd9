"""Which axes of a batch of images are height, width and channels."""

import keras

from keras_dl.checks import check_choice


def check_data_format(value):
    """Returns the layout of images, Keras' own where none is given."""
    if value is None:
        return keras.config.image_data_format()
    return check_choice(
        "data_format", value, ("channels_last", "channels_first")
    )


def channel_axis(data_format):
    """The axis of the channels."""
    return 3 if data_format == "channels_last" else 1


def space_axes(data_format):
    """The axes of height and width."""
    return (1, 2) if data_format == "channels_last" else (2, 3)


def check_images(input_shape):
    """Says what is wrong with a shape that is none of a batch of images."""
    if len(input_shape) != 4:
        raise ValueError(
            "The inputs must be images: a batch, height, width and channels. "
            f"Received: input_shape={tuple(input_shape)}."
        )
