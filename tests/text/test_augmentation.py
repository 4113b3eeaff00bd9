"""Word replacement: which words, by which others, and what stays."""

import numpy as np
import pytest

from keras_dl.text import (
    MaskedLMCandidates,
    SubwordVocabulary,
    VectorCandidates,
    WordReplacement,
    WordVocabulary,
)

TEXTS = ["The door opens slowly, but never 3 times.", "It rains.", ""]


def upper(texts, spans):
    return [
        [[text[b:e].upper()] for b, e in places]
        for text, places in zip(texts, spans, strict=True)
    ]


def test_words_are_replaced_and_all_else_stays():
    new, sources = WordReplacement(upper, rate=1.0, copies=5)(TEXTS)
    assert new == [
        TEXTS[0],
        "The DOOR OPENS SLOWLY, but NEVER 3 TIMES.",
        TEXTS[1],
        "It RAINS.",
        "",
    ]
    assert sources.tolist() == [0, 0, 1, 1, 2]


def test_the_rate_is_that_of_words():
    text = " ".join(f"word{chr(97 + i)}" for i in range(20))
    augment = WordReplacement(upper, rate=0.4, copies=200, seed=1)
    new, sources = augment([text])
    assert len(new) == len(set(new)) > 150 and not sources.any()
    changed = [np.mean([w.isupper() for w in copy.split()]) for copy in new[1:]]
    assert np.mean(changed) == pytest.approx(0.4, abs=0.03)
    assert new == augment([text])[0]
    assert new != WordReplacement(upper, copies=200, seed=2)([text])[0]


def test_the_first_who_knows_decides():
    def short(texts, spans):
        return [
            [["x"] if e - b < 5 else [] for b, e in places] for places in spans
        ]

    augment = WordReplacement([short, upper], rate=1.0, copies=1)
    assert augment(["door opens"])[0][1] == "x OPENS"


class LikesEven:
    """A masked language model that likes even ids, the larger the better."""

    def __init__(self, size):
        self.size, self.seen = size, []

    def predict_logits(self, x, batch_size, verbose):
        self.seen.append(x)
        assert len(x["token_ids"]) % batch_size == 0
        row = np.where(np.arange(self.size) % 2, -9.0, np.arange(self.size))
        return np.tile(row, (len(x["token_ids"]), 1, 1))


def test_a_masked_language_model_replaces_whole_words():
    words = SubwordVocabulary(
        ["door", "open", "##s", "gate", "##ly", "shut", "!"],
        special_tokens=["[MASK]"],
    )
    model = LikesEven(len(words))
    find = MaskedLMCandidates(model, words, 2, max_length=7, batch_size=4)
    text = "door opens gate shut"
    found = find([text], [[(0, 4), (5, 10), (11, 15), (16, 20)]])
    likely = [
        w
        for w in ("shut", "gate", "open", "door")
        if not words.token_to_id(w) % 2
    ]
    assert found[0][0] == [w for w in likely if w != "door"][:2]
    assert found[0][1] == []  # Of two tokens.
    assert found[0][2] == [w for w in likely if w != "gate"][:2]
    seen = model.seen[0]
    for row, place, own in zip(
        seen["token_ids"],
        seen["masked_positions"],
        ("door", "gate"),
        strict=False,
    ):
        assert row[place[0]] == words.mask_id
        ids = row.tolist()
        ids[place[0]] = words.token_to_id(own)
        assert words.decode(ids) == "door opens gate shut"


def test_words_that_stand_too_far_back_have_none():
    words = WordVocabulary.train(["a b c d"], special_tokens=["[MASK]"])
    model = LikesEven(len(words))
    find = MaskedLMCandidates(model, words, 1, max_length=4, batch_size=2)
    found = find(["a b c d"], [[(0, 1), (2, 3), (4, 5), (6, 7)]])
    assert [bool(one) for one in found[0]] == [True, True, False, False]
    assert find([""], [[]]) == [[]]


def test_vectors_are_near_by_their_angle():
    random = np.random.default_rng(0)
    names, vectors = [f"w{i}" for i in range(9)], random.normal(size=(9, 4))
    find = VectorCandidates(names, vectors * 7, number=3)
    ((found,),) = find(["W4"], [[(0, 2)]])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    order = np.argsort(-unit @ unit[4])
    assert found == [names[i] for i in order if i != 4][:3]


def test_what_is_wrong_is_named():
    with pytest.raises(TypeError, match="`candidates` must be a function"):
        WordReplacement(None)
    with pytest.raises(TypeError, match="`candidates` must be a function"):
        WordReplacement([])
    with pytest.raises(ValueError, match="`rate` must be above 0"):
        WordReplacement(upper, rate=0)
    with pytest.raises(ValueError, match="`copies` must be an integer"):
        WordReplacement(upper, copies=0)
    with pytest.raises(ValueError, match=r"shape \(2, size\)"):
        VectorCandidates(["a", "b"], np.ones((3, 2)))
    words = WordVocabulary.train(["a b"])
    with pytest.raises(ValueError, match="must have a mask token"):
        MaskedLMCandidates(None, words)
