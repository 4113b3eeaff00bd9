"""Gradients of gradients through Keras' layers and ours, in one table.

The slope of a penalty on a first derivative, beside differences of the penalty,
whose own value needs the first derivative alone.
"""

import inspect

import keras
import numpy as np
import pytest
from keras import layers as keras_layers
from keras import ops
from sequences import compiled, normal

import keras_dl
from keras_dl import layers

ROWS, TEXT, IMAGES = normal(4, 6), normal(3, 5, 4), normal(2, 4, 4, 4)


def image_kinds():
    return {
        "conv": keras_layers.Conv2D(3, 3, strides=2),
        "conv transpose": keras_layers.Conv2DTranspose(3, 3, strides=2),
        "depthwise": keras_layers.DepthwiseConv2D(3),
        "max pooling": keras_layers.MaxPooling2D(2),
        "average pooling": keras_layers.AveragePooling2D(2),
        "bilinear": keras_layers.UpSampling2D(2, interpolation="bilinear"),
        "bicubic": keras_layers.UpSampling2D(2, interpolation="bicubic"),
        "resized": keras_layers.Resizing(3, 3),
        "batch norm of images": keras_layers.BatchNormalization(),
        "group norm": keras_layers.GroupNormalization(2),
        "our conv": layers.Conv2D(3, 3, padding="same"),
        "our conv transpose": layers.Conv2DTranspose(3, 4, strides=2),
        "our batch norm of images": layers.BatchNormalization(),
        "instance norm": layers.InstanceNormalization(),
    }


def row_kinds():
    return {
        "batch norm": keras_layers.BatchNormalization(),
        "layer norm": keras_layers.LayerNormalization(),
        "RMS norm": keras_layers.RMSNormalization(),
        "our dense": layers.Dense(4, activation="tanh"),
        "our batch norm": layers.BatchNormalization(),
        "softsign": keras_layers.Activation("softsign"),
        "gelu": keras_layers.Activation("gelu"),
        "softmax": keras_layers.Softmax(),
        "PReLU": keras_layers.PReLU(),
    }


def text_kinds():
    return {
        "LSTM": keras_layers.LSTM(3),
        "GRU": keras_layers.GRU(3),
        "our LSTM": layers.LSTM(3),
        "our GRU": layers.GRU(3),
        "attention": keras_layers.MultiHeadAttention(2, 2),
        "our attention": layers.MultiHeadAttention(4, 2),
        "conv of a row": keras_layers.Conv1D(3, 3),
    }


CASES = {
    name: (x, kinds)
    for x, kinds in (
        (ROWS, row_kinds),
        (TEXT, text_kinds),
        (IMAGES, image_kinds),
    )
    for name in kinds()
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.compiled(
    "batch norm",
    "layer norm",
    "softsign",
    "group norm",
    "bilinear",
    "bicubic",
    "resized",
    "our batch norm",
    "instance norm",
    "our LSTM",
    on="tensorflow",  # Whose operations are exchanged.
)
def test_the_slope_of_a_penalty_equals_differences(name):
    x, kinds = CASES[name]
    layer = kinds()[name]
    first = keras_layers.Dense(x.shape[-1])
    first.build(x.shape)
    inputs = list(inspect.signature(layer.call).parameters)
    several = 2 if "attention" in name else 1
    layer(*[first(x)] * several)
    for seed, weight in enumerate(
        [*first.trainable_variables, *layer.trainable_variables]
    ):
        weight.assign(0.4 * normal(*weight.shape, seed=seed))
    kwargs = {"training": True} if "training" in inputs else {}

    def output(x):
        return ops.sum(ops.sin(layer(*[first(x)] * several, **kwargs)))

    def penalty():
        slope = keras_dl.grad(output)(ops.convert_to_tensor(x))
        return ops.sum(ops.sin(slope))

    whole = keras.Sequential([first, layer]) if several == 1 else layer
    variables = [first.kernel, first.bias]
    value = compiled(whole, penalty)
    _, slopes = compiled(
        whole, lambda: keras_dl.variable_gradients(penalty, variables)
    )()
    for variable, slope in zip(variables, slopes, strict=True):
        slope = ops.convert_to_numpy(slope)
        start = ops.convert_to_numpy(variable).copy()
        direction = np.sign(slope) + (slope == 0)
        ends = []
        for step in (0.005, -0.005):
            variable.assign(start + step * direction)
            ends.append(float(ops.convert_to_numpy(value())))
        variable.assign(start)
        expected = (ends[0] - ends[1]) / 0.01
        found = float(np.sum(slope * direction))
        assert found == pytest.approx(expected, rel=2e-2, abs=2e-2)
