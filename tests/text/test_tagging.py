"""TaggedWords: tags for the first tokens of words, and back."""

import keras
import numpy as np
import pytest

from keras_dl.datasets import Batches
from keras_dl.text.examples.conll import read_conll
from keras_dl.text.examples.tagging import TaggedWords
from keras_dl.text.vocabularies.characters import CharacterVocabulary
from keras_dl.text.vocabularies.external_tokenizers import as_vocabulary
from keras_dl.text.vocabularies.subwords import SubwordVocabulary
from keras_dl.text.vocabularies.words import WordVocabulary

SENTENCES = [
    ["EU", "rejects", "German", "call", "to", "boycott", "lamb", "."],
    ["Peter", "Blackburn", "'s", "café", "in", "北京", "re-opened"],
    [],
    ["BRUSSELS", "1996-08-22"],
]
TAGS = [
    ["I-ORG", "O", "I-MISC", "O", "O", "O", "I-MISC", "O"],
    ["I-PER", "I-PER", "O", "O", "O", "I-LOC", "O"],
    [],
    ["I-LOC", "O"],
]
TEXTS = [" ".join(words) for words in SENTENCES]
VOCABULARIES = {
    "words": WordVocabulary.train(TEXTS, pattern=r"\S+", size=12),
    "wordpiece": SubwordVocabulary.train(TEXTS, 70, lowercase=True),
    "bpe": SubwordVocabulary.train(TEXTS, 270, model="bpe"),
    "characters": CharacterVocabulary.train(TEXTS, size=20),
}
NUMBERS = WordVocabulary(list("abcd"), pattern=r"[a-z]")


def tagged_of(name, **arguments):
    given = {"length": 80, **arguments}
    return TaggedWords(SENTENCES, TAGS, VOCABULARIES[name], **given)


def few(*sentences, length=6, tags=None, **arguments):
    """Words of letters, a token each; tags are their first letters."""
    if tags is None:
        tags = [[word[:1] for word in words] for words in sentences]
    return TaggedWords(sentences, tags, NUMBERS, length, **arguments)


@pytest.mark.parametrize("name", VOCABULARIES)
def test_the_tags_come_back(name):
    tagged = tagged_of(name)
    assert tagged.tag_names == ("I-LOC", "I-MISC", "I-ORG", "I-PER", "O")
    assert tagged.num_cut == 0 and len(tagged) == 4
    assert tagged.tags.dtype == tagged.token_ids.dtype == "int32"
    # Nothing is read where there is no target.
    noise = np.random.RandomState(0).randint(-9, 99, size=(4, 80))
    ids = np.where(tagged.tags < 0, noise, tagged.tags)
    assert tagged.words_of(ids) == TAGS
    logits = np.eye(5, dtype="float32")[np.maximum(tagged.tags, 0)]
    assert tagged.words_of(logits) == TAGS
    assert tagged.words_of(keras.ops.convert_to_tensor(logits)) == TAGS
    # A target for each word, and none elsewhere.
    assert (tagged.tags >= 0).sum(axis=1).tolist() == [8, 7, 0, 2]


@pytest.mark.parametrize("name", ["words", "bpe", "characters"])
def test_rows_have_the_tokens_of_the_sentence(name):
    vocabulary = VOCABULARIES[name]
    ids = vocabulary.encode_batch(TEXTS, 80, start=True, end=True)
    np.testing.assert_array_equal(tagged_of(name).token_ids, ids)


@pytest.mark.parametrize("name", VOCABULARIES)
def test_targets_are_first_tokens_of_words(name):
    """The first token that has a character of the word, found by offsets."""
    vocabulary = VOCABULARIES[name]
    tagged = tagged_of(name)
    for row, words in enumerate(SENTENCES):
        ids, offsets = vocabulary.encode_with_offsets(" ".join(words))
        kept = tagged.token_ids[row, 1 : 1 + len(ids)]
        np.testing.assert_array_equal(kept, ids)
        begin, columns = 0, []
        for word in words:
            columns.append(
                1 + next(i for i, (_, end) in enumerate(offsets) if end > begin)
            )
            begin += len(word) + 1
        np.testing.assert_array_equal(
            np.flatnonzero(tagged.tags[row] >= 0), columns
        )


