"""Files as users have them: encodings, files to predict on, long texts."""

import json

import numpy as np
import published
import pytest

from keras_dl import tasks
from keras_dl.text import CharacterVocabulary

LETTERS = CharacterVocabulary(list("abcdefghé ?北京大学"))


def own(**facts):
    given = {
        "name": "own",
        "kind": "classification",
        "files": {"train": (), "test": ()},
        "texts": ("first", "second"),
        "labels": ("no", "yes"),
        **facts,
    }
    return tasks.Task(**given)


def squad(context, *asked):
    """A file of `(id, question, answers)`; no answers if they are `None`."""
    qas = [{"id": id, "question": text} for id, text, _ in asked]
    for one, (*_, answers) in zip(qas, asked, strict=True):
        if answers is not None:
            one["answers"] = [
                {"text": text, "answer_start": begin} for text, begin in answers
            ]
    content = {"data": [{"paragraphs": [{"context": context, "qas": qas}]}]}
    return json.dumps(content, ensure_ascii=False)


FILES = {
    "tsv": (own(), "first\tsecond\tlabel\né\t北京\tyes\n"),
    "csv": (own(), "first,second,label\né,北京,yes\n"),
    "jsonl": (own(), '{"first": "é", "second": "北京", "label": "yes"}\n'),
    "json": ("squad/v1.1", squad("é 北京", (1, "é?", [("北京", 2)]))),
    "txt": ("conll2003", "é X X O\n北京 X X B-LOC\n"),
}


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("suffix", FILES)
def test_encodings(suffix, encoding, tmp_path):
    task, text = FILES[suffix]
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(text.encode())
    expected = tasks.load(task, LETTERS, files={"train": path})["train"]
    path.write_bytes(text.encode(encoding))
    given = {"files": {"train": path}, "encoding": encoding}
    found = tasks.load(task, LETTERS, **given)["train"]
    for name, rows in expected.inputs.items():
        np.testing.assert_array_equal(found.inputs[name], rows)
    np.testing.assert_array_equal(found.targets, expected.targets)
    assert 1 not in np.concatenate(list(found.inputs["token_ids"]))  # [UNK]
    if encoding != "utf-8-sig":
        with pytest.raises(ValueError, match=rf"x.{suffix} .* line \d"):
            tasks.load(task, LETTERS, files={"train": path})


def test_encodings_are_of_files():
    with pytest.raises(ValueError, match="`encoding` is for `files`.*'ascii'"):
        tasks.load("glue/rte", LETTERS, encoding="ascii")


