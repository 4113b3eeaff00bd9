"""Tasks from files that are damaged, missing, or say what they must not."""

import json

import published
import pytest

from keras_dl import tasks
from keras_dl.text import CharacterVocabulary

LETTERS = CharacterVocabulary(list("abcdefgh ?"))
RTE = "index\tsentence1\tsentence2\tlabel\n"
ROW = "0\ta\tb\tentailment\n"
SWAG = ",sent1,sent2,ending0,ending1,ending2,ending3,label\n"


def squad(*begins):
    """Questions "0", "1" and so on, with "c" from where it is said."""
    asked = [
        {
            "id": str(i),
            "question": "a?",
            "answers": [{"text": "c", "answer_start": begin}] if begin else [],
        }
        for i, begin in enumerate(begins)
    ]
    paragraph = {"context": "ab c d", "qas": asked}
    return json.dumps({"data": [{"paragraphs": [paragraph]}]})


# Task, name of the file, what it holds, and the message.
CASES = {
    "too few columns": (
        "glue/rte",
        "x.tsv",
        RTE + ROW + "1\ta\tb\n",
        r"Line 3 of .*x.tsv is damaged: 3 columns, not 4: \['index'.*leave_out",
    ),
    "too many columns": (
        "glue/rte",
        "x.tsv",
        RTE + ROW + "\n1\ta\tb\tc\td\n",
        "Line 4 of .*x.tsv is damaged: 5 columns, not 4",
    ),
    "a header where there is none": (
        "glue/cola",
        "x.tsv",
        "source\tlabel\tmark\tsentence\ngj04\t1\t\ta\n",
        "Line 1 of .*x.tsv must have one of .*'acceptable'.*: 'label'",
    ),
    "no such column": (
        "glue/rte",
        "x.tsv",
        "index\tsentence1\tlabel\n0\ta\tentailment\n",
        r"Line 2 of .* a text in the column 'sentence2'. .*'index', 'sentence1",
    ),
    "none of several columns": (
        "glue/mrpc",
        "x.tsv",
        "Quality\t#1 String\n1\ta\n",
        "'#2 String or sentence2'",
    ),
    "no labels": (
        "glue/rte",
        "x.tsv",
        "index\tsentence1\tsentence2\n0\ta\tb\n",
        "Line 2 .*'not_entailment'.* in the column 'label'. Received: None",
    ),
    "unknown label": (
        "glue/rte",
        "x.tsv",
        RTE + ROW + "1\ta\tb\tneutral\n",
        "Line 3 of .*'entailment', 'not_entailment'.*Received: 'neutral'",
    ),
    "hidden label": ("glue/sst2", "x.tsv", "sentence\tlabel\na\t-1\n", "'-1'"),
    "index out of range": (
        "glue/sst2",
        "x.tsv",
        "sentence\tlabel\na\t2\n",
        "Received: '2'",
    ),
    "no whole index": (
        "glue/sst2",
        "x.jsonl",
        '{"sentence": "a", "label": 0.5}\n',
        "Received: 0.5",
    ),
    "no index": (
        "glue/sst2",
        "x.jsonl",
        '{"sentence": "a", "label": true}\n',
        "Received: True",
    ),
    "score out of range": (
        "glue/stsb",
        "x.tsv",
        "sentence1\tsentence2\tscore\na\tb\t5.1\n",
        r"numbers from \(0.0, 5.0\) in the column .*'5.1'",
    ),
    "no score": (
        "glue/stsb",
        "x.tsv",
        "sentence1\tsentence2\tscore\na\tb\tnan\n",
        "Received: 'nan'",
    ),
    "no text": (
        "glue/sst2",
        "x.jsonl",
        '{"sentence": 3, "label": 1}\n',
        "Line 1 of .*a text in the column 'sentence'. Received: 3",
    ),
    "damaged line": (
        "glue/sst2",
        "x.jsonl",
        '{"sentence": "a", "label": 1}\n{"sentence": \n',
        "Line 2 of .*x.jsonl is damaged: Expecting",
    ),
    "no dictionary": (
        "glue/sst2",
        "x.jsonl",
        "[1]\n",
        "Line 1 of .*x.jsonl is damaged: no dictionary",
    ),
    "no examples": ("glue/rte", "x.tsv", RTE, "0 examples"),
    "other encoding": (
        "glue/rte",
        "x.tsv",
        RTE.encode() + b"0\ta\xff\tb\tentailment\n",
        "x.tsv is damaged in line 2, or not written in 'utf-8'.*0xff",
    ),
    "other kind of file": ("glue/rte", "x.txt", RTE, "'.csv'.*'.tsv'.*'.txt'"),
    "quoted wrongly": (
        "swag",
        "x.csv",
        SWAG + '0,a,b,c,d,e,f,1\n1,a,"b"b,c,d,e,f,1\n',
        "x.csv is damaged in line 3: ",
    ),
    "too few choices": (
        "swag",
        "x.csv",
        SWAG + '0,a,"b\nb",c,d,e,f,1\n1,a,b,c,d,e,1\n',
        "Line 4 of .*x.csv is damaged: 7 columns, not 8",
    ),
    "damaged json": (
        "squad/v1.1",
        "x.json",
        '{"data": [\n\n',
        "x.json is damaged in line 3",
    ),
    "no answer": (
        "squad/v1.1",
        "x.json",
        squad(3, None),
        "'squad/v1.1' must have an answer. .*question '1'",
    ),
    "misplaced answer": (
        "squad/v2.0",
        "x.json",
        squad(3, 4),
        r"(?s)`answers` must.*\[1\] with 'c' at 4.*'train', from .*x.json",
    ),
    "unknown tag": (
        "conll2003",
        "x.txt",
        "ab NNP B-NP O\ncd NNP B-NP B-WHO\n",
        "'B-MISC'.*'B-WHO' in line 2 of .*x.txt",
    ),
    "columns of words": (
        "conll2003",
        "x.txt",
        "ab NNP B-NP O\ncd NNP O\n",
        "4 columns.*3 in line 2 of .*x.txt",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_files(case, tmp_path):
    task, name, content, message = CASES[case]
    path = tmp_path / name
    if isinstance(content, str):
        content = content.encode()
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        tasks.load(task, LETTERS, files={"train": path})


def test_what_is_damaged_can_be_left_out(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text(RTE + "9\ta\tb\n" + ROW + "1\tb\ta\tnot_entailment\n1\t2\n")
    data = tasks.load(
        "glue/rte", LETTERS, files={"train": path}, damaged="leave_out"
    )
    assert data["train"].targets.tolist() == [0, 1]
    assert [place.split(" of ")[0] for place in data["train"].left_out] == [
        "Line 2",
        "Line 5",
    ]
    path.write_text(squad(4, 3))
    data = tasks.load(
        "squad/v1.1", LETTERS, files={"train": path}, damaged="leave_out"
    )
    assert data["train"].left_out == ("0",)


def test_labels_of_a_test_split_are_there_or_not(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("sentence\tlabel\na\t1\nb\t0\n")
    data = tasks.load("glue/sst2", LETTERS, files={"test": path})
    assert data["test"].targets.tolist() == [1, 0]
    path.write_text("sentence\tlabel\na\t1\nb\t-1\n")
    with pytest.raises(ValueError, match="2 examples, 1 without a label"):
        tasks.load("glue/sst2", LETTERS, files={"test": path})


def test_only_line_feeds_part_lines(tmp_path):
    """Files from elsewhere end lines otherwise; texts may hold odd marks."""
    path = tmp_path / "x.tsv"
    rows = "\ufeffsentence\tlabel\r\na\u2028b\x0cc\t1\r\nb\rd\t0\r\n"
    path.write_bytes(rows.encode())
    data = tasks.load("glue/sst2", LETTERS, files={"train": path})
    assert data["train"].targets.tolist() == [1, 0]
    assert [len(row) for row in data["train"].inputs["token_ids"]] == [7, 5]


def test_missing_files_are_named(tmp_path):
    published.write(tmp_path)
    folder = tmp_path / "MRPC"
    (folder / "dev.tsv").unlink()
    (folder / "test.tsv").unlink()
    with pytest.raises(
        FileNotFoundError,
        match=r"`splits`.*validation: .*dev.tsv or .*dev.jsonl; test: .*test.t",
    ):
        tasks.load("glue/mrpc", LETTERS, files=folder)
    data = tasks.load("glue/mrpc", LETTERS, files=folder, splits=["train"])
    assert list(data.splits) == ["train"]
    with pytest.raises(ValueError, match=r"`split`.*\['train'\].*'test'"):
        data["test"]
    (folder / "train.jsonl").write_text("")
    with pytest.raises(ValueError, match="one file for the split 'train'"):
        tasks.load("glue/mrpc", LETTERS, files=folder, splits=["train"])


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("glue/ax", {}, "`task`.*'glue/cola'.*task='glue/ax'"),
        ("glue/rte", {"splits": "train"}, "`splits`.*'train', 'validation'"),
        ("glue/rte", {"splits": []}, "`splits`.*splits of 'glue/rte'"),
        ("glue/mnli", {"splits": ["test"]}, "`splits`.*'test_mismatched'"),
        ("glue/rte", {"files": {"dev": "x"}}, "`splits`.*'dev'"),
        (
            "glue/rte",
            {"files": {"test": "x"}, "splits": ["train"]},
            "`files` must have a file for each of `splits`",
        ),
        (
            "glue/rte",
            {"stride": 3},
            "options of glue/rte.*'separators'.*stride",
        ),
        ("conll2003", {"segments": False}, "options of conll2003"),
        ("glue/rte", {"damaged": "skip"}, "`damaged`.*'leave_out'.*'skip'"),
        ("glue/rte", {"data_dir": "x"}, "`data_dir` and `download`.*'x'"),
        ("glue/rte", {"download": True}, "`download` are for TensorFlow"),
        ("glue/rte", {"max_length": 3}, "`max_length`.*at least 4"),
    ],
)
def test_arguments(name, arguments, message, tmp_path):
    published.write(tmp_path)
    given = {"files": tmp_path / "RTE", **arguments}
    with pytest.raises(ValueError, match=message):
        tasks.load(name, LETTERS, **given)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "pair"}, "`kind`.*'choice'.*'pair'"),
        ({"metrics": ("bleu",)}, "`metrics`.*'entity_f1'.*'bleu'"),
        ({"labels": ("a",)}, "`labels`.*at least 2.*'a'"),
        ({"labels": ("a", "a")}, "`labels` must be different"),
        ({"texts": ()}, r"`texts`.*'classification'. Received: texts=\(\)"),
        ({"texts": ("a", "b", "c")}, "`texts`.*one or two.*'c'"),
        (
            {"kind": "choice", "choices": ("a",)},
            "`choices` must be as many.*'a',.*labels",
        ),
    ],
)
def test_own_tasks(changes, message):
    given = {"kind": "classification", "labels": ("a", "b"), "texts": ("c",)}
    with pytest.raises(ValueError, match=message):
        tasks.Task("own", files={}, **{**given, **changes})
