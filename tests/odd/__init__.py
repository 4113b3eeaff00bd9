"""Odd files of data, made at random from a seed, and what they say by hand.

Files that are well-formed in an unusual way must be read, damaged ones must be
refused; where bytes were struck at random, a file is refused, or says what the
reader of its format reads in it.
"""

import random

from odd import lines, questions, rows
from odd.cases import case_of

_SOURCES = {
    "tsv": rows,
    "csv": rows,
    "jsonl": rows,
    "conll": lines,
    "conllu": lines,
    "squad": questions,
}


def make(seed):
    """The `Case` of a seed; kinds take turns."""
    rng = random.Random(seed)
    kind = list(_SOURCES)[seed % len(_SOURCES)]
    return case_of(kind, _SOURCES[kind].source(kind, rng), rng)
