"""read_squad: files as SQuAD has them."""

import copy
import json

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
        ({"data": []}, "must hold questions.*no questions"),
    ],
)
def test_errors(content, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_squad(written(tmp_path, content))
