"""Characters and words: ids, text, arrays, files."""

import json
import os
import pathlib
import subprocess
import sys
import unicodedata

import keras
import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from keras_dl.text import (
    CharacterVocabulary,
    SubwordVocabulary,
    Vocabulary,
    WordVocabulary,
)

TEXTS = [
    "The cat doesn't sit on the mat.",
    "The dog sits on the cat, naïvely: 北京!",
    "A dog and a cat.",
]
KINDS = [CharacterVocabulary, WordVocabulary, SubwordVocabulary]


def train(kind, **arguments):
    return kind.train(TEXTS, size=60, **arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_come_first(kind):
    vocabulary = train(kind, special_tokens=["[MASK]"])
    first = ("[PAD]", "[UNK]", "[START]", "[END]", "[MASK]")
    assert vocabulary.tokens[:5] == first
    assert vocabulary.special_ids == (0, 1, 2, 3, 4)
    ids = [vocabulary.special_id(n) for n in ("pad", "unknown", "start", "end")]
    assert ids == [0, 1, 2, 3]
    assert len(vocabulary) == vocabulary.size == len(vocabulary.tokens)
    assert vocabulary.token_to_id("[MASK]") == 4
    assert "[MASK]" in vocabulary and "[CLS]" not in vocabulary
    assert ["[MASK]"] not in vocabulary
    for id, token in enumerate(vocabulary.tokens):
        assert vocabulary.id_to_token(id) == token
        assert vocabulary.token_to_id(token) == id


def test_characters_round_trip():
    vocabulary = CharacterVocabulary.train(TEXTS)
    for text in [*TEXTS, "", " 北\n京 "[1:2]]:
        assert vocabulary.decode(vocabulary.encode(text)) == text
    assert vocabulary.tokenize("a cat") == ["a", " ", "c", "a", "t"]
    assert vocabulary.decode(vocabulary.encode("czt")) == "c[UNK]t"


@pytest.mark.parametrize("lowercase", [False, True])
def test_characters_are_counted(lowercase):
    counter = CountVectorizer(analyzer="char", lowercase=lowercase)
    vocabulary = CharacterVocabulary.train(TEXTS, lowercase=lowercase)
    assert list(vocabulary.tokens[4:]) == by_count(counter, TEXTS)


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize(("size", "min_count"), [(None, 1), (9, 1), (None, 2)])
def test_words_are_counted(lowercase, size, min_count):
    pattern = r"\w+"
    counter = CountVectorizer(token_pattern=pattern, lowercase=lowercase)
    expected = by_count(counter, TEXTS, min_count)[: size and size - 4]
    vocabulary = WordVocabulary.train(
        TEXTS, size, min_count, lowercase, pattern=pattern
    )
    assert list(vocabulary.tokens[4:]) == expected


def by_count(counter, texts, min_count=1):
    counts = np.asarray(counter.fit_transform(texts).sum(axis=0))[0]
    names = counter.get_feature_names_out()
    pairs = sorted(zip(-counts, names, strict=True))
    return [name for count, name in pairs if -count >= min_count]


def test_words():
    vocabulary = WordVocabulary.train(TEXTS)
    words = ["The", "cat", "doesn't", "sit", "on", "the", "mat", "."]
    assert vocabulary.tokenize(TEXTS[0]) == words
    assert vocabulary.decode(vocabulary.encode(TEXTS[0])) == " ".join(words)
    assert vocabulary.decode(vocabulary.encode("The cow")) == "The [UNK]"
    assert WordVocabulary(["a"], pattern=r"\S+").tokenize("a b.") == ["a", "b."]
    assert vocabulary.tokenize("don\u2019t 'no'") == [
        "don\u2019t",
        *"'",
        "no",
        "'",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["हिन्दी", "में", "लिखा", "है"],  # Vowel signs and viramas.
        [unicodedata.normalize("NFD", word) for word in ("naïve", "l'été")],
        ["தமிழ்", "ไทย", "עִבְרִית"],
    ],
)
def test_words_go_on_through_combining_marks(words):
    vocabulary = WordVocabulary.train([" ".join(words) + "."])
    assert vocabulary.tokenize(",".join(words)) == ",".join(words).replace(
        ",", "\0,\0"
    ).split("\0")
    assert set(vocabulary.tokens[4:]) == {*words, "."}


