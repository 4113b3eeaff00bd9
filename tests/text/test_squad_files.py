"""read_squad: files as SQuAD has them."""

import copy
import json

import numpy as np
import pytest

from keras_dl.metrics import squad_scores
from keras_dl.text import Questions, SpanWindows, WordVocabulary, read_squad

CONTEXT = "Ada was born in London, the capital."
FILE = {
    "version": "v2.0",
    "data": [
        {
            "title": "Ada",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "question": "Where?",
                            "id": "a",
                            "answers": [
                                {"text": "London", "answer_start": 16},
                                {"text": "the capital", "answer_start": 24},
                            ],
                            "is_impossible": False,
                        },
                        {
                            "plausible_answers": [
                                {"text": "London", "answer_start": 16}
                            ],
                            "question": "When?",
                            "id": "b",
                            "answers": [],
                            "is_impossible": True,
                        },
                    ],
                },
                {
                    "context": "Été à Paris.",
                    "qas": [
                        {
                            "question": "Où ?",
                            "id": "c",
                            "answers": [{"text": "Paris", "answer_start": 6}],
                        }
                    ],
                },
            ],
        },
        {"title": "Nothing", "paragraphs": []},
    ],
}


def written(folder, content):
    path = folder / "dev-v2.0.json"
    if not isinstance(content, bytes):
        content = json.dumps(content, ensure_ascii=False).encode()
    path.write_bytes(content)
    return path


def test_what_the_file_says(tmp_path):
    asked = read_squad(written(tmp_path, FILE))
    assert asked == Questions(
        ("a", "b", "c"),
        ("Where?", "When?", "Où ?"),
        (CONTEXT, CONTEXT, "Été à Paris."),
        ([("London", 16), ("the capital", 24)], [], [("Paris", 6)]),
    )
    scores = squad_scores(
        {"a": "capital", "b": "", "c": "Lyon"}, asked.references
    )
    assert scores["exact"] == pytest.approx(200 / 3)
    words = WordVocabulary.train([*asked.questions, *asked.contexts])
    windows = SpanWindows(
        asked.questions, asked.contexts, words, asked.answers, length=16
    )
    assert windows.spans.tolist() == [[8, 8], [0, 0], [6, 6]]


def without(*path):
    """The file without what stands at a path of keys and indices."""
    content = copy.deepcopy(FILE)
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return content


def changed(value, *path):
    content = copy.deepcopy(FILE)
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return content


