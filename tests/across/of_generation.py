"""The agreement table's texts: each model by the searches that are its own."""

import numpy as np
from cases import covers, function_case
from models import END, made

import keras_dl
from keras_dl.generation import BeamSearch, Greedy, Sampling

PROMPTS = [[4, 5, 6, 7], [9, 4], [8]]
LENGTH = 8
SEARCHES = (Greedy(), BeamSearch(3, 0.6), Sampling(0.9, 5, 0.95, seed=2))


def generated(kind, searches=SEARCHES):
    """The ids of all prompts by each search, filled up with -1.

    The weights are the same on every backend.
    """
    model = made(kind)

    def write(_):
        found = np.full((len(searches), len(PROMPTS), LENGTH), -1, "int32")
        for i, search in enumerate(searches):
            texts = keras_dl.generate(
                model, PROMPTS, LENGTH, search, end_id=END
            )
            for j, text in enumerate(texts):
                found[i, j, : len(text)] = text
        assert (found >= 0).any(), "these texts say nothing"
        return found

    return function_case(write, np.zeros(1, "int32"))


@covers(keras_dl.generate)
def texts_of_a_language_model():
    return generated("language_model")


@covers(keras_dl.generate)
def texts_of_a_transformer_lm():
    return generated("transformer_lm", SEARCHES[1:])


@covers(keras_dl.generate)
def texts_with_learned_positions():
    return generated("learned_positions", SEARCHES[:1])


@covers(keras_dl.generate)
def texts_of_seq2seq():
    return generated("seq2seq", SEARCHES[:2])


@covers(keras_dl.generate)
def texts_of_a_transformer():
    return generated("transformer", SEARCHES[::2])