@pytest.mark.parametrize("kind", [CharacterVocabulary, WordVocabulary])
def test_size_counts_special_tokens(kind):
    vocabulary = kind.train(TEXTS, size=9, special_tokens=["[MASK]", "[CLS]"])
    assert vocabulary.size == 9


def test_lowercase():
    for kind in KINDS:
        vocabulary = train(kind, lowercase=True)
        assert vocabulary.encode("THE CAT.") == vocabulary.encode("the cat.")
        cased = train(kind)
        assert cased.encode("The cat.") != cased.encode("the cat.")


def test_text_never_turns_into_a_special_token():
    texts = ["[PAD] <s> mask [END] mask"]
    words = WordVocabulary.train(texts, special_tokens=["mask"], pattern=r"\S+")
    assert words.tokens[5:] == ("<s>",)
    assert words.encode(texts[0]) == [1, 5, 1, 1, 1]
    pieces = SubwordVocabulary.train(texts, 40, special_tokens=["mask"])
    assert pieces.encode("mask") == [1]
    assert min(pieces.encode("[PAD]")) > 4


@pytest.mark.parametrize("kind", KINDS)
def test_decode_stops_at_the_end_and_skips_special_tokens(kind):
    vocabulary = train(kind)
    (a,) = vocabulary.encode("A")
    assert vocabulary.encode("A", start=True, end=True) == [2, a, 3]
    assert vocabulary.decode([2, a, 3, a, 0]) == "A"
    assert vocabulary.decode([0, 2, a, 0]) == "A"
    assert "[UNK]" in vocabulary.decode([1, a])
    shown = vocabulary.decode([2, a, 3, a, 0], skip_special=False)
    assert shown.replace(" ", "") == "[START]A[END]"
    rows = np.array([[2, a, 3], [a, 3, a]])
    assert vocabulary.decode_batch(rows) == ["A", "A"]
    tensor = keras.ops.convert_to_tensor(rows)
    assert vocabulary.decode_batch(tensor) == ["A", "A"]
    assert vocabulary.decode(tensor[0]) == "A"
    assert vocabulary.decode([]) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_encode_batch_pads_as_keras_does(kind):
    vocabulary = train(kind)
    rows = [vocabulary.encode(text, end=True) for text in TEXTS]
    expected = keras.utils.pad_sequences(rows, padding="post")
    batch = vocabulary.encode_batch(TEXTS, end=True)
    assert batch.dtype == "int32"
    np.testing.assert_array_equal(batch, expected)
    np.testing.assert_array_equal(vocabulary.pad(rows), expected)
    cut = keras.utils.pad_sequences(
        rows, maxlen=3, padding="post", truncating="post"
    )
    np.testing.assert_array_equal(vocabulary.pad(rows, 3), cut)
    assert vocabulary.pad([[1], [2, 3]], 4).tolist() == [
        [1, 0, 0, 0],
        [2, 3, 0, 0],
    ]


def test_a_text_that_is_cut_keeps_its_ends():
    vocabulary = CharacterVocabulary(list("abc"))
    batch = vocabulary.encode_batch(["abcabc", "a"], 4, start=True, end=True)
    assert batch.tolist() == [[2, 4, 5, 3], [2, 4, 3, 0]]


VARIANTS = [
    CharacterVocabulary.train(TEXTS, special_tokens=["[CLS]"]),
    WordVocabulary.train(TEXTS, lowercase=True, pattern=r"\w+"),
    SubwordVocabulary.train(TEXTS, 70, special_tokens=["[MASK]"]),
    SubwordVocabulary.train(TEXTS, 280, model="bpe"),
]


