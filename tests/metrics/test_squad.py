"""Answers are scored by the rules of the scripts of SQuAD."""

import collections
import re
import string
import unicodedata

import numpy as np
import pytest

from keras_dl.metrics import squad_normalize, squad_scores

# Six questions with answers and four without, among them predictions and gold
# answers of which normalizing leaves nothing.
REFERENCES = {
    "exact": ["The Cat!", "a dog"],
    "part": ["the cat sat on mat", "mat"],
    "best": ["Denver Broncos", "the Broncos of Denver, Colorado"],
    "wrong": ["1,000.5 km"],
    "empty gold": ["the"],
    "given up": ["Broncos"],
    "none": [],
    "none but said": [],
    "none, an article": [],
    "none, unsure": [],
}
PREDICTIONS = {
    "exact": "cat",
    "part": "a cat on the mat",
    "best": "Broncos of Denver",
    "wrong": "1000 km",
    "empty gold": "a an the",
    "given up": "",
    "none": "",
    "none but said": "Paris",
    "none, an article": "the",
    "none, unsure": "Rome",
}
NULL_SCORES = {
    "exact": 0.05,
    "part": 0.2,
    "best": 0.5,
    "wrong": 0.1,
    "empty gold": 0.15,
    "given up": 0.9,
    "none": 0.95,
    "none but said": 0.3,
    "none, an article": 0.6,
    "none, unsure": 0.8,
}


def words(number, rng):
    some = ["the", "a", "cat", "Cat!", "sat", "on", "mat", "-"]
    return " ".join(rng.choice(some, number))


def random_questions(number, seed=0):
    """Predictions, references and null scores, all different."""
    rng = np.random.default_rng(seed)
    references = {
        i: [words(rng.integers(1, 5), rng) for _ in range(rng.integers(4))]
        for i in range(number)
    }
    predictions = {
        i: words(rng.integers(5), rng) if rng.random() < 0.7 else ""
        for i in range(number)
    }
    return predictions, references, dict(enumerate(rng.random(number)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The U.S.A., an  Example!", "usa example"),
        ("a-b's  (The) Cat", "abs cat"),
        ("An apple a day", "apple day"),
        ("1,000.5 km", "10005 km"),
        ("“Theatre” — L'été\n", "“theatre” — lété"),
        ("the", ""),
        ("", ""),
    ],
)
def test_normalize(text, expected):
    assert squad_normalize(text) == expected


@pytest.mark.parametrize(
    ("golds", "prediction", "exact", "f1"),
    [
        (["the cat sat on mat"], "a cat on the mat", 0, 600 / 7),
        (["Denver Broncos"], "the Broncos of Denver, Colorado", 0, 200 / 3),
        (["x", "cat"], "The Cat!", 100, 100),
        (["to be or not to be"], "to to to", 0, 400 / 9),
        (["a an the"], "the", 100, 0),
        (["cat"], "", 0, 0),
        (["dog", "a white cat", "cat"], "white cat on mat", 0, 200 / 3),
    ],
)
def test_version_one(golds, prediction, exact, f1):
    scores = squad_scores({1: prediction}, {1: golds})
    assert scores == {
        "exact": exact,
        "f1": pytest.approx(f1),
        "total": 1,
        "missing": [],
    }


@pytest.mark.parametrize(
    ("golds", "prediction", "exact", "f1"),
    [
        ([], "", 100, 100),
        ([], "cat", 0, 0),
        ([], "the", 100, 100),
        (["the"], "a an", 100, 100),
        (["the"], "cat", 0, 0),
        (["the", "cat"], "", 0, 0),
        (["cat"], "a cat", 100, 100),
    ],
)
def test_version_two(golds, prediction, exact, f1):
    scores = squad_scores({1: prediction}, {1: golds}, version="2.0")
    assert (scores["exact"], scores["f1"]) == (exact, f1)
    assert "HasAns_exact" not in scores


# By the rules of the script of version 2.0, worked out apart from ours.
GOLDEN = {
    "exact": 40.0,
    "f1": 62.142857142857146,
    "total": 10,
    "HasAns_exact": 33.333333333333336,
    "HasAns_f1": 70.23809523809524,
    "HasAns_total": 6,
    "NoAns_exact": 50.0,
    "NoAns_f1": 50.0,
    "NoAns_total": 4,
}
GOLDEN_BEST = {
    "best_exact": 60.0,
    "best_exact_thresh": 0.15,
    "best_f1": 73.57142857142857,
    "best_f1_thresh": 0.2,
}
GOLDEN_AT_0_55 = {
    **GOLDEN,
    **GOLDEN_BEST,
    "exact": 50.0,
    "f1": 72.14285714285714,
    "NoAns_exact": 75.0,
    "NoAns_f1": 75.0,
}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, GOLDEN),
        ({"null_scores": NULL_SCORES}, {**GOLDEN, **GOLDEN_BEST}),
        (
            {"null_scores": NULL_SCORES, "null_threshold": 0.55},
            GOLDEN_AT_0_55,
        ),
    ],
)
def test_questions_of_both_kinds(options, expected):
    scores = squad_scores(PREDICTIONS, REFERENCES, **options)
    assert scores.pop("missing") == []
    assert scores == pytest.approx(expected)


