"""Small models for the tests of what makes models smaller."""

import keras
import numpy as np
from keras import layers
from keras.ops import convert_to_numpy as array
from sequences import normal

from keras_dl import applications, heads

IDS = np.array([[2, 5, 6, 3], [2, 9, 3, 0]])


def bert(num_layers=2, **kwargs):
    keras.utils.set_random_seed(0)
    encoder = applications.BERT(
        20, num_layers, 8, 2, 16, max_sequence_length=6, **kwargs
    )
    return applications.TaskModel(encoder, heads.Classification(3))


def transformer_encoder():
    body = applications.TransformerEncoder(20, 2, 8, 2, 16, norm_first=True)
    return applications.TaskModel(body, heads.TokenClassification(3))


def transformer():
    model = applications.Transformer(20, None, 1, 8, 2, 16)
    model((IDS, IDS))
    return model


def randomized(model):
    """Biases are not 0, and statistics of normalization are of something."""
    for i, variable in enumerate(model.weights):
        if keras.backend.is_float_dtype(variable.dtype):
            shift = np.abs(normal(*variable.shape, seed=i))
            variable.assign(array(variable) + 0.3 * shift)
    return model


def mlp():
    model = applications.MLP(
        (6, 5), num_outputs=3, batch_norm=True, activation="gelu"
    )
    model.build((None, 4))
    return model


def vgg():
    model = applications.VGG16(3, dense_units=(4,), base=2, batch_norm=True)
    model.build((None, 32, 32, 3))
    return model


def cnn(flatten=layers.Flatten):
    x = inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(4, 3, activation="relu", name="first")(x)
    x = layers.BatchNormalization()(layers.MaxPooling2D()(x))
    x = layers.Conv2D(3, 1, name="second")(x)
    x = layers.Dense(5, activation="tanh", name="dense")(flatten()(x))
    return keras.Model(inputs, layers.Dense(2, name="last")(x))


def sequential():
    return keras.Sequential(
        [
            keras.Input((6, 2)),
            layers.Conv1D(4, 2, name="first"),
            layers.GlobalMaxPooling1D(),
            layers.Dropout(0.5),
            layers.Dense(3),
        ]
    )