@pytest.mark.parametrize("vocabulary", VARIANTS)
def test_config_and_file_give_an_equal_vocabulary(vocabulary, tmp_path):
    config = keras.saving.serialize_keras_object(vocabulary)
    assert config["registered_name"].startswith("keras_dl>")
    again = keras.saving.deserialize_keras_object(
        json.loads(json.dumps(config))
    )
    path = tmp_path / "vocabulary.json"
    path.write_text("an older file")
    vocabulary.save(path)
    assert os.listdir(tmp_path) == ["vocabulary.json"]
    for other in (again, Vocabulary.load(path), type(vocabulary).load(path)):
        assert type(other) is type(vocabulary)
        assert other.tokens == vocabulary.tokens
        assert other.get_config() == vocabulary.get_config()
        for text in TEXTS:
            assert other.encode(text) == vocabulary.encode(text)


@keras.saving.register_keras_serializable("keras_dl_tests")
class Reader(keras.Model):
    """A model that carries its vocabulary."""

    def __init__(self, vocabulary, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary = vocabulary
        self.embedding = keras.layers.Embedding(vocabulary.size, 2)

    def call(self, inputs):
        return self.embedding(inputs)

    def get_config(self):
        vocabulary = keras.saving.serialize_keras_object(self.vocabulary)
        return {**super().get_config(), "vocabulary": vocabulary}

    @classmethod
    def from_config(cls, config):
        config["vocabulary"] = keras.saving.deserialize_keras_object(
            config["vocabulary"]
        )
        return cls(**config)


@pytest.mark.parametrize("vocabulary", VARIANTS)
def test_a_vocabulary_travels_in_a_saved_model(vocabulary, tmp_path):
    model = Reader(vocabulary)
    model(vocabulary.encode_batch(TEXTS))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.vocabulary.encode(TEXTS[1]) == vocabulary.encode(TEXTS[1])


def test_a_damaged_or_foreign_file_is_refused(tmp_path):
    path = tmp_path / "vocabulary.json"
    VARIANTS[1].save(path)
    whole = path.read_text()
    damaged = {
        whole[:-30]: "damaged",
        whole.replace('"cat"', '"cow"'): "checksum",
        whole.replace('"version": 1', '"version": 7'): "version 7",
        '{"tokens": []}': "not the file of a vocabulary",
        "[1]": "not the file of a vocabulary",
        "": "damaged",
    }
    for content, message in damaged.items():
        assert content != whole
        path.write_text(content)
        with pytest.raises(ValueError, match=f"vocabulary.json.*{message}"):
            Vocabulary.load(path)
    path.write_text(whole)
    with pytest.raises(ValueError, match="not a CharacterVocabulary"):
        CharacterVocabulary.load(path)
    path.write_text(whole.replace("WordVoc", "BirdVoc"))
    with pytest.raises(ValueError, match=r"keras_dl>BirdVocabulary"):
        Vocabulary.load(path)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "vocabulary.json"
    VARIANTS[0].save(path)
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        VARIANTS[1].save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["vocabulary.json"]


def test_an_opened_file_stays_as_it_was(tmp_path):
    """Saving puts a new file in its place: nobody reads half of it."""
    path = tmp_path / "vocabulary.json"
    VARIANTS[0].save(path)
    before = path.read_bytes()
    with open(path, "rb") as opened:
        VARIANTS[1].save(path)
        assert opened.read() == before != path.read_bytes()


def test_hash_seed_and_order_of_texts_do_not_matter():
    code = (
        "import json, sys; from keras_dl.text import *; "
        "texts = json.loads(sys.argv[1]); "
        "print(json.dumps([CharacterVocabulary.train(texts).tokens, "
        "WordVocabulary.train(texts).tokens, "
        "SubwordVocabulary.train(texts, 80).tokens, "
        "SubwordVocabulary.train(texts, 280, model='bpe').tokens]))"
    )
    hash_seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(TEXTS[::-1])],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=pathlib.Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    here = [
        CharacterVocabulary.train(TEXTS),
        WordVocabulary.train(TEXTS),
        SubwordVocabulary.train(TEXTS, 80),
        SubwordVocabulary.train(TEXTS, 280, model="bpe"),
    ]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == [list(vocabulary.tokens) for vocabulary in here]


