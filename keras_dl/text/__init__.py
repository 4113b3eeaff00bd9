"""Text without TensorFlow: vocabularies, batches, masking, spans and tags."""

from keras_dl.text.augmentation.candidates import (
    MaskedLMCandidates,
    VectorCandidates,
)
from keras_dl.text.augmentation.word_replacement import WordReplacement
from keras_dl.text.examples.answer_candidates import (
    AnswerCandidate,
    AnswerCandidates,
)
from keras_dl.text.examples.attention_patterns import AttentionPatterns
from keras_dl.text.examples.batch_parts import BatchPart
from keras_dl.text.examples.conll import read_conll
from keras_dl.text.examples.entity_alignments import EntityAlignments
from keras_dl.text.examples.fragment_decoding import FragmentDecoding
from keras_dl.text.examples.language_model_batches import LanguageModelBatches
from keras_dl.text.examples.masked_batches import MaskedBatches
from keras_dl.text.examples.pairs import encode_pairs
from keras_dl.text.examples.spans import SpanWindows
from keras_dl.text.examples.squad import Questions, read_squad
from keras_dl.text.examples.tagging import TaggedWords
from keras_dl.text.examples.teacher_forcing_batches import TeacherForcingBatches
from keras_dl.text.masking.fragment_masking import FragmentMasking
from keras_dl.text.masking.masking import Masking, masked_positions
from keras_dl.text.masking.ngram_masking import NGramMasking
from keras_dl.text.masking.phrase_masking import PhraseMasking
from keras_dl.text.masking.span_masking import SpanMasking, span_boundaries
from keras_dl.text.masking.target_masking import TargetMasking
from keras_dl.text.masking.token_masking import TokenMasking
from keras_dl.text.masking.word_masking import WholeWordMasking
from keras_dl.text.ngram import NGram, ngram_perplexity
from keras_dl.text.packing.packing import (
    Packed,
    pack_document_sentences,
    pack_full_sentences,
)
from keras_dl.text.packing.pair_packing import pack_ordered_pairs, pack_pairs
from keras_dl.text.vocabularies.characters import CharacterVocabulary
from keras_dl.text.vocabularies.external_tokenizers import as_vocabulary
from keras_dl.text.vocabularies.subwords import SubwordVocabulary
from keras_dl.text.vocabularies.vocabulary import Vocabulary
from keras_dl.text.vocabularies.words import WordVocabulary

__all__ = [
    "AnswerCandidate",
    "AnswerCandidates",
    "AttentionPatterns",
    "BatchPart",
    "CharacterVocabulary",
    "EntityAlignments",
    "FragmentDecoding",
    "FragmentMasking",
    "LanguageModelBatches",
    "MaskedBatches",
    "MaskedLMCandidates",
    "Masking",
    "NGram",
    "NGramMasking",
    "Packed",
    "PhraseMasking",
    "Questions",
    "SpanMasking",
    "SpanWindows",
    "SubwordVocabulary",
    "TaggedWords",
    "TargetMasking",
    "TeacherForcingBatches",
    "TokenMasking",
    "VectorCandidates",
    "Vocabulary",
    "WholeWordMasking",
    "WordReplacement",
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
