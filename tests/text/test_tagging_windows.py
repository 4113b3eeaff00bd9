"""TaggedWords: long texts in windows; each word has its tag in one of them."""

import itertools

import numpy as np
import pytest
import transformers

from keras_dl.metrics import EntityF1
from keras_dl.text import (
    CharacterVocabulary,
    SubwordVocabulary,
    TaggedWords,
    WordVocabulary,
)

LETTERS = WordVocabulary(list("abcdefgh"), pattern=r"[a-z]")
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefgh"]
THEIRS = transformers.BertTokenizer(vocab={t: i for i, t in enumerate(TOKENS)})
TAGS = ["O", "B-X", "I-X", "B-Y"]


def random_text(number, longest, rng):
    """Words of letters, a token each; some give no token."""
    words = [
        "".join(rng.choice(list("abcdefgh"), rng.integers(1, longest + 1)))
        for _ in range(number)
    ]
    words = [w if rng.random() > 0.1 else "\u200d" for w in words]
    return words, list(rng.choice(TAGS, number))


def windowed(sentences, tags, length, stride=None, vocabulary=LETTERS):
    return TaggedWords(
        sentences, tags, vocabulary, length, TAGS, "windows", stride
    )


@pytest.mark.parametrize(("length", "stride"), [(8, 3), (10, 8), (12, 1)])
def test_windows_are_those_of_transformers(length, stride):
    """Where each word is one token."""
    rng = np.random.default_rng(0)
    texts = [list(rng.choice(list("abcdefgh"), n)) for n in range(1, 40)]
    tagged = windowed(texts, None, length, stride)
    theirs = THEIRS(
        texts,
        is_split_into_words=True,
        truncation=True,
        padding="max_length",
        max_length=length,
        stride=length - 2 - stride,  # Theirs is what windows have in common.
        return_overflowing_tokens=True,
    )
    assert tagged.token_ids.tolist() == theirs["input_ids"]
    whose = theirs["overflow_to_sample_mapping"]
    assert tagged.sentence_numbers.tolist() == whose
    assert len(tagged) == len(whose) > len(texts)


def naive_windows(sizes, room, stride):
    """First words and ends of windows, counted token by token."""
    sizes, first, found = [min(s, room) for s in sizes], 0, []
    while True:
        end, used = first, 0
        while end < len(sizes) and used + sizes[end] <= room:
            used += sizes[end]
            end += 1
        found.append((first, end))
        if end == len(sizes):
            return found
        passed, begin = 0, first
        while passed < stride and begin < len(sizes):
            passed += sizes[begin]
            begin += 1
        first = min(max(begin, first + 1), end)


def place_of(word, windows, sizes):
    """The window of a word, and how many tokens are before it there."""
    scores = []
    for first, end in windows:
        left = sum(sizes[first:word])
        total = sum(sizes[first:end])
        inside = first <= word < end
        nearest = min(left, total - 1 - left) + 0.01 * total
        scores.append(nearest if inside else -1.0)
    best = int(np.argmax(scores))
    return best, sum(sizes[windows[best][0] : word])


@pytest.mark.parametrize("seed", range(12))
def test_each_word_has_one_place(seed):
    rng = np.random.default_rng(seed)
    length, stride = int(rng.integers(3, 16)), int(rng.integers(1, 16))
    texts = [random_text(rng.integers(30), 1 + seed, rng) for _ in range(6)]
    words, tags = zip(*texts, strict=True)
    tagged = windowed(words, tags, length, stride)
    row, seen = 0, 0
    for number, (sentence, names) in enumerate(texts):
        room = length - 2
        sizes = [min(len(w), room) * w.isalpha() for w in sentence]
        windows = naive_windows(sizes, room, stride)
        for first, end in windows:
            assert tagged.sentence_numbers[row] == number
            pieces = (LETTERS.encode(w)[:room] for w in sentence[first:end])
            expected = [2, *itertools.chain(*pieces), 3]
            expected += [0] * (length - len(expected))
            assert tagged.token_ids[row].tolist() == expected
            row += 1
        for word, name in enumerate(names):
            if sizes[word]:
                window, before = place_of(word, windows, sizes)
                at = row - len(windows) + window, 1 + before
                assert tagged.tags[at] == TAGS.index(name)
                seen += 1
    assert row == len(tagged)
    assert (tagged.tags >= 0).sum() == seen  # And nowhere else.
    # Nothing is read in the other windows.
    noise = rng.integers(len(TAGS), size=tagged.tags.shape)
    ids = np.where(tagged.tags < 0, noise, tagged.tags)
    expected = [
        [t if w.isalpha() else "O" for w, t in zip(*text, strict=True)]
        for text in texts
    ]
    assert tagged.words_of(ids) == expected
    assert tagged.words_of(np.eye(len(TAGS))[ids]) == expected
    assert tagged.num_cut == 0