def test_questions_to_predict_on(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(squad("a bc d", (7, "a?", None), ("x", "b?", None)))
    files = {"validation": path}
    split = tasks.load("squad/v2.0", LETTERS, 20, files=files)["validation"]
    assert split.targets is None
    logits = np.zeros((2, 2, 20), "float32")
    logits[0, :, [6, 7]] = [[9, 0], [0, 9]]
    found = split.predictions(logits)
    assert set(found) == {"7", "x"} and found["7"] == "bc"
    (x,) = split.batches(2)[0]
    assert x["token_ids"].shape == (2, 20)
    with pytest.raises(ValueError, match="`references` needs answers"):
        split.scores(logits)
    with pytest.raises(ValueError, match="mine.json must have answers to tr"):
        tasks.load("squad/v2.0", LETTERS, 20, files={"train": path})


def test_answers_without_a_place_are_left_out(tmp_path):
    path = tmp_path / "x.json"
    asked = [("0", "a?", [("d", -1)]), ("1", "b?", [("bc", 2)])]
    path.write_text(squad("a bc d", *asked))
    given = {"files": {"train": path}, "damaged": "leave_out"}
    split = tasks.load("squad/v1.1", LETTERS, 20, **given)["train"]
    assert split.left_out == ("0",) and split.targets.tolist() == [[6, 7]]
    with pytest.raises(ValueError, match=r"(?s)\[0\] with 'd' at -1.*x.json"):
        tasks.load("squad/v1.1", LETTERS, 20, files={"train": path})


@pytest.mark.parametrize("truncation", ["only_first", "only_second"])
def test_truncation(truncation, tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("first\tsecond\tlabel\na b c\td e f\tyes\na\tb\tno\n")
    given = {"files": {"train": path}, "truncation": truncation}
    split = tasks.load(own(), LETTERS, 9, **given)["train"]
    assert [len(row) for row in split.inputs["token_ids"]] == [9, 5]
    segments = split.inputs["segment_ids"][0].tolist()
    assert segments.count(1) == (6 if truncation == "only_first" else 2)
    with pytest.raises(ValueError, match=r"(?s)`max_length`.*\[0\].*x.tsv"):
        tasks.load(own(), LETTERS, 8, **given)


def test_long_sentences_in_windows(tmp_path):
    """The scores are those of whole sentences, over all windows."""
    published.write(tmp_path)
    folder = tmp_path / "conll"
    words = ["ab", "cd", "ef", "gh"] * 5
    tags = ["B-PER", "I-PER", "O", "B-LOC"] * 5
    lines = [f"{w} X X {t}\n" for w, t in zip(words, tags, strict=True)]
    (folder / "train.txt").write_text("".join(lines))
    given = {"files": folder, "splits": ["train"], "max_length": 14}
    split = tasks.load("conll2003", LETTERS, stride=5, **given)["train"]
    assert len(split) > 1 and split.tagged.num_cut == 0
    logits = np.eye(9, dtype="float32")[np.maximum(split.targets, 0)]
    assert split.predictions(logits) == [tags]
    assert split.scores(logits)["f1"] == 1.0
    cut = tasks.load("conll2003", LETTERS, **given)["train"]
    assert len(cut) == 1 and cut.tagged.num_cut == 16


def test_chinese_answers(tmp_path):
    path = tmp_path / "cmrc2018_dev.json"
    path.write_text(squad("a 北京大学", (1, "é?", [("北京大学", 2)])))
    facts = {"kind": "spans", "files": {"validation": ()}, "texts": ()}
    logits = np.zeros((1, 2, 20), "float32")
    logits[0, :, [6, 7]] = [[9, 0], [0, 9]]  # 北京
    for language, f1 in (("zh", 200 / 3), ("en", 0.0)):
        task = own(**facts, language=language)
        files = {"validation": path}
        split = tasks.load(task, LETTERS, 20, files=files)["validation"]
        assert split.predictions(logits) == {"1": "北京"}
        assert split.scores(logits)["f1"] == pytest.approx(f1)
    with pytest.raises(ValueError, match="`language`.*'zh'.*'de'"):
        own(language="de")


def test_a_split_without_sentences(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("-DOCSTART- -X- O O\n\n")
    with pytest.raises(ValueError, match="must have words.*train.txt"):
        tasks.load("conll2003", LETTERS, files={"train": path})


@pytest.mark.parametrize(
    ("suffix", "text", "message"),
    [
        ("tsv", "first\tlabel\tlabel\n", "line 1: more than one .*'label'"),
        ("csv", "first,first\n", "line 1: more than one .* the name 'first'"),
        ("jsonl", '{"first": "a", "first": "b"}\n', "'first' twice"),
        ("jsonl", "[" * 100_000 + "\n", "Line 1 of .*too deep"),
        (
            "jsonl",
            '{"first": "a\\udc80", "second": "b", "label": "no"}\n',
            r"Line 1 of .*'first'. Rec.* surrogate '\\udc80' at character 1",
        ),
        ("tsv", "first\tsecond\tlabel\ra\tb\tno\r", r"(?s)0 examples.*x.tsv"),
        ("csv", "first,second,label\ra,b,no\r", "damaged in line 1: new-line"),
    ],
)
def test_errors(suffix, text, message, tmp_path):
    path = tmp_path / f"x.{suffix}"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        tasks.load(own(), LETTERS, files={"train": path})


@pytest.mark.parametrize("number", ["1_0", "٣", "1,5", "0x1", "", "1 2"])
def test_what_is_no_number(number, tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text(f"first\tsecond\tlabel\na\tb\t2.5\na\tb\t{number}\n")
    task = own(kind="regression", labels=(), metrics=("pearson",))
    with pytest.raises(ValueError, match="Line 3 of .*x.tsv .*numbers from"):
        tasks.load(task, LETTERS, files={"train": path})


def test_comments_of_files_of_tags(tmp_path):
    """As MultiCoNER has them; by themselves they might be words."""
    path = tmp_path / "train.conll"
    path.write_text("# id 8cb domain=train\na _ _ O\nb _ _ B-X\n\n# _ _ O\n")
    facts = {"kind": "tags", "texts": (), "labels": ("O", "B-X")}
    facts["metrics"] = ("entity_f1",)
    files = {"train": path}
    with pytest.raises(
        ValueError, match="Line 1 of .*train.conll may be a com"
    ):
        tasks.load(own(**facts), LETTERS, files=files)
    task = own(**facts, comments="# id")
    split = tasks.load(task, LETTERS, files=files)["train"]
    assert split.tags == [["O", "B-X"], ["O"]]
    assert [len(row[row > 0]) for row in split.inputs["token_ids"]] == [5, 3]
