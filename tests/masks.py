"""Vocabularies and texts to hide tokens in."""

import numpy as np

from keras_dl.text import (
    FragmentMasking,
    NGramMasking,
    PhraseMasking,
    SpanMasking,
    TokenMasking,
    WholeWordMasking,
    WordVocabulary,
)

PAD, UNKNOWN, START, END, MASK = range(5)
WORDS = [
    TokenMasking,
    WholeWordMasking,
    PhraseMasking,
    NGramMasking,
    SpanMasking,
]
ALL = [*WORDS, FragmentMasking]


def vocabulary(size=5000):
    """Special tokens first; every fourth of the others goes on with a word."""
    words = [f"{'' if id % 4 else '##'}{id}" for id in range(5, size)]
    return WordVocabulary(words, special_tokens=["[MASK]"])


def texts(rows, time=128, shortest=None, size=5000, seed=0):
    """Rows of random tokens between [START] and [END], filled up."""
    generator = np.random.RandomState(seed)
    ids = generator.randint(5, size, size=(rows, time))
    shortest = time if shortest is None else shortest
    lengths = generator.randint(shortest, time + 1, size=(rows, 1))
    at = np.arange(time)
    ids[at >= lengths] = PAD
    ids[at == lengths - 1] = END
    ids[:, 0] = START
    return ids.astype("int32")


def units(ids, seed=0):
    """Units of one or two tokens."""
    begins = np.random.RandomState(seed).random_sample(ids.shape) < 0.6
    numbers = np.cumsum(begins, axis=1)
    return np.where(ids < 5, -1, numbers)


def parts(masking, ids):
    """What else a strategy is called with."""
    return {"units": units(ids)} if isinstance(masking, PhraseMasking) else {}
