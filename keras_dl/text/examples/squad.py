"""Files of questions with the texts that answer them, as SQuAD has them."""

import collections
from typing import NamedTuple

from keras_dl.text.files import lone_surrogate, read_json


class Questions(NamedTuple):
    """Questions about texts, as `SpanWindows` takes them.

    Attributes:
        ids: Tuple of strings, each different.
        questions: Tuple of strings.
        contexts: Tuple of strings: for each question the text that it is
            about.
        answers: Tuple with a list of `(text, begin)` for each question, where
            `text` stands in the context from character `begin` on; an empty
            list where there is no answer.

    Example:

    >>> asked = Questions(("1",), ("Who?",), ("Ada",), ([("Ada", 0)],))
    >>> asked.references
    {'1': ['Ada']}
    """

    ids: tuple
    questions: tuple
    contexts: tuple
    answers: tuple | None

    @property
    def references(self):
        """Texts of the answers by question, as `squad_scores` takes them."""
        if self.answers is None:
            raise ValueError(
                "`references` needs answers, and those of these questions are "
                "not known. Received: answers=None."
            )
        return {
            id: [text for text, _ in answers]
            for id, answers in zip(self.ids, self.answers, strict=True)
        }


def read_squad(path, encoding="utf-8"):
    """Reads questions from a file as SQuAD 1.1 and 2.0 have it.

        {"data": [{"paragraphs": [{
            "context": "Ada was born in London.",
            "qas": [{
                "id": "1", "question": "Where?", "is_impossible": false,
                "answers": [{"text": "London", "answer_start": 16}]}]}]}]}

    Only 2.0 has `is_impossible`: there is no answer then. What else the file
    says, such as `plausible_answers`, is left out. Ids may be integers: those
    of the result are strings, as in files of predictions. CMRC 2018, DRCD,
    KorQuAD and others are published in the form of 1.1.

    In a file to predict on, no question has `answers`; those of the result are
    then `None`.

    Args:
        path: Name of the file.
        encoding: How the file is written. The mark that it may begin with
            (BOM) is left out.

    Returns:
        A named tuple `Questions(ids, questions, contexts, answers)`.

    Raises:
        ValueError: If the file is damaged, lacks something, or not written in
            `encoding`, if two questions have one id, or only some of them
            `answers`. The file and the place in it are named. That answers
            stand where they should is for `SpanWindows` to check.

    Example:

    >>> import json
    >>> answer = {"text": "London", "answer_start": 16}
    >>> asked = {"id": "1", "question": "Where?", "answers": [answer]}
    >>> part = {"context": "Ada was born in London.", "qas": [asked]}
    >>> with open("train-v1.1.json", "w", encoding="utf-8") as file:
    ...     json.dump({"data": [{"paragraphs": [part]}]}, file)
    >>> asked = read_squad("train-v1.1.json")
    >>> asked.questions, asked.answers
    (('Where?',), ([('London', 16)],))
    >>> words = keras_dl.text.WordVocabulary.train(asked.contexts)
    >>> windows = keras_dl.text.SpanWindows(
    ...     asked.questions, asked.contexts, words, asked.answers, length=16
    ... )

    Reference:
        Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension
        of Text", 2016; Rajpurkar, Jia and Liang, "Know What You Don't Know:
        Unanswerable Questions for SQuAD", 2018.
    """
    rows = list(_questions(read_json(path, encoding), path))
    ids = [id for id, *_ in rows]
    if len(set(ids)) < len(ids) or not ids:
        twice = [id for id, n in collections.Counter(ids).items() if n > 1]
        raise ValueError(
            f"{path} must hold questions with different ids. Received: "
            + (f"{twice[0]!r} more than once." if ids else "no questions.")
        )
    ids, questions, contexts, answers, places = zip(*rows, strict=True)
    unknown = [
        at for at, one in zip(places, answers, strict=True) if one is None
    ]
    if 0 < len(unknown) < len(ids):
        raise ValueError(
            f"{unknown[0]} must have 'answers', as other questions have. "
            "Received: None."
        )
    return Questions(ids, questions, contexts, None if unknown else answers)


def _questions(content, path):
    """For each question its id, itself, its context and answers; its place."""
    for article, here in _each(content, "data", path, mark=": "):
        for paragraph, there in _each(article, "paragraphs", here):
            context = _get(paragraph, "context", str, there)
            for asked, place in _each(paragraph, "qas", there):
                id = str(_get(asked, "id", (str, int), place))
                question = _get(asked, "question", str, place)
                yield id, question, context, _answers(asked, place), place


def _answers(asked, place):
    """The answers, or `None` where they are not known."""
    impossible = asked.get("is_impossible")
    if impossible is not None and not isinstance(impossible, bool):
        raise ValueError(
            f"{place} must have 'is_impossible' of true or false. Received: "
            f"{impossible!r:.40}."
        )
    if asked.get("answers") is None:
        return [] if impossible else None
    answers = [
        (_get(one, "text", str, at), _get(one, "answer_start", int, at))
        for one, at in _each(asked, "answers", place)
    ]
    if answers and impossible:
        raise ValueError(
            f"{place} must have no answers, as is_impossible says. Received: "
            f"{answers[0][0][:40]!r}."
        )
    return answers


def _each(item, name, place, mark="."):
    """The items of a list, and where they stand in the file."""
    for i, one in enumerate(_get(item, name, list, place)):
        yield one, f"{place}{mark}{name}[{i}]"


def _get(item, name, kind, place):
    value = item.get(name) if isinstance(item, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        kinds = " or ".join(one.__name__ for one in kinds)
        raise ValueError(
            f"{place} must have {name!r}, of type {kinds}. Received: "
            f"{str(value)[:40]!r}."
        )
    if isinstance(value, str) and (half := lone_surrogate(value)):
        raise ValueError(
            f"{place} must have {name!r} of whole characters. Received: {half}."
        )
    return value
