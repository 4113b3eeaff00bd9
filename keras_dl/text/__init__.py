"""Text without TensorFlow: vocabularies, batches and a baseline."""

from keras_dl.text.characters import CharacterVocabulary
from keras_dl.text.language_model import LanguageModelBatches
from keras_dl.text.ngram import NGram, ngram_perplexity
from keras_dl.text.subwords import SubwordVocabulary
from keras_dl.text.teacher_forcing import TeacherForcingBatches
from keras_dl.text.vocabulary import Vocabulary
from keras_dl.text.words import WordVocabulary
from keras_dl.text.wrapped import as_vocabulary

__all__ = [
    "CharacterVocabulary",
    "LanguageModelBatches",
    "NGram",
    "SubwordVocabulary",
    "TeacherForcingBatches",
    "Vocabulary",
    "WordVocabulary",
    "as_vocabulary",
    "ngram_perplexity",
]