def test_the_number_of_questions():
    """Without a prediction a question scores 0, and counts."""
    references = {i: ["cat"] for i in "abcd"}
    scores = squad_scores({"b": "cat", "d": "a cat"}, references)
    assert scores == {
        "exact": 50.0,
        "f1": 50.0,
        "total": 4,
        "missing": ["a", "c"],
    }
    scores = squad_scores({}, {**references, "e": []}, null_scores={})
    assert scores["NoAns_exact"] == scores["best_exact"] == 0.0


@pytest.mark.parametrize("name", ["exact", "f1"])
@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_is_better_than_the_best(name, seed):
    predictions, references, nulls = random_questions(60, seed)
    # The script counts an article as an answer where there is none.
    predictions = {
        key: text if squad_normalize(text) else ""
        for key, text in predictions.items()
    }
    del predictions[7]

    # Surer of an answer where there is one, but not always.
    nulls = {key: x - 0.5 * bool(references[key]) for key, x in nulls.items()}

    def at(threshold):
        return squad_scores(predictions, references, nulls, threshold)

    found = at(1.0)
    every = [at(threshold)[name] for threshold in [0.0, *nulls.values()]]
    assert found[f"best_{name}"] == pytest.approx(max(every))
    assert max(every) > found[name]
    best = at(found[f"best_{name}_thresh"])[name]
    assert best == pytest.approx(max(every))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"x": "cat"}, {"y": ["cat"]}), "`predictions`.*Received: 'x'"),
        (({}, {}), "`references`.*at least one"),
        (({1: None}, {1: ["cat"]}), "`predictions`.*strings.*None for 1"),
        (({1: "cat"}, {1: "cat"}), "`references`.*lists.*'cat' for 1"),
        (({1: "cat"}, {1: [None]}), "`references`.*lists"),
        (({1: "cat"}, {1: []}, {}), "`null_scores`.*none for 1"),
        (({}, {i: [] for i in range(5)}, None, 0, "1.1"), "for 0, 1, 2, ..."),
        (({}, {1: ["cat"]}, {}, 0, "1.1"), "`null_scores` must be None"),
        (({}, {1: ["cat"]}, None, 0, "3"), "`version`.*1.1.*='3'"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        squad_scores(*arguments)


def test_not_a_dictionary():
    with pytest.raises(TypeError, match="`predictions`.*list and dict"):
        squad_scores(["cat"], {1: ["cat"]})


# Gold and predicted answers, and their F1 by the formulas of MLQA: characters
# of CJK are words, and so is what stands between them; punctuation, that of
# Unicode too, is left out.
CHINESE = [
    ("北京", "北京大学", 2 * 2 / 6),
    ("《红楼梦》", "红楼梦。", 1.0),
    ("1949年10月", "1949年", 2 * 2 / (2 + 4)),
    ("NBA总决赛", "nba 决赛", 2 * 3 / (4 + 3)),
    ("京北", "北京", 1.0),  # In any order.
    ("林肯", "", 0.0),
    ("the 长城", "长城", 2 * 2 / (3 + 2)),  # Articles stay.
    ("人人", "人", 2 / 3),
]


@pytest.mark.parametrize(("gold", "prediction", "f1"), CHINESE)
def test_chinese_answers(gold, prediction, f1):
    found = squad_scores({1: prediction}, {1: [gold]}, language="zh")
    assert found["f1"] == pytest.approx(100 * f1)
    same = squad_normalize(gold, "zh") == squad_normalize(prediction, "zh")
    assert found["exact"] == 100 * same
    assert same == (gold == "《红楼梦》")


def mlqa_f1(prediction, gold):
    """MLQA's own steps, one by one, as its paper's script has them."""
    marks = set(string.punctuation) | {
        c for c in prediction + gold if unicodedata.category(c).startswith("P")
    }

    def tokens(text):
        text = "".join(c for c in text.lower() if c not in marks)
        found, word = [], ""
        for c in text:
            if re.search("[\u4e00-\u9fa5]", c) or c in marks:
                found += [*word.split(), c]
                word = ""
            else:
                word += c
        return " ".join([*found, *word.split()]).split()

    p, g = tokens(prediction), tokens(gold)
    shared = sum((collections.Counter(p) & collections.Counter(g)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(p), shared / len(g)
    return 2 * precision * recall / (precision + recall)


def test_mixed_answers():
    rng = np.random.default_rng(0)
    parts = [
        *"北京大学人一丁\u4dff。《》a !-9",
        "nba",
        "The",
        "\uff0c",
        "\u3000",
        "龥",
        "鿿",
    ]
    for _ in range(400):
        gold, prediction = (
            "".join(rng.choice(parts, rng.integers(8))) for _ in range(2)
        )
        found = squad_scores(
            {1: prediction}, {1: [gold]}, language="zh", version="1.1"
        )
        expected = mlqa_f1(prediction, gold)
        assert found["f1"] == pytest.approx(100 * expected), (gold, prediction)


def test_unknown_language():
    with pytest.raises(ValueError, match="`language`.*'en', 'zh'.*'de'"):
        squad_scores({1: ""}, {1: ["a"]}, language="de")
    with pytest.raises(ValueError, match="`language`.*'de'"):
        squad_normalize("a", "de")
