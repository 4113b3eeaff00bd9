"""encode_with_offsets: where in a text its tokens stand."""

import itertools
import random

import keras
import pytest
import tokenizers

from keras_dl.text.vocabularies.characters import CharacterVocabulary
from keras_dl.text.vocabularies.external_tokenizers import as_vocabulary
from keras_dl.text.vocabularies.subwords import SubwordVocabulary
from keras_dl.text.vocabularies.vocabulary import Vocabulary
from keras_dl.text.vocabularies.words import WordVocabulary

TEXTS = [
    "The cat doesn't sit on the mat, the cats sang songs.",
    "Straße, naïve café: zebras don't run in 北京 or İstanbul!",
]
HARD = [
    *TEXTS,
    "",
    "  two  spaces\n\tand a\x00control\u200b character ",
    "İİ İx ΑΣ ΑΣΑ ẞK",  # Longer in lower case, or context decides.
    "unknown ξύλο 😀é [PAD][UNK] <s>",
    "e\u0301tude हिन्दी",
]
KINDS = [
    lambda **more: CharacterVocabulary.train(TEXTS, **more),
    lambda **more: WordVocabulary.train(TEXTS, **more),
    lambda **more: SubwordVocabulary.train(TEXTS, 110, **more),
    lambda **more: SubwordVocabulary.train(TEXTS, 300, model="bpe", **more),
]


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("make", KINDS)
def test_offsets_ascend_and_lie_in_the_text(make, lowercase):
    vocabulary = make(lowercase=lowercase)
    shared = lowercase or getattr(vocabulary, "model", None) == "bpe"
    generator = random.Random(0)
    letters = "aZ .'İΣé\u0301\x00\n北😀ß"
    texts = [
        "".join(generator.choice(letters) for _ in range(20)) for _ in range(99)
    ]
    for text in HARD + texts:
        ids, offsets = vocabulary.encode_with_offsets(text)
        assert ids == vocabulary.encode(text)
        assert len(offsets) == len(ids)
        assert all(0 <= begin < end <= len(text) for begin, end in offsets)
        for (begin, end), (later, last) in itertools.pairwise(offsets):
            assert begin <= later and end <= last
            # Parts of a character: its bytes, or those of its lower case.
            assert end - later <= shared


def plain(token):
    return token.removeprefix("##").replace("Ġ", " ")


@pytest.mark.parametrize("make", KINDS)
def test_offsets_cut_out_the_tokens(make):
    vocabulary = make()
    for text in TEXTS[:1]:
        ids, offsets = vocabulary.encode_with_offsets(text)
        tokens = vocabulary.tokenize(text)
        assert len(ids) == len(tokens) > 10
        for token, (begin, end) in zip(tokens, offsets, strict=True):
            assert text[begin:end] == plain(token)


@pytest.mark.parametrize("make", KINDS)
def test_offsets_are_those_before_lower_case(make):
    vocabulary = make(lowercase=True)
    text = "İİ THE Cat"
    _, offsets = vocabulary.encode_with_offsets(text)
    found = []
    for token, (begin, end) in zip(
        vocabulary.tokenize(text), offsets, strict=True
    ):
        if begin > 1:
            assert text[begin:end].lower() == plain(token)
            found.append(text[begin:end])
    assert "".join(found).replace(" ", "") == "THECat"


def test_characters_and_words_that_grow():
    letters = CharacterVocabulary(list("ix"), lowercase=True)
    dot = letters.unknown_id
    ids, offsets = letters.encode_with_offsets("xİx")
    assert ids == [5, 4, dot, 5]
    assert offsets == [(0, 1), (1, 2), (1, 2), (2, 3)]
    words = WordVocabulary(["i̇x", "b"], lowercase=True)
    assert words.encode_with_offsets("İ İX, B") == (
        [1, 4, 1, 5],
        [(0, 1), (2, 4), (4, 5), (6, 7)],
    )


def test_matches_of_nothing_are_no_words():
    words = WordVocabulary(["a"], pattern="a*")
    assert words.encode_with_offsets("ba") == ([4], [(1, 2)])


def test_unknown_words_have_a_place():
    words = WordVocabulary(["the", "cat"])
    assert words.encode_with_offsets("the  red cat!") == (
        [4, 1, 5, 1],
        [(0, 3), (5, 8), (9, 12), (12, 13)],
    )
    pieces = SubwordVocabulary(["c", "##a", "##t"])
    assert pieces.encode_with_offsets("cat  red, \x00cat") == (
        [4, 5, 6, 1, 1, 4, 5, 6],
        [(0, 1), (1, 2), (2, 3), (5, 8), (8, 9), (11, 12), (12, 13), (13, 14)],
    )


def test_parts_of_a_character_share_its_place():
    vocabulary = SubwordVocabulary.train(["a b"] * 9, 260, model="bpe")
    ids, offsets = vocabulary.encode_with_offsets("é😀a")
    assert len(ids) == 7
    assert offsets == [(0, 1)] * 2 + [(1, 2)] * 4 + [(2, 3)]


def test_text_never_turns_into_a_special_token():
    vocabulary = WordVocabulary(["a"], special_tokens=["b"], pattern=r"\S+")
    ids, offsets = vocabulary.encode_with_offsets("[PAD] a b")
    assert ids == [1, 5, 1] and offsets == [(0, 5), (6, 7), (8, 9)]
    pieces = SubwordVocabulary(["a"], special_tokens=["b"])
    assert pieces.encode_with_offsets("b a") == ([1, 5], [(0, 1), (2, 3)])


def test_tokenizers_from_elsewhere():
    ids = {"<unk>": 0, "the": 1, "cat": 2, "<s>": 3, "</s>": 4}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(ids, "<unk>"))
    made.normalizer = tokenizers.normalizers.Lowercase()
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 3), ("</s>", 4)]
    )
    vocabulary = as_vocabulary(made)
    expected = [1, 0, 2], [(0, 3), (4, 6), (8, 11)]
    assert vocabulary.encode_with_offsets("The İx  CAT") == expected
    assert vocabulary._many_with_offsets(["The İx  CAT"] * 2) == [expected] * 2


def test_tokenizers_of_keras_hub_cannot_tell():
    keras_hub = pytest.importorskip(
        "keras_hub", reason="keras-hub is not installed"
    )
    vocabulary = as_vocabulary(keras_hub.tokenizers.ByteTokenizer())
    message = (
        r"vocabulary of keras_dl\.text, or `as_vocabulary` of a "
        r"tokenizers\.Tokenizer.*a ByteTokenizer of keras-hub"
    )
    with pytest.raises(ValueError, match=message):
        vocabulary.encode_with_offsets("a")


def test_vocabularies_of_others_cannot_tell():
    class Mine(Vocabulary):
        pass

    with pytest.raises(ValueError, match="Received: Mine"):
        Mine().encode_with_offsets("a")


def test_only_strings():
    for vocabulary in (WordVocabulary(["a"]), SubwordVocabulary(["a"])):
        with pytest.raises(TypeError, match="`text` must be a string"):
            vocabulary.encode_with_offsets(["a"])


def test_a_file_gives_the_same_offsets(tmp_path):
    vocabulary = KINDS[2](lowercase=True)
    config = keras.saving.serialize_keras_object(vocabulary)
    again = keras.saving.deserialize_keras_object(config)
    for text in HARD:
        expected = vocabulary.encode_with_offsets(text)
        assert again.encode_with_offsets(text) == expected
