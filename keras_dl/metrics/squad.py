"""Scores of answers to questions, as the scripts of SQuAD count them."""

import collections
import re
import string
import unicodedata

from keras_dl.checks import check_choice

_CHINESE = re.compile("[\u4e00-\u9fa5]")
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


def squad_normalize(text, language="en"):
    """A text as SQuAD compares it, or MLQA, if it is Chinese.

    `"en"`: in lower case, without ASCII punctuation, then without the words
    "a", "an" and "the", then with single spaces.

    `"zh"`: in lower case, without punctuation, that of ASCII and that of
    Unicode, then with single spaces, also around each Chinese character (U+4E00
    to U+9FA5): these are words by themselves, and so is what stands between
    them, such as Latin words and numbers.

    Args:
        text: A string.
        language: `"en"` or `"zh"`.

    Example:

    >>> squad_normalize("The U.S.A., an  Example!")
    'usa example'
    >>> squad_normalize("《NBA 2023》在北京。", "zh")
    'nba 2023 在 北 京'

    Reference:
        Lewis et al., "MLQA: Evaluating Cross-lingual Extractive Question
        Answering", 2020.
    """
    check_choice("language", language, ("en", "zh"))
    if language == "zh":
        kept = (c for c in text.lower() if not _is_punctuation(c))
        return " ".join(_CHINESE.sub(r" \g<0> ", "".join(kept)).split())
    text = text.lower().translate(_WITHOUT_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def _is_punctuation(character):
    unicode = unicodedata.category(character)[0] == "P"
    return unicode or character in string.punctuation


def squad_scores(
    predictions,
    references,
    null_scores=None,
    null_threshold=1.0,
    version=None,
    language="en",
):
    """Exact match and F1 of answers, as the scripts of SQuAD 1.1 and 2.0.

        F1 = 2 c / (p + g)

    with c words, as often as they are in both, of the p words of the predicted
    and the g words of the gold answer, both normalized by `squad_normalize`.
    The best gold answer counts; the result is the mean over the questions.

    In 1.1, F1 is 0 if no word is in both, even if neither has any. In 2.0, a
    question may have no answer, and the empty prediction is then the right
    one: exact match and F1 are 1 if both are empty once normalized. A gold
    answer of which normalizing leaves nothing is dropped.

    Chinese answers (`language="zh"`) are compared character by character, with
    Latin words and numbers as wholes, as MLQA does (see `squad_normalize`).

    A question without a prediction scores 0 and is named in the result.

    Args:
        predictions: A dictionary of the predicted text by question.
        references: A dictionary of the list of gold texts by question; in 2.0
            the list is empty if the question has no answer.
        null_scores: A dictionary by question of a number, the larger the
            likelier it has no answer: a probability, or a difference of
            scores. At least for each prediction; only in 2.0.
        null_threshold: Above it the prediction counts as empty. Differences of
            scores need their own, such as 0.
        version: `"1.1"` or `"2.0"`. By default 2.0 if a question has no answer
            or there are `null_scores`, else 1.1.
        language: `"en"` or `"zh"`: what the answers are written in.

    Returns:
        A dictionary of `"exact"` and `"f1"` in percent, `"total"`, the number
        of questions, and `"missing"`, a list of those without a prediction. If
        there are questions of both kinds, also of `"HasAns_exact"`,
        `"NoAns_exact"` and so on. With `null_scores`, also of `"best_exact"`
        and `"best_f1"` over all thresholds, and `"best_exact_thresh"` and
        `"best_f1_thresh"`, where they are reached.

    Raises:
        ValueError: If an argument is not allowed, or a question is unknown.

    Example:

    >>> scores = squad_scores(
    ...     {"1": "the Denver Broncos", "2": ""},
    ...     {"1": ["Broncos", "Broncos of Denver"], "2": []},
    ... )
    >>> scores["exact"], scores["f1"]
    (50.0, 90.0)

    Reference:
        Rajpurkar, Zhang, Lopyrev and Liang, "SQuAD: 100,000+ Questions for
        Machine Comprehension of Text", 2016. Rajpurkar, Jia and Liang, "Know
        What You Don't Know: Unanswerable Questions for SQuAD", 2018. Of
        Chinese: Lewis et al., "MLQA", 2020.

    Where it differs: the script of 2.0 leaves questions without a prediction
    out of the total. As there, the best threshold takes questions one by one:
    where `null_scores` are equal, it may promise a score that no threshold
    has. CMRC 2018 cuts Chinese answers alike, but counts the longest part that
    both have in one piece in place of all that they share.
    """
    check_choice("language", language, ("en", "zh"))
    _check_texts(predictions, references)
    version = _version(version, references, null_scores)
    if null_scores is not None:
        _check_null_scores(null_scores, predictions)
    raw = {
        question: _best_of_golds(
            predictions[question], golds, version, language
        )
        for question, golds in references.items()
        if question in predictions
    }
    scores = dict.fromkeys(references, (0.0, 0.0)) | raw
    for question in null_scores or ():
        if question in raw and null_scores[question] > null_threshold:
            scores[question] = (float(not references[question]),) * 2
    result = _means(scores) | {
        "missing": [key for key in references if key not in predictions]
    }
    parts = {"HasAns": {}, "NoAns": {}}
    for question, golds in references.items():
        parts["HasAns" if golds else "NoAns"][question] = scores[question]
    if all(parts.values()):
        for name, part in parts.items():
            means = _means(part).items()
            result |= {f"{name}_{key}": value for key, value in means}
    if null_scores is not None:
        for i, name in enumerate(("exact", "f1")):
            of_question = {question: pair[i] for question, pair in raw.items()}
            best, threshold = _best_threshold(
                of_question, predictions, references, null_scores
            )
            result[f"best_{name}"] = best
            result[f"best_{name}_thresh"] = threshold
    return result


def _best_of_golds(prediction, golds, version, language):
    """Exact match and F1 with the gold answers that fit best."""
    predicted = squad_normalize(prediction, language)
    golds = [squad_normalize(gold, language) for gold in golds]
    if version == "2.0":
        golds = [gold for gold in golds if gold] or [""]
    exact = max(float(gold == predicted) for gold in golds)
    return exact, max(_f1(predicted, gold, version) for gold in golds)


def _f1(predicted, gold, version):
    predicted, gold = predicted.split(), gold.split()
    if version == "2.0" and not (predicted and gold):
        return float(predicted == gold)
    common = collections.Counter(predicted) & collections.Counter(gold)
    shared = common.total()
    return 2 * shared / (len(predicted) + len(gold)) if shared else 0.0


def _means(scores):
    total = len(scores)
    exact, f1 = zip(*scores.values(), strict=True)
    return {
        "exact": 100.0 * sum(exact) / total,
        "f1": 100.0 * sum(f1) / total,
        "total": total,
    }


def _best_threshold(scores, predictions, references, null_scores):
    """The best score in percent, and the threshold that has it.

    Begins with every answer empty, and gives the predictions in one by one,
    those surest of an answer first.
    """
    current = float(sum(not references[question] for question in scores))
    best, threshold = current, 0.0
    for question in sorted(null_scores, key=null_scores.get):
        if question not in scores:
            continue
        if references[question]:
            current += scores[question]
        elif predictions[question]:
            current -= 1.0
        if current > best:
            best, threshold = current, null_scores[question]
    return 100.0 * best / len(references), threshold


def _version(version, references, null_scores):
    unanswered = [key for key, golds in references.items() if not golds]
    if version is None:
        second = unanswered or null_scores is not None
        version = "2.0" if second else "1.1"
    check_choice("version", version, ("1.1", "2.0"))
    if version == "1.1" and unanswered:
        raise ValueError(
            "`references` must have an answer to each question in version "
            f"1.1. Received: none for {_some(unanswered)}."
        )
    if version == "1.1" and null_scores is not None:
        raise ValueError("`null_scores` must be None in version 1.1.")
    return version


def _check_texts(predictions, references):
    if not isinstance(predictions, dict) or not isinstance(references, dict):
        raise TypeError(
            "`predictions` and `references` must be dictionaries by question. "
            f"Received: {type(predictions).__name__} and "
            f"{type(references).__name__}."
        )
    if not references:
        raise ValueError("`references` must have at least one question.")
    unknown = [key for key in predictions if key not in references]
    if unknown:
        raise ValueError(
            "`predictions` must be of questions in `references`. Received: "
            f"{_some(unknown)}."
        )
    for question, text in predictions.items():
        if not isinstance(text, str):
            raise ValueError(
                "`predictions` must hold strings. Received: "
                f"{text!r} for {question!r}."
            )
    for question, golds in references.items():
        one = isinstance(golds, str) or not hasattr(golds, "__iter__")
        if one or not all(isinstance(gold, str) for gold in golds):
            raise ValueError(
                "`references` must hold lists of strings. Received: "
                f"{golds!r} for {question!r}."
            )


def _check_null_scores(null_scores, predictions):
    without = [key for key in predictions if key not in null_scores]
    if without:
        raise ValueError(
            "`null_scores` must have a number for each prediction. Received: "
            f"none for {_some(without)}."
        )


def _some(questions):
    shown = ", ".join(repr(question) for question in questions[:3])
    return shown + (", ..." if len(questions) > 3 else "")
