"""Files of questions with the texts that answer them, as SQuAD has them."""

import collections
import json
from typing import NamedTuple


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
    answers: tuple

    @property
    def references(self):
        """Texts of the answers by question, as `squad_scores` takes them."""
        return {
            id: [text for text, _ in answers]
            for id, answers in zip(self.ids, self.answers, strict=True)
        }


def read_squad(path):
    """Reads questions from a file as SQuAD 1.1 and 2.0 have it.

        {"data": [{"paragraphs": [{
            "context": "Ada was born in London.",
            "qas": [{
                "id": "1", "question": "Where?", "is_impossible": false,
                "answers": [{"text": "London", "answer_start": 16}]}]}]}]}

    Only 2.0 has `is_impossible`: there is no answer then. What else the file
    says, such as `plausible_answers`, is left out.

    Args:
        path: Name of the file.

    Returns:
        A named tuple `Questions(ids, questions, contexts, answers)`.

    Raises:
        ValueError: If the file is damaged, lacks something, or two questions
            have one id. That answers stand where they should is for
            `SpanWindows` to check.

    Example:

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
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path} is damaged in line {error.lineno}: {error.msg}."
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is damaged: {error}.") from error
    rows = list(_questions(content, path))
    ids = [id for id, *_ in rows]
    if len(set(ids)) < len(ids) or not ids:
        twice = [id for id, n in collections.Counter(ids).items() if n > 1]
        raise ValueError(
            f"{path} must hold questions with different ids. Received: "
            + (f"{twice[0]!r} more than once." if ids else "no questions.")
        )
    return Questions(*zip(*rows, strict=True))


def _questions(content, path):
    """For each question its id, itself, its context and its answers."""
    for article, here in _each(content, "data", path, mark=": "):
        for paragraph, there in _each(article, "paragraphs", here):
            context = _get(paragraph, "context", str, there)
            for asked, place in _each(paragraph, "qas", there):
                names = ("id", "question")
                id, question = (_get(asked, n, str, place) for n in names)
                yield id, question, context, _answers(asked, place)


def _answers(asked, place):
    answers = [
        (_get(one, "text", str, at), _get(one, "answer_start", int, at))
        for one, at in _each(asked, "answers", place)
    ]
    if answers and asked.get("is_impossible"):
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
    if not isinstance(value, kind):
        raise ValueError(
            f"{place} must have {name!r}, of type {kind.__name__}. Received: "
            f"{str(value)[:40]!r}."
        )
    return value
