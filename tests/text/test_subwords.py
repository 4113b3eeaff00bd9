"""Subwords, beside the package `tokenizers` used directly."""

import sys

import pytest
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from keras_dl.text import SubwordVocabulary

TEXTS = [
    "the cat sat on the mat, the cats sang songs",
    "Straße, naïve café: zebras don't run in 北京",
    "low lower lowest; slow slower slowest",
] * 3
SPECIAL = ["[PAD]", "[UNK]", "[START]", "[END]"]


def direct_bpe(size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


@pytest.mark.parametrize("size", [260, 300])
def test_bpe_is_that_of_tokenizers(size):
    vocabulary = SubwordVocabulary.train(TEXTS, size, model="bpe")
    tokenizer = direct_bpe(size)
    known = tokenizer.get_vocab()
    assert list(vocabulary.tokens) == sorted(known, key=known.get)
    for text in [*TEXTS, "unseen words!"]:
        encoded = tokenizer.encode(text)
        assert vocabulary.encode(text) == encoded.ids
        assert vocabulary.tokenize(text) == encoded.tokens


@pytest.mark.parametrize(
    "text",
    ["", "  a \n\t b ", "北京 😀 naïve", "[PAD][END] <s>", "\x00\x7fé\r\n"],
)
def test_bytes_give_back_any_text(text):
    vocabulary = SubwordVocabulary.train(TEXTS, 290, model="bpe")
    ids = vocabulary.encode(text, start=True, end=True)
    assert vocabulary.decode(ids) == text
    assert vocabulary.decode_batch(vocabulary.encode_batch([text])) == [text]
    assert not set(ids[1:-1]) & set(vocabulary.special_ids)


def test_wordpiece_cuts_as_tokenizers_does():
    vocabulary = SubwordVocabulary.train(TEXTS, 90)
    ids = {token: id for id, token in enumerate(vocabulary.tokens)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(
        lowercase=False, strip_accents=False
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    for text in [*TEXTS, "slows catsat", "unseen: ξ"]:
        encoded = tokenizer.encode(text)
        assert vocabulary.encode(text) == encoded.ids
        assert vocabulary.tokenize(text) == encoded.tokens


def test_wordpiece_learns_words_and_gives_them_back():
    vocabulary = SubwordVocabulary.train(TEXTS, 500)
    assert {"the", "slowest", "cats"} <= set(vocabulary.tokens)
    text = "the cat, slowest zebras"
    small = SubwordVocabulary.train(TEXTS, 80)
    assert small.size == 80
    assert len(small.encode(text)) > len(vocabulary.encode(text)) == 5
    for known in (small, vocabulary):
        assert known.decode(known.encode(text)) == "the cat , slowest zebras"
        assert known.decode(known.encode("the ξ")) == "the [UNK]"


@pytest.mark.parametrize("model", ["wordpiece", "bpe"])
def test_lowercase_keeps_accents(model):
    vocabulary = SubwordVocabulary.train(
        TEXTS, 500, lowercase=True, model=model
    )
    assert (
        vocabulary.decode(vocabulary.encode("NAÏVE Straße")) == "naïve straße"
    )


def test_long_words():
    vocabulary = SubwordVocabulary(["ab", "##ab"])
    assert vocabulary.decode(vocabulary.encode(500 * "ab")) == 500 * "ab"
    assert vocabulary.encode(501 * "ab") == [vocabulary.unknown_id]


def test_min_count():
    often = SubwordVocabulary.train(TEXTS, 500, min_count=4)
    assert "the" in often and "slowest" not in often


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "unigram"}, "`model`.*'wordpiece'.*'unigram'"),
        ({"model": "bpe", "size": 259}, "`size`.*at least 260.*size=259"),
        ({"size": 10}, "`size`.*at least.*size=10"),
        ({"special_tokens": ["[PAD]"]}, "`special_tokens`"),
        (
            {"model": "bpe", "special_tokens": ["[MASK]", "a"]},
            "`special_tokens`.*single.*'a'",
        ),
    ],
)
def test_wrong_training(arguments, message):
    with pytest.raises(ValueError, match=message):
        SubwordVocabulary.train(TEXTS, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"merges": [["a", "b"]]}, "`merges` must be None"),
        ({"model": "bpe", "merges": [["a", "c"]]}, r"`merges`.*\['a', 'c'\]"),
        ({"model": "bpe", "merges": [["a"]]}, r"`merges`.*\['a'\]"),
        (
            {"model": "bpe", "merges": [["a", "b"]], "special_tokens": ["ab"]},
            "`merges`.*not special",
        ),
    ],
)
def test_wrong_merges(arguments, message):
    with pytest.raises(ValueError, match=message):
        SubwordVocabulary(["a", "b"], **arguments)


def test_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r'pip install "keras_dl\[nlp\]"'):
        SubwordVocabulary(["a"])
