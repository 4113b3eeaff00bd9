"""The agreement table's smaller models, and what trains them to be so."""

import keras
import numpy as np
from cases import covers, filled, model_case
from of_models import CLASSES, IDS, encoder
from sequences import normal

from keras_dl import applications, compression, heads, models, training
from keras_dl.testing import Case

ROWS = normal(4, 3)


def bert():
    model = applications.TaskModel(encoder(), heads.Classification(3, 0.0))
    return filled(model)


@covers(
    compression.remove_heads,
    compression.remove_units,
    compression.factorize,
    compression.factorize_layer,
)
def half_a_bert():
    """Without a head and half of the units, the rest in thin layers."""
    model = compression.remove_heads(bert(), {0: [1]})
    units = {"encoder/blocks/0/widen": range(0, 12, 2)}
    model = compression.remove_units(model, units)
    model = compression.factorize(model, ".*(query_dense|widen)", rank=2)
    model = compression.factorize(model, ".*token_embedding", rank=2)
    return model_case(model, IDS, CLASSES)


@covers(compression.remove_layers, compression.share)
def blocks_shared_and_removed():
    body = applications.TransformerEncoder(20, 3, 6, 2, 8, 0.0)
    model = applications.TaskModel(body, heads.Classification(3, 0.0))
    model = compression.remove_layers(filled(model), [1])
    return model_case(compression.share(model, [[0, 1]]), IDS, CLASSES)


@covers(models.replace_layers)
def replaced_layers():
    model = applications.MLP((4,), num_outputs=3)
    model.build((None, 3))
    narrow, head = keras.layers.Dense(2), keras.layers.Dense(3)
    narrow.build((None, 3))
    head.build((None, 2))
    layers = {"hidden/0": narrow, "head": head}
    return model_case(models.replace_layers(model, layers), ROWS, CLASSES)


def trained(model, *readings, x=ROWS, steps=4):
    trainer = training.SupervisedTrainer(model, readings=readings)
    trainer.compile(keras.optimizers.SGD(0.5, momentum=0.9))
    return Case(trainer, inputs=(x, CLASSES), steps=steps, predict=True)


def mlp():
    model = applications.MLP((8,), num_outputs=3)
    model.build((None, 3))
    return filled(model)


@covers(
    compression.MagnitudePruning,
    compression.PolynomialSparsity,
    compression.ClusteredWeights,
)
def pruned_while_training():
    """Masks of a schedule, and of a pattern; then a few values."""
    return trained(
        mlp(),
        compression.MagnitudePruning(
            compression.PolynomialSparsity(0.6, end=4),
            frequency=2,
            paths="hidden/0/kernel",
        ),
        compression.MagnitudePruning("1:2", paths="head/kernel"),
        compression.ClusteredWeights(2),
    )


@covers(compression.MovementPruning)
def movement():
    return trained(
        mlp(),
        compression.MovementPruning(
            compression.PolynomialSparsity(0.6, end=4),
            scope="global",
            frequency=2,
        ),
    )


@covers(compression.LearnedGates)
def gates():
    """Of heads and of units, at once."""
    return trained(
        bert(),
        compression.LearnedGates("heads", penalty=0.1),
        compression.LearnedGates("units", penalty=0.1),
        x=np.array(IDS),
    )


@covers(compression.FakeQuantization)
def quantized_while_training():
    """Few bits of weights and of activations, of two kinds of ranges."""
    return trained(
        mlp(),
        compression.FakeQuantization(
            3,
            activations="moving_average",
            momentum=0.5,
            paths="hidden/0/kernel",
        ),
        compression.FakeQuantization(
            4, symmetric=False, activations="dynamic", paths="head/kernel"
        ),
    )


@covers(compression.quantize, compression.StaticQuantizer)
def static_quantization():
    """Integers, with ranges of activations from the data; biases train."""
    model = mlp()
    ranges = compression.calibrate(model, ROWS)
    return model_case(compression.quantize(model, 8, ranges), ROWS, CLASSES)