VOCABULARIES = {
    "wordpiece": lambda texts: SubwordVocabulary.train(texts, 60),
    "bpe": lambda texts: SubwordVocabulary.train(texts, 270, model="bpe"),
    "characters": CharacterVocabulary.train,
}


@pytest.mark.parametrize("name", VOCABULARIES)
def test_pieces_of_words(name):
    """A row begins with a word, and holds its pieces as the sentence does."""
    rng = np.random.default_rng(1)
    words, tags = random_text(40, 5, rng)
    words = [w if w.isalpha() else "a" for w in words]
    vocabulary = VOCABULARIES[name]([" ".join(words)])
    tagged = windowed([words], [tags], 24, 7, vocabulary)
    assert len(tagged) > 3
    assert (tagged.tags >= 0).sum() == len(words)
    assert tagged.words_of(np.maximum(tagged.tags, 0)) == [tags]
    whole = TaggedWords([words], [tags], vocabulary, 300, TAGS).token_ids[0]
    text = " ".join(map(str, whole))
    for row in tagged.token_ids:
        kept = row[1 : np.flatnonzero(row == 3)[0]]
        assert " ".join(map(str, kept)) in text
    assert tagged.num_cut == 0


def test_short_texts_are_as_without_windows():
    rng = np.random.default_rng(2)
    texts = [random_text(n, 2, rng) for n in range(8)]
    words, tags = zip(*texts, strict=True)
    plain = TaggedWords(words, tags, LETTERS, 20, TAGS)
    tagged = windowed(words, tags, 20)
    np.testing.assert_array_equal(tagged.token_ids, plain.token_ids)
    np.testing.assert_array_equal(tagged.tags, plain.tags)
    assert plain.sentence_numbers.tolist() == list(range(8))


def test_a_stride_is_half_a_row():
    words = [["a"] * 20]
    default = windowed(words, None, 12)
    given = windowed(words, None, 12, 5)
    np.testing.assert_array_equal(default.token_ids, given.token_ids)
    assert len(windowed(words, None, 3)) == 20  # A word a row.


def test_a_word_longer_than_a_row():
    tagged = windowed([["a", "abcdefgh", "b"]], [["B-X", "I-X", "O"]], 6, 4)
    assert tagged.token_ids.tolist() == [
        [2, 4, 3, 0, 0, 0],
        [2, 4, 5, 6, 7, 3],
        [2, 5, 3, 0, 0, 0],
    ]
    assert tagged.tags.max(axis=1).tolist() == [1, 2, 0]
    assert tagged.words_of(tagged.tags.clip(0)) == [["B-X", "I-X", "O"]]


def test_training_counts_words_once():
    """The targets of all windows hold as many entities as the texts."""
    rng = np.random.default_rng(3)
    words = [list(rng.choice(list("abcdefgh"), 60)) for _ in range(3)]
    tags = [list(rng.choice(["O", "B-X", "B-Y"], 60)) for _ in range(3)]
    tagged = windowed(words, tags, 20, 6)
    metric = EntityF1(TAGS)
    metric.update_state(tagged.tags, np.maximum(tagged.tags, 0))
    expected = sum(tag != "O" for row in tags for tag in row)
    assert metric.report()["micro avg"]["support"] == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"truncate": "windows", "stride": 0}, "`stride`.*at least 1.*=0"),
        ({"truncate": "end", "stride": 2}, "`stride` is for .*windows.*'end'"),
        ({"truncate": "error"}, 'must be "end" or "windows"'),
        ({"truncate": "window"}, "`truncate`.*'windows'.*='window'"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        TaggedWords([["a"] * 9], None, LETTERS, 5, TAGS, **arguments)
