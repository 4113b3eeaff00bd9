"""Corpus BLEU has the numbers of sacrebleu, however many updates it takes."""

import sys

import keras
import numpy as np
import pytest

from keras_dl.metrics import BLEU
from keras_dl.testing import check_metric

sacrebleu = pytest.importorskip("sacrebleu")

HYPOTHESES = [
    "The cat sat on a mat.",
    "It is raining, isn't it?",
    "a dog",
    "",
    "They went home before the rain had started to fall.",
]
REFERENCES = [
    "The cat sat on the mat.",
    "it is raining, is it not?",
    "one dog",
    "nothing",
    "They went home before the rain started to fall.",
]
SECOND = [
    "A cat was sitting on a mat.",
    "It rains, doesn't it?",
    "a dog",
    "",
    "They had gone home before it began to rain.",
]


def corpus_bleu(*streams, hypotheses=HYPOTHESES, **options):
    scorer = sacrebleu.metrics.BLEU(**options)
    return scorer.corpus_score(hypotheses, [*streams]).score


def test_contract():
    check_metric(
        BLEU,
        [
            (REFERENCES[:2], HYPOTHESES[:2]),
            (np.array(REFERENCES[2:]), np.array(HYPOTHESES[2:])),
        ],
        corpus_bleu(REFERENCES),
        tolerance=1e-12,
    )


# Smoothing shows where no n-gram of an order matches, the effective order
# where the sentences are too short for one.
@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"smooth_method": "floor"}, slice(1, 2)),
        ({"smooth_method": "add-k", "lowercase": True}, slice(0, 5)),
        ({"smooth_method": "none", "max_order": 2}, slice(0, 5)),
        ({"tokenize": "char", "max_order": 6}, slice(0, 5)),
        ({"tokenize": "zh", "effective_order": True}, slice(2, 4)),
    ],
)
def test_options(options, part):
    metric = BLEU(**options)
    hypotheses, references = HYPOTHESES[part], REFERENCES[part]
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        metric.update_state([reference], [hypothesis])
        metric.result()  # Smooths a copy of the counts.
    names = {"max_order": "max_ngram_order"}
    theirs = {names.get(name, name): x for name, x in options.items()}
    expected = corpus_bleu(references, hypotheses=hypotheses, **theirs)
    assert metric.result() == pytest.approx(expected, rel=1e-12)
    assert 0 < expected < 100
    default = corpus_bleu(references, hypotheses=hypotheses)
    assert abs(expected - default) > 0.1
    copy = BLEU.from_config(metric.get_config())
    assert copy.get_config() == metric.get_config()


def test_several_references():
    metric = BLEU()
    both = [list(pair) for pair in zip(REFERENCES, SECOND, strict=True)]
    metric.update_state(both[:3], HYPOTHESES[:3])
    metric.update_state(both[3:], HYPOTHESES[3:])
    expected = corpus_bleu(REFERENCES, SECOND)
    assert metric.result() == pytest.approx(expected, rel=1e-12)
    assert "nrefs:2|" in metric.signature()


def test_as_many_references_as_there_are():
    metric = BLEU()
    some = [*zip(REFERENCES[:2], SECOND[:2], strict=True), *REFERENCES[2:]]
    metric.update_state(some, HYPOTHESES)
    expected = corpus_bleu(REFERENCES, [*SECOND[:2], None, None, None])
    assert metric.result() == pytest.approx(expected, rel=1e-12)
    assert "nrefs:var|" in metric.signature()


def test_clipped_precision_of_the_paper():
    """Example 2 of Papineni et al.: two of seven words are right."""
    metric = BLEU(max_order=1)
    metric.update_state(
        [["the cat is on the mat", "there is a cat on the mat"]],
        ["the the the the the the the"],
    )
    assert metric.result() == pytest.approx(100 * 2 / 7)


def test_brevity_penalty():
    metric = BLEU(max_order=1)
    metric.update_state(["a b c d e f"], ["a b c"])
    assert metric.result() == pytest.approx(100 * np.exp(1 - 6 / 3))


def test_bounds_and_reset():
    metric = BLEU()
    assert metric.result() == 0.0
    metric.update_state([], [])
    assert metric.result() == 0.0
    metric.update_state(REFERENCES, REFERENCES)
    assert metric.result() == pytest.approx(100.0)
    assert isinstance(metric.result(), float)
    metric.reset_state()
    metric.update_state(["x"], ["y"])
    assert metric.result() == 0.0


def test_signature():
    metric = BLEU(lowercase=True, smooth_method="floor")
    with pytest.raises(ValueError, match="`signature`.*`update_state` first"):
        metric.signature()
    metric.update_state(REFERENCES, HYPOTHESES)
    assert metric.signature() == (
        "nrefs:1|case:lc|eff:no|tok:13a|smooth:floor[0.10]|"
        f"version:{sacrebleu.__version__}"
    )


def test_serialization():
    config = keras.saving.serialize_keras_object(BLEU(tokenize="char"))
    metric = keras.saving.deserialize_keras_object(config)
    assert isinstance(metric, BLEU)
    assert metric.tokenize == "char"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokenize": "14b"}, "`tokenize`.*13a.*='14b'"),
        ({"smooth_method": "laplace"}, "`smooth_method`.*exp.*='laplace'"),
        ({"max_order": 0}, "`max_order`.*at least 1.*=0"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        BLEU(**arguments)


@pytest.mark.parametrize(
    ("references", "hypotheses", "message"),
    [
        (["a"], "a", "`hypotheses`.*list of strings.*'a'"),
        ("a", ["a"], "`references`.*`hypotheses`: 1.*no list"),
        (["a"], ["a", "b"], "`references`.*: 2.*1 entries"),
        (["a", []], ["a", "b"], "`references`.*none for hypothesis 1"),
        ([[1]], ["a"], r"`references`.*list of strings.*\[1\]"),
        ([1], ["a"], "`references`.*list of strings.*=1"),
        (["a"], [None], "`hypotheses`.*None"),
    ],
)
def test_wrong_strings(references, hypotheses, message):
    metric = BLEU()
    with pytest.raises(ValueError, match=message):
        metric.update_state(references, hypotheses)
    with pytest.raises(ValueError, match="`sample_weight` must be None"):
        metric.update_state(["a"], ["a"], sample_weight=[1.0])
    assert metric.result() == 0.0


def test_without_sacrebleu(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(ImportError, match=r'pip install "keras_dl\[nlp\]"'):
        BLEU()