FIRST = ("data", 0, "paragraphs", 0, "qas", 0)
SECOND = ("data", 0, "paragraphs", 0, "qas", 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"data":\n [}', "dev-v2.0.json is damaged in line 2: Expecting"),
        (
            b'{"data": "\xff"}',
            "dev-v2.0.json is damaged in line 1, .*'utf-8'.*0xff",
        ),
        ([], r"dev-v2.0.json must have 'data', of type list"),
        (without("data"), "must have 'data', of type list. Received: 'None'"),
        (
            without(*SECOND, "id"),
            r"json: data\[0\].paragraphs\[0\].qas\[1\] must have 'id', of type "
            "str",
        ),
        (without("data", 0, "paragraphs", 1, "context"), "'context'"),
        (changed(3, *SECOND, "question"), "'question', of type str. .*: '3'"),
        (
            changed([{"text": "Ada"}], *SECOND, "answers"),
            r"answers\[0\] must have 'answer_start', of type int",
        ),
        (
            changed([{"text": "Ada", "answer_start": 0}], *SECOND, "answers"),
            r"qas\[1\] must have no answers, as is_impossible says.*'Ada'",
        ),
        (changed("a", *SECOND, "id"), "different ids. Received: 'a' more"),
        (changed(True, *SECOND, "id"), "'id', of type str or int.*'True'"),
        (changed(1.0, *SECOND, "id"), "'id', of type str or int.*'1.0'"),
        (changed(None, *SECOND, "id"), "'id', of type str or int.*'None'"),
        (changed("yes", *SECOND, "is_impossible"), "true or false.*'yes'"),
        (
            changed([{"text": "Ada", "answer_start": True}], *FIRST, "answers"),
            r"qas\[0\].answers\[0\] must have 'answer_start', of .* int.*True",
        ),
        (
            changed([{"text": "Ada", "answer_start": "0"}], *FIRST, "answers"),
            "'answer_start', of type int. Received: '0'",
        ),
        (
            without(*FIRST, "answers"),
            r"json: data\[0\].paragraphs\[0\].qas\[0\] must have 'answers', as",
        ),
        (
            json.dumps(changed("a\udc80", *FIRST, "question")).encode(),
            r"qas\[0\] must have 'question' of whole .*'\\udc80' at char.* 1",
        ),
        (b'{"data": [], "data": []}', "json is damaged: .*'data' twice"),
        (b"[" * 100_000, "json is damaged: lists .* too deep"),
        (b'{"data": ' + b"1" * 5000 + b"}", "json is damaged: .*4300 digits"),
        ({"data": []}, "must hold questions.*no questions"),
    ],
)
def test_errors(content, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_squad(written(tmp_path, content))


def test_integers_are_ids_as_files_of_predictions_have_them(tmp_path):
    asked = read_squad(written(tmp_path, changed(17, *SECOND, "id")))
    assert asked.ids == ("a", "17", "c")
    scores = squad_scores(json.loads('{"17": ""}'), asked.references)
    assert scores["missing"] == ["a", "c"]
    content = changed("17", *FIRST, "id")
    content["data"][0]["paragraphs"][0]["qas"][1]["id"] = 17
    with pytest.raises(ValueError, match="different ids. Received: '17' more"):
        read_squad(written(tmp_path, content))


def without_answers():
    """A file to predict on."""
    content = copy.deepcopy(FILE)
    for part in content["data"]:
        for paragraph in part["paragraphs"]:
            for asked in paragraph["qas"]:
                for name in ("answers", "is_impossible", "plausible_answers"):
                    asked.pop(name, None)
    return content


@pytest.mark.parametrize("nothing", ["missing", "null"])
def test_questions_to_predict_on(tmp_path, nothing):
    content = without_answers()
    if nothing == "null":
        content["data"][0]["paragraphs"][0]["qas"][0]["answers"] = None
    asked = read_squad(written(tmp_path, content))
    assert asked.answers is None and asked.ids == ("a", "b", "c")
    words = WordVocabulary.train([*asked.questions, *asked.contexts])
    windows = SpanWindows(
        asked.questions, asked.contexts, words, asked.answers, length=16
    )
    assert windows.spans is None
    ends = np.eye(16)[[8, 4, 6]]
    assert windows.best(ends, ends) == ["London", "Ada", "Paris"]
    with pytest.raises(ValueError, match="`references` needs answers"):
        asked.references  # noqa: B018


def test_is_impossible_is_an_answer(tmp_path):
    """Without a list of answers there is none, and this is known."""
    content = changed(True, *FIRST, "is_impossible")
    content["data"][0]["paragraphs"][0]["qas"][0].pop("answers")
    asked = read_squad(written(tmp_path, content))
    assert asked.answers == ([], [], [("Paris", 6)])


@pytest.mark.parametrize("begin", [-1, -20, 99])
def test_answers_without_a_place_can_be_left_out(begin, tmp_path):
    """As files have them whose answers were not found in their contexts."""
    answers = [{"text": "l.", "answer_start": begin}]
    content = changed(answers, *FIRST, "answers")
    asked = read_squad(written(tmp_path, content))
    words = WordVocabulary.train([*asked.questions, *asked.contexts])
    given = (asked.questions, asked.contexts, words, asked.answers)
    with pytest.raises(ValueError, match=f"answers.0. with 'l.' at {begin}"):
        SpanWindows(*given, length=16)
    windows = SpanWindows(*given, length=16, misplaced="leave_out")
    assert windows.left_out == (0,)
    assert windows.spans.tolist() == [[0, 0], [6, 6]]


# As CMRC 2018 has them; such files are often written in GB 18030.
CHINESE = {
    "version": "v1.0",
    "data": [
        {
            "title": "范廷颂",
            "id": "TRIAL_800",
            "paragraphs": [
                {
                    "id": "TRIAL_800",
                    "context": "范廷颂枢机、圣名保禄·若瑟、1919年6月15日出生。",
                    "qas": [
                        {
                            "question": "范廷颂是什么时候出生的",
                            "id": "TRIAL_800_QUERY_0",
                            "answers": [
                                {"text": "1919年6月15日", "answer_start": 14}
                            ],
                        }
                    ],
                }
            ],
        }
    ],
}


@pytest.mark.parametrize(
    "encoding", ["utf-8", "gb18030", "utf-16", "utf-8-sig"]
)
def test_encodings(encoding, tmp_path):
    text = json.dumps(CHINESE, ensure_ascii=False, indent=1)
    path = written(tmp_path, text.encode(encoding))
    asked = read_squad(path, encoding)
    assert asked.ids == ("TRIAL_800_QUERY_0",)
    (((answer, begin),),) = asked.answers
    assert asked.contexts[0][begin:].startswith(answer)
    if encoding == "utf-8-sig":
        assert read_squad(path) == asked
    if encoding == "gb18030":
        with pytest.raises(ValueError, match="json is damaged in line 5, "):
            read_squad(path)
