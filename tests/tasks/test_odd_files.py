"""Odd files of data: read as by hand, or refused with file and place."""

import collections
import re

import numpy as np
import odd
from odd.cases import MUST_READ, MUST_REFUSE

from keras_dl import tasks
from keras_dl.text import CharacterVocabulary

CASES = 500
# Where a message says that it is: a line, a path in JSON, an example's index.
PLACE = re.compile(
    r"[Ll]ine \d+|: data|'data'|\[\d+\]|question '|is damaged: |Received: none|"
    r"no questions|0 examples|to train on|more than once|all misplaced"
)


def rows_of(split, expected, vocabulary):
    """What was read, and what is expected, as ids, targets and number."""
    texts, targets, left_out = expected
    encode = vocabulary.encode
    wanted = [[2, *encode(a), 3, *encode(b), 3] for a, b in texts]
    found = [row.tolist() for row in split.inputs["token_ids"]]
    assert found == wanted
    np.testing.assert_allclose(split.targets, targets, rtol=1e-6)
    assert len(split.left_out) == left_out


def sentences_of(split, expected, vocabulary):
    """Likewise, with a tag for each word."""
    sentences, tags = expected
    texts = [" ".join(words) for words in sentences]
    wanted = vocabulary.encode_batch(texts, 400, start=True, end=True)
    np.testing.assert_array_equal(split.inputs["token_ids"], wanted)
    assert split.tags == tags
    assert split.tagged.words_of(np.maximum(split.targets, 0)) == tags


def questions_of(split, expected, vocabulary):
    """Likewise; the answers stand where the targets point to."""
    asked, left_out = expected
    assert list(zip(*split.asked, strict=True)) == asked
    assert split.left_out == left_out
    kept = [one for one in asked if one[0] not in left_out]
    assert len(split) == len(kept)
    for (_, question, context, answers), (first, last), ids in zip(
        kept, split.targets, split.inputs["token_ids"], strict=True
    ):
        encode = vocabulary.encode
        row = [2, *encode(question), 3, *encode(context), 3]
        assert ids[: len(row)].tolist() == row and not ids[len(row) :].any()
        before = len(question) + 2  # A token is a character.
        placed = [
            (before + begin, before + begin + len(text) - 1)
            for text, begin in answers
            if begin >= 0 and context[begin:].startswith(text)
        ]
        assert (first, last) == (placed[0] if placed else (0, 0))


CHECKS = {"squad": questions_of, "conll": sentences_of, "conllu": sentences_of}


def texts_in(expected):
    """All strings of nested lists."""
    if isinstance(expected, str):
        return [expected]
    inner = expected if isinstance(expected, (list, tuple)) else ()
    return [text for one in inner for text in texts_in(one)]


def outcome(case, folder):
    """Loads a case's file; checks what comes of it."""
    path = folder / case.name
    path.write_bytes(case.content)
    texts = texts_in(case.expected)
    vocabulary = CharacterVocabulary(sorted(set("".join(texts)) | set(" a")))
    given = {"files": {"train": path}, "encoding": case.encoding}
    try:
        data = tasks.load(case.task, vocabulary, 400, **given, **case.options)
    except ValueError as error:
        assert case.must != MUST_READ, error
        said = "\n".join([str(error), *getattr(error, "__notes__", ())])
        assert case.name in said and PLACE.search(said), said
        return "refused"
    assert case.must != MUST_REFUSE, "was read"
    check = CHECKS.get(case.kind, rows_of)
    check(data["train"], case.expected, vocabulary)
    return "read"


def test_odd_files(tmp_path):
    found = collections.Counter()
    for seed in range(CASES):
        case = odd.make(seed)
        try:
            found[case.what == "odd", outcome(case, tmp_path)] += 1
        except Exception as error:
            error.add_note(f"Seed {seed}: {case}")
            raise
    whole = found[True, "read"]
    # All odd ones are read; of the damaged, some are as they were, or left out.
    assert whole > 150 and found[True, "refused"] == 0
    assert found[False, "refused"] > 180 and found[False, "read"] > 20