WORDS = WordVocabulary(["a", "b"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: WORDS.decode([4, 6]), "`ids`.*0 to 5.*Received: 6"),
        (lambda: WORDS.decode([-1]), "`ids`.*Received: -1"),
        (lambda: WORDS.decode([[4]]), "`ids`.*one dimension"),
        (lambda: WORDS.decode([4.0]), "`ids`.*integers"),
        (lambda: WORDS.decode(5), "`ids`.*one dimension.*Received: 5"),
        (lambda: WORDS.decode([[5], [4, 5]]), r"`ids`.*\[\[5\], \[4, 5\]\]"),
        (lambda: WORDS.decode_batch([4, 5]), "`ids`.*Received: 4"),
        (lambda: WORDS.decode_batch(4), "`ids`.*rows.*Received: 4"),
        (lambda: WORDS.id_to_token(6), "`id`.*at most 5.*id=6"),
        (lambda: WORDS.token_to_id("[MASK]"), r"`token`.*\[PAD\].*\[MASK\]"),
        (lambda: WORDS.special_id("cls"), "`name`.*'pad'.*'mask'.*'cls'"),
        (lambda: WORDS.special_id("mask"), "'mask'.*special_tokens"),
        (lambda: WORDS.pad([[4]], 0), "`length`.*at least 1.*length=0"),
        (lambda: WORDS.pad([[4, 5]], 1, "error"), "`length`.*at least 2"),
        (lambda: WORDS.pad([[4]], 1, "start"), "`truncate`.*'start'"),
        (
            lambda: WORDS.encode_batch(["a"], 2, start=True, end=True),
            "`length`.*at least 3.*length=2",
        ),
        (
            lambda: WORDS.encode_batch(["a b"], 2, end=True, truncate="error"),
            "`length`.*at least 3.*length=2",
        ),
        (lambda: WordVocabulary(["a", "a"]), "`tokens`.*'a' more than once"),
        (lambda: WordVocabulary([""]), "`tokens`.*empty"),
        (lambda: WordVocabulary(["[PAD]"]), r"`tokens`.*special.*\[PAD\]"),
        (lambda: WordVocabulary(["a"], pattern="("), "`pattern`"),
        (lambda: CharacterVocabulary(["ab"]), "`tokens`.*single.*'ab'"),
        (
            lambda: WordVocabulary.train(["a"], special_tokens=["[END]"]),
            r"`special_tokens`.*different.*\[END\]",
        ),
        (lambda: WordVocabulary.train(["a"], size=4), "`size`.*at least 5"),
        (lambda: WordVocabulary.train(["a"], min_count=0), "`min_count`"),
        (lambda: WordVocabulary.train([]), "`texts`.*0 texts"),
        (lambda: CharacterVocabulary.train([" "]), "`texts`.*1 texts"),
        (lambda: SubwordVocabulary.train([""]), "`texts`.*1 texts"),
    ],
)
def test_wrong_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: WordVocabulary.train("a text"), "`texts`.*several.*'a text'"),
        (lambda: WordVocabulary.train(["a", 2]), r"`texts\[1\]`.*Received: 2"),
        (lambda: WORDS.encode(["a"]), "`text` must be a string"),
        (lambda: WORDS.encode_batch("a"), "`texts`.*several"),
        (lambda: WORDS.tokenize(None), "`text`.*None"),
        (lambda: WordVocabulary.train(None), "`texts`.*several.*None"),
        (lambda: WORDS.token_to_id(["a"]), r"`token`.*string.*\['a'\]"),
    ],
)
def test_wrong_types(call, message):
    with pytest.raises(TypeError, match=message):
        call()
