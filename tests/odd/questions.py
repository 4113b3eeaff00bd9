"""Odd files of questions, as SQuAD has them."""

import json
import re

from odd.cases import WORDS, Source, without_twins

_SPOKEN = [word for word in WORDS if word.strip() and word[0].isalnum()]


def source(kind, rng):
    """A file of questions of SQuAD 1.1 or 2.0."""
    version = rng.choice(["squad/v1.1", "squad/v2.0"])
    ids = iter(rng.sample(range(100), 30))
    articles = [
        {"paragraphs": [_paragraph(rng, ids, version) for _ in range(size)]}
        for size in rng.choices([0, 1, 2], k=rng.randint(0, 2))
    ]
    articles.append({"paragraphs": [_paragraph(rng, ids, version)]})
    content = {"version": "1", "data": articles}
    options = {"damaged": "leave_out"} if rng.random() < 0.4 else {}
    form = {"ensure_ascii": rng.random() < 0.5, "indent": rng.choice([None, 1])}
    text = json.dumps(content, **form)
    end = rng.choice(["", "\n", "\r\n \n"])
    return Source(
        version,
        "train.json",
        text + end,
        _by_hand(version, options, text),
        options,
        _Damages(version, content, options, rng).by_name(),
        lambda text: _by_hand(version, options, text),
    )


def _paragraph(rng, ids, version):
    words = rng.choices(_SPOKEN, k=rng.randint(3, 9))
    qas = [
        _asked(rng, words, next(ids), version) for _ in range(rng.randint(1, 2))
    ]
    return {"context": " ".join(words), "qas": qas}


def _asked(rng, words, id, version):
    asked = {"id": rng.choice([id, f"q{id}"]), "question": rng.choice(_SPOKEN)}
    if version == "squad/v2.0" and rng.random() < 0.4:
        plausible = [{"text": "x", "answer_start": -5}]
        asked |= {"plausible_answers": plausible, "is_impossible": True}
        return {**asked, "answers": []}
    if version == "squad/v2.0" and rng.random() < 0.5:
        asked["is_impossible"] = False
    answers = []
    for _ in range(rng.randint(1, 2)):
        at, size = rng.randrange(len(words)), rng.randint(1, 2)
        text, begin = (
            " ".join(words[at : at + size]),
            len(" ".join([*words[:at], ""])),
        )
        answers.append({"text": text, "answer_start": begin})
    return {**asked, "answers": answers}


class _Damages:
    """Ways to damage a file of questions: the last one of all."""

    def __init__(self, version, content, options, rng):
        self.version, self.options, self.rng = version, options, rng
        self.content = content

    def by_name(self):
        choice = self.rng.choice
        text = json.dumps(self.content)
        begins = [1.0, "0", True, None]
        answer = {"text": "a", "answer_start": choice(begins)}
        return {
            "misplaced": self._misplaced,
            "an id twice": self._twice,
            "no id": lambda: self._changed(id=None),
            "no question": lambda: self._changed(question=None),
            "id of another type": lambda: self._changed(
                id=choice([1.5, True, []])
            ),
            "is_impossible in words": lambda: self._changed(
                is_impossible="false"
            ),
            "no list of answers": lambda: self._changed(
                answers=choice([{}, "a", [1], [{}], [[]]])
            ),
            "begin of another type": lambda: self._changed(answers=[answer]),
            "no context": lambda: (text.replace('"context"', '"text"'), None),
            "no answers to train on": lambda: (
                re.sub(r'"(answers|is_impossible)"', '"none"', text),
                None,
            ),
            "lone surrogate": lambda: (
                text.replace('"question": "', '"question": "\\udc00'),
                None,
            ),
            "cut off": lambda: (
                text[: self.rng.randint(1, len(text) - 1)],
                None,
            ),
            "a key twice": lambda: (f'{text[:-1]}, "data": []}}', None),
            "too deep": lambda: ("[" * 100_000, None),
            "other encoding": lambda: (text.encode() + b"\xff", None),
        }

    def _copy(self):
        copy = json.loads(json.dumps(self.content))
        paragraph = copy["data"][-1]["paragraphs"][-1]
        return copy, paragraph, paragraph["qas"][-1]

    def _changed(self, **changes):
        copy, _, asked = self._copy()
        asked.update(changes)
        return json.dumps(copy), None

    def _twice(self):
        """A number, and the same as a string, are one id."""
        copy, paragraph, asked = self._copy()
        paragraph["qas"].append({**asked, "id": str(asked["id"])})
        return json.dumps(copy), None

    def _misplaced(self):
        copy, paragraph, asked = self._copy()
        context = paragraph["context"]
        begin = self.rng.choice([-1, 10_000, 1, -len(context)])
        for one in asked["answers"]:
            if begin > 0 and context.startswith(one["text"], begin):
                return None
            one["answer_start"] = begin
        if not asked["answers"]:
            return None
        text = json.dumps(copy)
        try:
            return text, _by_hand(self.version, self.options, text)
        except ValueError:
            return text, None


def _by_hand(version, options, text):
    """Ids, questions, contexts and answers; and the ids that are left out."""
    found, left_out = [], []
    for article in json.loads(text, object_pairs_hook=without_twins)["data"]:
        for paragraph in article["paragraphs"]:
            context = paragraph["context"]
            for asked in paragraph["qas"]:
                given = asked if "answers" in asked else {"answers": []}
                if not ("answers" in asked or asked["is_impossible"] is True):
                    raise ValueError("answers")
                answers = [
                    (one["text"], one["answer_start"])
                    for one in given["answers"]
                ]
                _check(asked, context, answers, version)
                placed = [
                    begin >= 0
                    and context[begin:].startswith(text)
                    and text != ""
                    for text, begin in answers
                ]
                if not all(placed) and not options:
                    raise ValueError("misplaced")
                id = str(asked["id"])
                left_out += [id] if answers and not any(placed) else []
                found.append((id, asked["question"], context, answers))
    if len({id for id, *_ in found}) < len(found) or len(left_out) == len(
        found
    ):
        raise ValueError("ids")
    return found, tuple(left_out)


def _check(asked, context, answers, version):
    strings = (asked["question"], context, *(text for text, _ in answers))
    for string in strings:
        string.encode()  # Refuses lone surrogates, and what is no string.
    begins = [begin for _, begin in answers]
    if type(asked["id"]) not in (str, int) or {type(b) for b in begins} - {int}:
        raise ValueError("types")
    impossible = asked.get("is_impossible")
    if type(impossible) not in (bool, type(None)) or (answers and impossible):
        raise ValueError("is_impossible")
    if not answers and version == "squad/v1.1":
        raise ValueError("answers")
