"""Words and units are chosen as a whole."""

import itertools

import numpy as np
import pytest
from masks import END, START, texts, vocabulary

from keras_dl.text import (
    CharacterVocabulary,
    PhraseMasking,
    SubwordVocabulary,
    WholeWordMasking,
    WordVocabulary,
)
from keras_dl.text.masking.word_masking import continuations

TEXT = "the slowest mower mows lower meadows slowly while the newest mower rows"


def runs(keys):
    """Stretches of equal keys, as lists of positions."""
    at = itertools.groupby(range(len(keys)), key=lambda i: keys[i])
    return [list(group) for _, group in at]


@pytest.mark.parametrize("model", ["wordpiece", "bpe"])
def test_words_are_those_of_the_tokenizer(model):
    """Its `word_ids` say which tokens come from one word."""
    pytest.importorskip("tokenizers")
    size = 45 if model == "wordpiece" else 290
    found = SubwordVocabulary.train(
        [TEXT], size, special_tokens=["[MASK]"], model=model
    )
    encoded = found._tokenizer.encode(TEXT, add_special_tokens=False)
    words = runs(encoded.word_ids)
    assert len(words) == len(TEXT.split()) < len(encoded.ids)
    ids = np.tile(encoded.ids, (400, 1))
    masking = WholeWordMasking(found, rate=0.5)
    groups = masking.choose(ids, np.random.RandomState(0))
    for word in words:
        chosen = groups[:, word] >= 0
        assert (chosen.all(axis=1) == chosen.any(axis=1)).all()
        assert 0 < chosen[:, 0].mean() < 1
    same = groups[:, 1:] == groups[:, :-1]
    ends = [word[-1] for word in words[:-1]]
    assert not (same & (groups[:, 1:] >= 0))[:, ends].any()


def test_whole_words_in_many_rows():
    ids = texts(500, shortest=10)
    _, chosen = WholeWordMasking(vocabulary())(ids, np.random.RandomState(0))
    for row, yes in zip(ids, chosen, strict=True):
        begins = np.cumsum((row % 4 != 0) | (row < 5) | (np.arange(128) == 1))
        for word in runs(begins):
            assert len({*yes[word]}) == 1


def test_a_special_token_parts_words():
    """What goes on with a word begins one behind [START] and in a new row."""
    ids = np.array([[8, 12, START, 16, END, 20]] * 200)
    masking = WholeWordMasking(vocabulary(), rate=0.25)
    groups = masking.choose(ids, np.random.RandomState(0))
    assert {*map(tuple, groups)} == {
        (-1, -1, -1, 1, -1, -1),
        (-1, -1, -1, -1, -1, 2),
    }


def test_a_word_longer_than_the_budget_is_passed_over():
    masking = WholeWordMasking(vocabulary())
    alone = np.array([[START, 5, 8, 12, END]])
    assert not masking(alone, np.random.RandomState(0))[1].any()
    ids = np.array([[START, 5, 8, 12, 6, END]] * 50)
    _, chosen = masking(ids, np.random.RandomState(0))
    np.testing.assert_array_equal(chosen, ids == 6)


def test_each_token_of_a_word_has_its_own_fate():
    ids = np.array([[5, 8]] * 2000)
    masking = WholeWordMasking(vocabulary(), rate=0.99, mask=0.5, random=0.0)
    masked, _ = masking(ids, np.random.RandomState(0))
    hidden = masked == 4
    assert abs(np.mean(hidden[:, 0] != hidden[:, 1]) - 0.5) < 0.05


def test_a_table_of_continuations():
    """Chinese: characters without marks."""
    characters = CharacterVocabulary(["人", "工", "智"], ["[MASK]"])
    table = np.zeros(characters.size, bool)
    table[6] = True
    masking = WholeWordMasking(characters, rate=0.5, continues=table)
    groups = masking.choose([[5, 6, 7, 7]] * 9, np.random.RandomState(0))
    assert {*map(tuple, groups)} <= {(0, 0, -1, -1), (-1, -1, 1, 2)}
    plain = WholeWordMasking(characters, rate=0.5)
    groups = plain.choose([[5, 6, 7, 7]] * 30, np.random.RandomState(0))
    assert len({*map(tuple, groups)}) == 6


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["[PAD]", "a", "##b", "##c", "Ġ"], [0, 0, 1, 1, 0]),
        (["<pad>", "Ġa", "b", "Ġc", "##"], [1, 0, 1, 0, 1]),
        (["<pad>", "▁a", "b"], [1, 0, 1]),
        (["a", "b", "#", "##", "Ġ", "▁"], [0] * 6),
        ([], []),
    ],
)
def test_continuations(tokens, expected):
    np.testing.assert_array_equal(continuations(tokens), expected)


def test_units_are_chosen_whole():
    ids = texts(300, shortest=20)
    generator = np.random.RandomState(3)
    units = np.cumsum(generator.random_sample(ids.shape) < 0.4, axis=1)
    units[generator.random_sample(ids.shape) < 0.1] = -1
    masked, chosen = PhraseMasking(vocabulary())(ids, generator, units=units)
    assert chosen.any() and not chosen[units == -1].any()
    np.testing.assert_array_equal(masked[~chosen], ids[~chosen])
    keys = np.where(ids < 5, -1, units)
    sizes = set()
    for key, yes in zip(keys, chosen, strict=True):
        for unit in runs(key):
            assert len({*yes[unit]}) == 1
            sizes |= {len(unit)} if yes[unit[0]] else set()
    assert len(sizes) > 3


def test_units_are_parted_by_other_numbers_and_special_tokens():
    ids = np.array([[START, 5, 6, 7, END, 8, 9, 10]] * 300)
    units = np.array([[0, 0, 0, 1, 1, 1, -1, 0]] * 300)
    masking = PhraseMasking(vocabulary(), rate=0.3)
    groups = masking.choose(ids, np.random.RandomState(0), units=units)
    for places, other in (([1, 2], 3), ([3], 5), ([5], 7)):
        chosen = groups[:, places] >= 0
        assert (chosen.all(axis=1) == chosen.any(axis=1)).all()
        assert (chosen[:, 0] != (groups[:, other] >= 0)).any()
    both = (groups[:, 1] >= 0) & (groups[:, 7] >= 0)
    assert (groups[both, 1] != groups[both, 7]).all()


@pytest.mark.parametrize(
    ("units", "message"),
    [
        (None, r"`units`.*\(1, 3\).*shape \(\)"),
        ([[0, 0]], r"`units`.*shape \(1, 2\)"),
        ([[0.0, 0.0, 1.0]], "`units`.*float64"),
    ],
)
def test_wrong_units(units, message):
    masking = PhraseMasking(vocabulary())
    with pytest.raises(ValueError, match=message):
        masking([[5, 6, 7]], np.random.RandomState(0), units=units)


@pytest.mark.parametrize("continues", [[True], np.zeros(6), np.zeros(6, int)])
def test_wrong_tables(continues):
    found = WordVocabulary(["a"], special_tokens=["[MASK]"])
    with pytest.raises(ValueError, match="`continues` must be 6 booleans"):
        WholeWordMasking(found, continues=continues)