def test_rows():
    tagged = few(["ab", "c"], ["d"])
    assert tagged.token_ids.tolist() == [[2, 4, 5, 6, 3, 0], [2, 7, 3, 0, 0, 0]]
    assert tagged.tag_names == ("a", "c", "d")
    assert tagged.tags.tolist() == [[-1, 0, -1, 1, -1, -1], [-1, 2] + [-1] * 4]
    assert tagged.inputs == {"token_ids": tagged.token_ids}
    assert few(["ab", "cd"]).token_ids.tolist() == [[2, 4, 5, 6, 7, 3]]


def test_words_that_do_not_fit():
    sentences = [["ab", "cd", "a"], ["a", "bcdab", "c"], ["abcd"]]
    with pytest.raises(ValueError, match=r"at least 7 for sentences\[0\]"):
        few(*sentences)
    tagged = few(*sentences, truncate="end")
    assert tagged.num_cut == 3
    assert tagged.token_ids.tolist() == [
        [2, 4, 5, 6, 7, 3],
        [2, 4, 3, 0, 0, 0],  # A word that fits after one that does not goes.
        [2, 4, 5, 6, 7, 3],
    ]
    ids = np.maximum(tagged.tags, 0)
    assert tagged.words_of(ids) == [["a", "c", "O"], ["a", "O", "O"], ["a"]]
    assert tagged.words_of(ids, None)[0] == ["a", "c", None]


def test_words_without_tokens():
    sentence = ["a", "\x00\u200d", "b", ""]
    tagged = few(sentence, tags=[["X", "Y", "Z", "X"]])
    assert tagged.token_ids.tolist() == [[2, 4, 5, 3, 0, 0]]
    assert tagged.tags.tolist() == [[-1, 0, 2, -1, -1, -1]]
    found = tagged.words_of(np.maximum(tagged.tags, 0))
    assert found == [["X", "O", "Z", "O"]] and tagged.num_cut == 0
    pieces = SubwordVocabulary(["a", "b"])
    tagged = TaggedWords([sentence], [list("XYZX")], pieces, 6)
    assert tagged.tags.tolist() == [[-1, 0, 2, -1, -1, -1]]
    full = few(["abcd", "\x00", "a"], tags=[list("XYX")], truncate="end")
    assert full.num_cut == 1


def test_a_space_that_is_a_token_carries_no_tag():
    letters = CharacterVocabulary(["a", "b"])  # Without a space: unknown.
    tagged = TaggedWords([["ab", "", "b", "x"]], [list("XYZX")], letters, 9)
    assert tagged.token_ids.tolist() == [[2, 4, 5, 1, 5, 1, 1, 3, 0]]
    assert tagged.tags.tolist() == [[-1, 0, -1, -1, 2, -1, 0, -1, -1]]
    first = TaggedWords([["xa"]], [["X"]], letters, 4)  # Unknown, no space.
    assert first.tags.tolist() == [[-1, 0, -1, -1]]


def test_tokenizers_of_keras_hub():
    keras_hub = pytest.importorskip(
        "keras_hub", reason="keras-hub is not installed"
    )
    tokens = ["<pad>", *"abhelo", "Ġ", "he", "ll", "Ġhe", "<s>", "</s>"]
    made = keras_hub.tokenizers.BytePairTokenizer(
        vocabulary={token: id for id, token in enumerate(tokens)},
        merges=["h e", "l l", "Ġ he"],
        unsplittable_tokens=["<pad>", "<s>", "</s>"],
    )
    words = ["hello", "hell", "oh"]
    tagged = TaggedWords([words], [["A", "B", "C"]], made, 13)
    ids = as_vocabulary(made).encode("hello hell oh", start=True, end=True)
    assert tagged.token_ids[0, : len(ids)].tolist() == ids
    names = [tokens[id] for id in tagged.token_ids[0, tagged.tags[0] >= 0]]
    assert names == ["he", "Ġhe", "o"]


def test_names_of_tags():
    tagged = few(["a", "b"], tag_names=["b", "x", "a"])
    assert tagged.tags[0, 1:3].tolist() == [2, 0]
    assert tagged.words_of(np.ones((1, 6), "int")) == [["x", "x"]]
    blank = TaggedWords([["a", "b"]], None, NUMBERS, 6, ["O", "X"])
    assert (blank.tags == -1).all()
    assert blank.words_of(np.ones((1, 6), "int")) == [["X", "X"]]


