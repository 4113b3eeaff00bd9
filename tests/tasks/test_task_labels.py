"""Labels that are numbers, or look like them: names first, no index beside."""

import json

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
