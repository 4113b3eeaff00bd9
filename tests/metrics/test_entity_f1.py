"""Entities are counted as seqeval counts them, in any sequence of tags."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers

from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import EntityF1, tag_chunks
from keras_dl.testing import check_metric

seqeval = pytest.importorskip("seqeval.metrics")
get_entities = seqeval.sequence_labeling.get_entities

BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-A-B", "I-A-B"]
BIOES = ["B-X", "I-X", "E-X", "S-X", "O", "B-Y", "I-Y", "E-Y", "S-Y"]
BARE = ["I", "B", "O"]
SCHEMES = [(BIO, "bio"), (BIO, "iob1"), (BIOES, "bioes"), (BARE, "bio")]
SCORES = ("f1", "precision", "recall")
every_scheme = pytest.mark.parametrize(("tags", "scheme"), SCHEMES)


def random_tags(tags, number=400, length=8, seed=0, ignored=0.2):
    """Any tags, so that most sequences are invalid, and gaps of -1."""
    rng = np.random.default_rng(seed)
    y_true = rng.integers(len(tags), size=(number, length))
    y_pred = rng.integers(len(tags), size=(number, length))
    y_pred = np.where(rng.random(y_pred.shape) < 0.6, y_true, y_pred)
    y_true[rng.random(y_true.shape) < ignored] = -1
    return y_true, y_pred


def strings(tags, y_true, y_pred, real=None):
    """Both as seqeval takes them, without the positions that do not count."""
    real = y_true != -1 if real is None else real & (y_true != -1)
    return [
        [
            [tags[i] for i in row[counts]]
            for row, counts in zip(rows, real, strict=True)
        ]
        for rows in (y_true, y_pred)
    ]


def oracle(score, true, pred):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(seqeval, f"{score}_score")(true, pred)


def result(metric, *batch, **kwargs):
    metric.update_state(*batch, **kwargs)
    return float(metric.result())


@every_scheme
def test_contract(tags, scheme):
    y_true, y_pred = random_tags(tags)
    expected = oracle("f1", *strings(tags, y_true, y_pred))
    assert 0.1 < expected < 0.9
    for pred in (y_pred, np.eye(len(tags), dtype="float32")[y_pred]):
        check_metric(
            lambda: EntityF1(tags, scheme),
            [(y_true[:200], pred[:200]), (y_true[200:], pred[200:])],
            expected,
        )


@every_scheme
@pytest.mark.parametrize("score", SCORES)
def test_scores(tags, scheme, score):
    y_true, y_pred = random_tags(tags, seed=1)
    metric = EntityF1(tags, scheme, score)
    found = result(metric, y_true, y_pred)
    expected = oracle(score, *strings(tags, y_true, y_pred))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(float(metric.scores()[score]), expected, 1e-6)
    assert metric.name == f"entity_{score}"


@every_scheme
def test_each_sentence(tags, scheme):
    """Where errors cannot make up for each other."""
    y_true, y_pred = random_tags(tags, 3000, 9, seed=2)
    metric = EntityF1(tags, scheme)
    metric.add_to_sums = lambda counts: None
    counts = metric._counts(*metric._without_gaps(y_true != -1, y_true, y_pred))
    found = np.array(counts).sum(axis=2).T
    for row, *pair in zip(found, *strings(tags, y_true, y_pred), strict=True):
        true, pred = (set(get_entities(tags)) for tags in pair)
        assert list(row) == [len(true & pred), len(pred), len(true)], pair


@every_scheme
def test_entities(tags, scheme):
    for ids in random_tags(tags, 2000, 8, seed=3)[1]:
        sentence = [tags[i] for i in ids]
        assert tag_chunks(sentence) == get_entities(sentence)
    assert tag_chunks([]) == []


def test_a_word_of_several_pieces():
    """The entity goes on over pieces that have no tag."""
    metric = EntityF1(BIO)
    y_true = [[-1, 1, -1, -1, 2, -1, 0, -1]]
    assert result(metric, y_true, [[3, 1, 0, 3, 2, 0, 0, 4]]) == 1.0
    assert result(metric, y_true, [[3, 1, 0, 3, 0, 2, 0, 4]]) == 0.5


def test_an_entity_at_the_last_position():
    y_true = [[0] * 6 + [1, 2]]
    for last, expected in [([1, 2], 1.0), ([2, 2], 1.0), ([1, 0], 0.0)]:
        assert result(EntityF1(BIO), y_true, [[0] * 6 + last]) == expected
    assert result(EntityF1(BIO), [[1]], [[2]]) == 1.0


def test_weights():
    y_true, y_pred = random_tags(BIO, seed=4)
    y_true[:5] = -1
    weights = np.random.default_rng(5).integers(4, size=400).astype("float32")
    # What does not count may be broken.
    y_pred[weights == 0] = 99
    weights[:5] = np.nan
    true, pred = strings(BIO, y_true[5:], np.minimum(y_pred[5:], 6))
    times = weights[5:].astype(int)
    repeated = [
        [row for row, n in zip(rows, times, strict=True) for _ in range(n)]
        for rows in (true, pred)
    ]
    for given in (weights, weights[:, None]):
        found = result(EntityF1(BIO), y_true, y_pred, sample_weight=given)
        np.testing.assert_allclose(found, oracle("f1", *repeated), rtol=1e-6)


def test_weights_of_tokens():
    y_true, y_pred = random_tags(BIO, seed=6)
    weights = np.random.default_rng(7).integers(3, size=y_true.shape)
    y_pred[weights == 0] = -5
    pair = strings(BIO, y_true, y_pred, weights != 0)
    found = result(EntityF1(BIO), y_true, y_pred, sample_weight=weights)
    np.testing.assert_allclose(found, oracle("f1", *pair), rtol=1e-6)


def test_ignore_class():
    y_true, y_pred = random_tags(BIO)
    expected = result(EntityF1(BIO), y_true, y_pred)
    y_true = np.where(y_true == -1, -100, y_true)
    found = result(EntityF1(BIO, ignore_class=-100), y_true, y_pred)
    assert found == expected
    for ignore_class in (None, -1):
        assert np.isnan(
            result(EntityF1(BIO, ignore_class=ignore_class), y_true, y_pred)
        )
    assert np.isnan(result(EntityF1(BIO), [[0] * 8], [[0] * 7 + [7]]))


@pytest.mark.parametrize("score", SCORES)
def test_no_entity(score):
    metric = EntityF1(BIO, score=score)
    assert float(metric.result()) == 0.0
    assert result(metric, [[0] * 8], [[0] * 8]) == 0.0
    assert result(metric, [[-1] * 8], [[1] * 8]) == 0.0


@pytest.mark.compiled
def test_mask_in_a_compiled_model(tmp_path):
    """The model repeats its input, masked in places."""
    y_true, y_pred = random_tags(BIO, 20, seed=8)
    masked = np.random.default_rng(9).random(y_true.shape) < 0.2
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(8, 7, mask_zero=True, weights=[np.eye(8)[:, 1:]]),
            layers.Activation("linear"),
        ]
    )
    loss = LabelSmoothedCrossentropy(ignore_class=-1)
    metric = EntityF1(BIO, score="recall")
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=[metric])
    inputs = np.where(masked, 0, y_pred + 1)
    arguments = {"batch_size": 8, "verbose": 0, "return_dict": True}
    logs = model.evaluate(inputs, y_true, **arguments)
    expected = oracle("recall", *strings(BIO, y_true, y_pred, ~masked))
    np.testing.assert_allclose(logs["entity_recall"], expected, rtol=1e-6)
    model.train_on_batch(inputs[:, :5], y_true[:, :5])
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    again = copy.evaluate(inputs, y_true, **arguments)
    assert again["entity_recall"] == logs["entity_recall"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tags": "O"}, "`tags`.*list of strings.*'O'"),
        ({"tags": [0, 1]}, "`tags`.*list of strings"),
        ({"tags": []}, "`tags`.*at least one"),
        ({"tags": ["O", "O"]}, "`tags`.*different"),
        ({"tags": ["O", "PER"]}, "`tags`.*B, I with.*'PER'"),
        ({"tags": ["O", "S-PER"]}, "`tags`.*B, I with.*'S-PER'"),
        ({"tags": ["O-PER"]}, "`tags`.*'O-PER'"),
        ({"tags": BIO, "scheme": "iob1", "strict": True}, "`strict`.*='iob1'"),
        ({"tags": BIO, "suffix": "yes"}, "`suffix` must be.*='yes'"),
        ({"tags": BIO, "strict": 1}, "`strict` must be True or False.*=1"),
        ({"tags": BIO, "suffix": True}, "`tags`.*before it.*'B-PER'"),
        ({"tags": ["O", "PER-B"]}, "`tags`.*'-' and a type.*'PER-B'"),
        ({"tags": BIOES, "scheme": "bilou"}, "B, I, L, U with.*'E-X'"),
        ({"tags": BIO, "scheme": "io"}, "`scheme`.*bioes.*='io'"),
        ({"tags": BIO, "score": "accuracy"}, "`score`.*recall.*='accuracy'"),
        ({"tags": BIO, "ignore_class": 0.5}, "`ignore_class`.*=0.5"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        EntityF1(**arguments)


def test_wrong_shapes():
    metric = EntityF1(BIO)
    for true, pred in [((4,), (4,)), ((4, 5), (4, 5, 6)), ((4, 5), (4, 6))]:
        with pytest.raises(ValueError, match=r"`y_true`.*shape=\(4,"):
            metric.update_state(np.zeros(true), np.zeros(pred))
    with pytest.raises(ValueError, match=r"`y_true`.*\(2, 3, 4\)"):
        metric.update_state(np.zeros((2, 3, 4)), np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="`sample_weight`"):
        metric.update_state(np.zeros((4, 5)), np.zeros((4, 5)), np.ones(5))
    with pytest.raises(ValueError, match="`tags`.*B, I, E, S.*'X'"):
        tag_chunks(["O", "X"])
    with pytest.raises(ValueError, match="`tags`.*list of strings.*'B-PER'"):
        tag_chunks("B-PER")
