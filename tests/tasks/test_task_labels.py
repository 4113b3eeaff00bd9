"""Labels that are numbers, or look like them: names first, no index beside."""

import json

import numpy as np
import pytest

from keras_dl import tasks
from keras_dl.text import WordVocabulary

WORDS = WordVocabulary(["good", "bad"])
STARS = ("1", "2", "3", "4", "5")


def task_of(labels):
    return tasks.Task(
        "reviews",
        "classification",
        files={"train": ("train.jsonl", "train.csv"), "test": ("test.jsonl",)},
        texts=("review",),
        label="stars",
        labels=labels,
    )


def targets(tmp_path, values, labels, split="train"):
    rows = [{"review": "good", "stars": value} for value in values]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / f"{split}.jsonl").write_text(text)
    data = tasks.load(task_of(labels), WORDS, 8, files=tmp_path, splits=[split])
    found = data[split].targets
    return None if found is None else found.tolist()


@pytest.mark.parametrize(
    ("values", "labels", "indices"),
    [
        ([1, 2, 5], STARS, [0, 1, 4]),
        (["1", "2", "5"], STARS, [0, 1, 4]),
        ([1, "1", 1.0, "1.0"], STARS, [0, 0, 0, 0]),
        ([1, "5"], (1, 2, 3, 4, 5), [0, 4]),
        ([10, 9, "10"], ("9", "10"), [1, 0, 1]),
        ([-1, 0, 1], ("-1", "0", "1"), [0, 1, 2]),
        ([0.5, 1], ("0.5", "1"), [0, 1]),
        (["other", 1], ("1", "other"), [1, 0]),
        ([0, 1, "good", "1"], ("bad", "good"), [0, 1, 1, 1]),
        (["nan", 1, "inf"], ("nan", "inf"), [0, 1, 1]),
        (["01", "1"], ("1", "01"), [1, 0]),
    ],
    ids=str,
)
def test_numbers_are_names_where_names_look_like_numbers(
    values, labels, indices, tmp_path
):
    assert targets(tmp_path, values, labels) == indices


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        (0, STARS),
        ("0", STARS),
        (1.5, STARS),
        (True, STARS),
        (0, ("1", "other")),
        (1, ("1", "01")),
        (2, ("bad", "good")),
        (float("nan"), ("bad", "good")),
        ("1_000", ("1000", "2000")),
        (None, STARS),
        ([1], STARS),
    ],
    ids=str,
)
def test_what_is_no_label(value, labels, tmp_path):
    with pytest.raises(ValueError, match=r"Line 1 of .*train.jsonl must have"):
        targets(tmp_path, [value], labels)


def test_a_hidden_label_is_none_of_the_names(tmp_path):
    assert targets(tmp_path, [-1, -1], ("bad", "good"), "test") is None
    assert targets(tmp_path, [-1, 1], ("-1", "1"), "test") == [0, 1]


def test_columns_of_a_table(tmp_path):
    (tmp_path / "train.csv").write_text("review,stars\ngood,5\nbad,1.0\n")
    data = tasks.load(
        task_of(STARS), WORDS, 8, files=tmp_path, splits=["train"]
    )
    assert data["train"].targets.tolist() == [4, 0]


@pytest.mark.parametrize("labels", [(1, "1"), (True, 2), (None, 2), "ab"])
def test_names_are_different(labels):
    with pytest.raises(ValueError, match="`labels` must be different names"):
        task_of(labels)


def test_numbers_are_kept_as_names():
    assert task_of((1, 2)).labels == ("1", "2")


NLI = ("CONTRADICTION", "neutral", "Entailment")


def nli(tmp_path, labels=None):
    rows = ["entailment", 0, "neutral", 2, "contradiction"]
    lines = [
        {"premise": "good", "hypothesis": "bad", "label": label}
        for label in rows
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "train.jsonl").write_text(text)
    return tasks.load(
        "glue/mnli",
        WORDS,
        8,
        files=tmp_path,
        splits=["train"],
        labels=labels,
    )


def test_the_order_of_a_model(tmp_path):
    """Indices in the file are the task's, targets the model's."""
    assert nli(tmp_path)["train"].targets.tolist() == [0, 0, 1, 2, 2]
    data = nli(tmp_path, NLI)
    split = data["train"]
    assert split.targets.tolist() == [2, 2, 1, 0, 0]
    assert data.labels == ("contradiction", "neutral", "entailment")
    assert data.head().label_names == data.labels
    logits = np.eye(3)[split.targets]
    assert split.scores(logits) == {"accuracy": 1.0}
    assert split.predictions(logits)[0] == "entailment"


class Model:
    """What `logits` asks of a model."""

    def __init__(self, names):
        self.label_names = names

    def predict(self, batches, verbose):
        return np.zeros((5, 3))


def test_a_model_with_labels_in_another_order_is_refused(tmp_path):
    split = nli(tmp_path)["train"]
    for names in (None, ("a", "b", "c"), NLI[::-1], split.task.labels):
        assert split.logits(Model(names)).shape == (5, 3)
    with pytest.raises(ValueError, match="`model` must have .*'CONTRADICTION'"):
        split.logits(Model(NLI))
    assert nli(tmp_path, NLI)["train"].logits(Model(NLI)).shape == (5, 3)


def test_tags_in_the_order_of_a_model(tmp_path):
    (tmp_path / "train.txt").write_text("good O\nbad B-PER\n")
    names = tasks.load(
        "conll2003", WORDS, 8, files=tmp_path, splits=["train"]
    ).labels
    data = tasks.load(
        "conll2003",
        WORDS,
        8,
        files=tmp_path,
        splits=["train"],
        labels=names[::-1],
    )
    assert data["train"].targets[0, 1:3].tolist() == [
        len(names) - 1,
        names[::-1].index("B-PER"),
    ]
    assert data.head().label_names == names[::-1]


@pytest.mark.parametrize(
    ("task", "labels", "message"),
    [
        ("glue/mnli", ("entailment", "neutral"), "`labels` must be those of"),
        ("glue/stsb", ("a",), "`labels` must be those of 'glue/stsb'"),
        ("swag", ("3", "2", "1", "0"), "`labels` must be those of 'swag'"),
        ("glue/mrpc", ("equivalent", "not_equivalent"), "F1 of 'glue/mrpc'"),
    ],
)
def test_labels_of_another_task(task, labels, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        tasks.load(task, WORDS, 8, files=tmp_path, labels=labels)
