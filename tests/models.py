"""Small sequence models with weights that do not depend on the backend."""

import numpy as np
from sequences import normal

from keras_dl.applications import (
    LanguageModel,
    Seq2Seq,
    Transformer,
    TransformerLanguageModel,
)

SIZE, START, END = 12, 2, 3


def language_model(**kwargs):
    kwargs = {"units": 8, "num_layers": 2, **kwargs}
    return LanguageModel(SIZE, **kwargs)


def seq2seq(**kwargs):
    kwargs = {"units": 8, "num_layers": 2, **kwargs}
    return Seq2Seq(SIZE, 10, **kwargs)


def transformer(**kwargs):
    kwargs = {"num_layers": 1, "hidden_dim": 8, "num_heads": 2, **kwargs}
    return Transformer(SIZE, intermediate_dim=16, **kwargs)


def transformer_lm(**kwargs):
    kwargs = {"num_layers": 2, "hidden_dim": 8, "num_heads": 2, **kwargs}
    return TransformerLanguageModel(SIZE, **kwargs)


def learned_positions(**kwargs):
    kwargs = {"num_layers": 1, "norm_first": False, **kwargs}
    return transformer_lm(positions="learned", max_sequence_length=40, **kwargs)


KINDS = {
    "language_model": language_model,
    "seq2seq": seq2seq,
    "transformer": transformer,
    "transformer_lm": transformer_lm,
    "learned_positions": learned_positions,
}
IDS = np.array([[4, 5, 6, 7, 8], [9, 4, 5, 0, 0]], "int32")
TARGETS = np.array([[2, 9, 8, 7], [2, 4, 0, 0]], "int32")


def inputs_of(model):
    """Ids that the model takes."""
    return (IDS, TARGETS) if model.reads_source else IDS


def made(kind, **kwargs):
    """The model, built, with weights large enough to say something."""
    model = KINDS[kind](**kwargs)
    shapes = [tuple(IDS.shape), tuple(TARGETS.shape)]
    model.build(shapes if model.reads_source else shapes[0])
    for i, weight in enumerate(model.weights):
        if len(weight.shape) > 1:
            scale = 1.5 / np.sqrt(weight.shape[0])
            weight.assign(scale * normal(*weight.shape, seed=i))
    return model
