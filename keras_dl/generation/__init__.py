"""Generation of sequences, once for every model."""

from keras_dl.generation.beam_search import BeamSearch
from keras_dl.generation.generate import generate
from keras_dl.generation.sampling import Greedy, Sampling

__all__ = ["BeamSearch", "Greedy", "Sampling", "generate"]
