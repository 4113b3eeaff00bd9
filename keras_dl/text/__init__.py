"""Text without TensorFlow: vocabularies, batches, masking, spans and tags."""

from keras_dl.text.attention_patterns import AttentionPatterns
from keras_dl.text.batch_parts import BatchPart
from keras_dl.text.characters import CharacterVocabulary
from keras_dl.text.entities import EntityAlignments
from keras_dl.text.fragment_decoding import FragmentDecoding
from keras_dl.text.language_model import LanguageModelBatches
from keras_dl.text.masked_batches import MaskedBatches
from keras_dl.text.masking import Masking, TokenMasking, masked_positions
from keras_dl.text.ngram import NGram, ngram_perplexity
from keras_dl.text.packing import (
    Packed,
    pack_document_sentences,
    pack_full_sentences,
)
from keras_dl.text.pair_packing import pack_ordered_pairs, pack_pairs
from keras_dl.text.pairs import encode_pairs
from keras_dl.text.span_masking import (
    FragmentMasking,
    NGramMasking,
    SpanMasking,
    span_boundaries,
)
from keras_dl.text.spans import FoundAnswer, FoundAnswers, SpanWindows
from keras_dl.text.squad import Questions, read_squad
from keras_dl.text.subwords import SubwordVocabulary
from keras_dl.text.tagging import TaggedWords, read_conll
from keras_dl.text.target_masking import TargetMasking
from keras_dl.text.teacher_forcing import TeacherForcingBatches
from keras_dl.text.vocabulary import Vocabulary
from keras_dl.text.word_masking import UnitMasking, WholeWordMasking
from keras_dl.text.words import WordVocabulary
from keras_dl.text.wrapped import as_vocabulary

__all__ = [
    "AttentionPatterns",
    "BatchPart",
    "CharacterVocabulary",
    "EntityAlignments",
    "FoundAnswer",
    "FoundAnswers",
    "FragmentDecoding",
    "FragmentMasking",
    "LanguageModelBatches",
    "MaskedBatches",
    "Masking",
    "NGram",
    "NGramMasking",
    "Packed",
    "Questions",
    "SpanMasking",
    "SpanWindows",
    "SubwordVocabulary",
    "TaggedWords",
    "TargetMasking",
    "TeacherForcingBatches",
    "TokenMasking",
    "UnitMasking",
    "Vocabulary",
    "WholeWordMasking",
    "WordVocabulary",
    "as_vocabulary",
    "encode_pairs",
    "masked_positions",
    "ngram_perplexity",
    "pack_document_sentences",
    "pack_full_sentences",
    "pack_ordered_pairs",
    "pack_pairs",
    "read_conll",
    "read_squad",
    "span_boundaries",
]
