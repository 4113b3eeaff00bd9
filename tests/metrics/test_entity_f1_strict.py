"""EntityF1 beside seqeval: strict schemes, suffixes, and the report by type."""

import warnings

import keras
import numpy as np
import pytest

from keras_dl.metrics import EntityF1, tag_chunks
from keras_dl.testing import check_metric

seqeval = pytest.importorskip("seqeval.metrics")
from seqeval import scheme as schemes  # noqa: E402
from seqeval.metrics.sequence_labeling import get_entities  # noqa: E402

TYPES = ("PER", "LOC", "A-B")
LETTERS = {"bio": "BI", "bioes": "BIES", "bilou": "BILU"}
THEIRS = {
    "bio": schemes.IOB2,
    "bioes": schemes.IOBES,
    "bilou": schemes.BILOU,
}
every_scheme = pytest.mark.parametrize("scheme", THEIRS)
every_side = pytest.mark.parametrize("suffix", [False, True])


def tags_of(scheme, suffix=False):
    pairs = [(letter, kind) for kind in TYPES for letter in LETTERS[scheme]]
    join = (lambda a, b: f"{b}-{a}") if suffix else (lambda a, b: f"{a}-{b}")
    return ["O", *(join(*pair) for pair in pairs)]


def random_tags(tags, number=1500, length=7, seed=0):
    """Tags in any order, near enough to be right at times; gaps of -1."""
    rng = np.random.default_rng(seed)
    y_true = rng.integers(len(tags), size=(number, length))
    # Every other tag follows the one before it in the list: B, I, E of a type.
    follows = rng.random(y_true.shape) < 0.6
    for t in range(1, length):
        after = (y_true[:, t - 1] + 1) % len(tags)
        y_true[:, t] = np.where(follows[:, t], after, y_true[:, t])
    y_pred = rng.integers(len(tags), size=(number, length))
    y_pred = np.where(rng.random(y_pred.shape) < 0.7, y_true, y_pred)
    y_true[rng.random(y_true.shape) < 0.1] = -1
    return y_true, y_pred


def strings(tags, y_true, y_pred):
    return [
        [
            [tags[i] for i in row[real != -1]]
            for row, real in zip(rows, y_true, strict=True)
        ]
        for rows in (y_true, y_pred)
    ]


def report(true, pred, **arguments):
    """seqeval's, with our name of F1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = seqeval.classification_report(
            true, pred, output_dict=True, **arguments
        )
    return {
        kind: {("f1" if k == "f1-score" else k): v for k, v in row.items()}
        for kind, row in found.items()
    }


def assert_reports_equal(ours, theirs):
    assert set(ours) == set(theirs)
    for kind, row in theirs.items():
        assert set(ours[kind]) == set(row)
        for name, value in row.items():
            assert ours[kind][name] == pytest.approx(value, abs=1e-6), kind


@every_scheme
@every_side
def test_strict(scheme, suffix):
    tags = tags_of(scheme, suffix)
    y_true, y_pred = random_tags(tags)
    true, pred = strings(tags, y_true, y_pred)
    metric = EntityF1(tags, scheme, strict=True, suffix=suffix)
    metric.update_state(y_true[:700], y_pred[:700])
    metric.update_state(y_true[700:], y_pred[700:])
    expected = report(
        true, pred, mode="strict", scheme=THEIRS[scheme], suffix=suffix
    )
    assert_reports_equal(metric.report(), expected)
    micro = expected["micro avg"]
    assert 0.1 < micro["f1"] < 0.9
    found = {name: float(value) for name, value in metric.scores().items()}
    assert found == pytest.approx({k: micro[k] for k in found}, abs=1e-6)
    # It is not the reading that is the default.
    loose = EntityF1(tags, scheme, suffix=suffix)
    loose.update_state(y_true, y_pred)
    assert loose.report()["micro avg"]["support"] > micro["support"]


@every_scheme
@every_side
def test_strict_chunks(scheme, suffix):
    tags = tags_of(scheme, suffix)
    for ids in random_tags(tags, 1500, seed=1)[1]:
        row = [tags[i] for i in ids]
        tokens = schemes.Tokens(row, THEIRS[scheme], suffix)
        expected = [(e.tag, e.start, e.end - 1) for e in tokens.entities]
        assert tag_chunks(row, scheme, strict=True, suffix=suffix) == expected


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
@every_side
def test_not_strict(scheme, suffix):
    tags = tags_of(scheme, suffix)
    y_true, y_pred = random_tags(tags, seed=2)
    true, pred = strings(tags, y_true, y_pred)
    metric = EntityF1(tags, scheme, suffix=suffix)
    metric.update_state(y_true, y_pred)
    assert_reports_equal(metric.report(), report(true, pred, suffix=suffix))
    for row in pred[:500]:
        assert tag_chunks(row, suffix=suffix) == get_entities(row, suffix)


def test_bilou_is_bioes_by_other_letters():
    tags = tags_of("bilou")
    y_true, y_pred = random_tags(tags, seed=3)
    renamed = [tag.replace("L-", "E-").replace("U-", "S-") for tag in tags]
    renamed = [tag.replace("E-OC", "L-OC") for tag in renamed]
    assert renamed == tags_of("bioes")
    true, pred = strings(renamed, y_true, y_pred)
    metric = EntityF1(tags, "bilou")
    metric.update_state(y_true, y_pred)
    assert_reports_equal(metric.report(), report(true, pred))


def test_the_report_names_what_occurs():
    metric = EntityF1(tags_of("bio"))
    empty = {"f1": 0.0, "precision": 0.0, "recall": 0.0, "support": 0.0}
    averages = ("micro avg", "macro avg", "weighted avg")
    assert metric.report() == dict.fromkeys(averages, empty)
    metric.update_state([[0, 0, 0]], [[0, 3, 4]])  # Only predicted.
    found = metric.report()
    assert found == dict.fromkeys(("LOC", *averages), empty)
    only = EntityF1(["O"])
    only.update_state([[0, 0]], [[0, 0]])
    assert only.report() == dict.fromkeys(averages, empty)


def test_weights_weigh_the_report():
    tags = tags_of("bioes")
    y_true, y_pred = random_tags(tags, 300, seed=4)
    weights = np.random.default_rng(5).integers(4, size=300)
    true, pred = strings(tags, y_true, y_pred)
    repeated = [
        [row for row, n in zip(rows, weights, strict=True) for _ in range(n)]
        for rows in (true, pred)
    ]
    metric = EntityF1(tags, "bioes", strict=True)
    metric.update_state(y_true, y_pred, weights)
    expected = report(*repeated, mode="strict", scheme=schemes.IOBES)
    assert_reports_equal(metric.report(), expected)


@pytest.mark.compiled
def test_contract():
    tags = tags_of("bilou", suffix=True)
    y_true, y_pred = random_tags(tags, 200)
    true, pred = strings(tags, y_true, y_pred)
    arguments = {"mode": "strict", "scheme": schemes.BILOU, "suffix": True}
    expected = report(true, pred, **arguments)["micro avg"]["f1"]
    logits = np.eye(len(tags), dtype="float32")[y_pred]
    check_metric(
        lambda: EntityF1(tags, "bilou", strict=True, suffix=True),
        [(y_true[:100], logits[:100]), (y_true[100:], logits[100:])],
        expected,
    )
    config = EntityF1(tags, "bilou", strict=True, suffix=True).get_config()
    copy = EntityF1.from_config(config)
    assert copy.strict and copy.suffix
    assert keras.saving.serialize_keras_object(copy)["config"] == config