def test_batches_and_fit():
    vocabulary = WordVocabulary.train(TEXTS, pattern=r"\S+")
    tagged = TaggedWords(SENTENCES, TAGS, vocabulary, 80)
    batches = Batches(tagged.inputs, tagged.tags, batch_size=2)
    inputs = {"token_ids": keras.Input((80,), dtype="int32", name="token_ids")}
    h = keras.layers.Embedding(len(vocabulary), 16)(inputs["token_ids"])
    model = keras.Model(inputs, keras.layers.Dense(5)(h))
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=-1
    )
    model.compile(keras.optimizers.Adam(0.1), loss)
    model.fit(batches, epochs=20, verbose=0)
    logits = model.predict(tagged.inputs, verbose=0)
    assert tagged.words_of(logits) == TAGS


CONLL = (
    "-DOCSTART- -X- -X- O\n\n"
    "EU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n\n"
    "-DOCSTART- -X- O\n"
    "Peter\tNNP  I-NP I-PER \r\n\u00a0na\u00efve\u00a0x JJ I-NP O"
)


def test_conll(tmp_path):
    path = tmp_path / "eng.train"
    path.write_bytes(CONLL.encode())
    words = [["EU", "rejects"], ["Peter", "\u00a0na\u00efve\u00a0x"]]
    assert read_conll(path) == (words, [["I-ORG", "O"], ["I-PER", "O"]])
    assert read_conll(path, 1)[1] == [["NNP", "VBZ"], ["NNP", "JJ"]]
    assert read_conll(path, -2)[1] == [["I-NP", "I-VP"], ["I-NP", "I-NP"]]
    path.write_bytes(CONLL.encode("latin-1"))
    assert read_conll(path, encoding="latin-1")[0] == words


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("a B I O\n\nb B O\n", -1, "`path`.*4 columns.*Received: 3 in line 3"),
        ("a B I O\nb B O O O\n", -1, "Received: 5 in line 2 of .*eng.train"),
        ("a O\nb O\n", 2, "`column`.*2 columns in line 1.*column=2"),
        ("\na O\n", 0, "`column`.*line 2.*not 0, that of the words.*column=0"),
        ("a O\n", -2, "`column`.*column=-2"),
        ("a O\n", "pos", "`column`.*column='pos'"),
        ("word\n", -1, "`column`.*1 columns"),
    ],
)
def test_wrong_files(tmp_path, text, column, message):
    path = tmp_path / "eng.train"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_conll(path, column)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: few(["a"], tags=[]), "`tags`.*1 sentences, 0 lists"),
        (
            lambda: few(["a"], ["a", "b"], tags=[["O"], ["O"]]),
            r"`tags`.*sentences\[1\] with 2 words, tags\[1\] with 1 tags",
        ),
        (
            lambda: few(["a"], ["b"], tag_names=["a", "O"]),
            r"`tags`.*\('a', 'O'\).*'b' in tags\[1\]",
        ),
        (lambda: few(["a"], tag_names=["a", "a"]), "`tag_names`.*different"),
        (lambda: few(["a"], tags=[["O"]], tag_names=[]), "`tag_names`.*least"),
        (lambda: TaggedWords([["a"]], None, NUMBERS, 5), "`tag_names`.*given"),
        (lambda: few(["a"], length=2), "`length`.*at least 3.*length=2"),
        (lambda: few(["a"], truncate="cut"), "`truncate`.*'cut'"),
        (
            lambda: few(["a"]).words_of(np.zeros((1, 5), "int")),
            r"`predicted`.*\(1, 6\).*\(1, 6, 1\).*\(1, 5\)",
        ),
        (lambda: few(["a"]).words_of(np.zeros((1, 6))), "`predicted`.*float64"),
        (
            lambda: few(["a"]).words_of(np.full((1, 6), -1)),
            "`predicted`.*from 0 to 0.*Received: -1",
        ),
        (
            lambda: few(["a"]).words_of(np.full((1, 6), 1)),
            "`predicted`.*from 0 to 0.*Received: 1",
        ),
    ],
)
def test_wrong_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: few("ab"), r"`sentences\[0\]`.*several strings.*'ab'"),
        (lambda: few(["a", 3], tags=[]), r"`sentences\[0\]\[1\]`.*3"),
        (lambda: few(["a"], tags="O"), "`tags`.*lists of strings.*'O'"),
    ],
)
def test_wrong_types(call, message):
    with pytest.raises(TypeError, match=message):
        call()
