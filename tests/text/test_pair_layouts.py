"""Pairs of texts as BERT and RoBERTa read them, beside transformers."""

import numpy as np
import published
import pytest
import tokenizers
import transformers
from odd_texts import odd_texts
from published import FOLDERS
from tokenizer_folders import bert_files, bytes_and_merges, roberta_files, write

from keras_dl import tasks
from keras_dl.text import (
    SpanWindows,
    Vocabulary,
    WordVocabulary,
    as_vocabulary,
    encode_pairs,
)

TEXTS = odd_texts(160)
FIRSTS, SECONDS = TEXTS[:80], TEXTS[80:]
MAKE = {"Bert": bert_files, "Roberta": roberta_files}


@pytest.fixture(params=MAKE)
def both(request, tmp_path):
    """A folder, and what transformers makes of it."""
    folder = MAKE[request.param](tmp_path / "folder")
    cls = getattr(transformers, f"{request.param}TokenizerFast")
    return folder, cls.from_pretrained(folder)


def assert_same(ours, theirs):
    """Ids, and segments where the tokenizer has them."""
    assert [row.tolist() for row in ours["token_ids"]] == theirs["input_ids"]
    segments = ours.get("segment_ids")
    if segments is not None:
        segments = [row.tolist() for row in segments]
    assert segments == theirs.get("token_type_ids")


def test_pairs(both):
    folder, theirs = both
    assert_same(
        encode_pairs(FIRSTS, SECONDS, folder, 9999), theirs(FIRSTS, SECONDS)
    )
    assert_same(encode_pairs(FIRSTS, None, folder, 9999), theirs(FIRSTS))


def test_cut_pairs(both):
    folder, theirs = both
    length = 20 + 3 + as_vocabulary(folder).separators - 1
    assert_same(
        encode_pairs(FIRSTS, SECONDS, folder, length),
        theirs(FIRSTS, SECONDS, truncation=True, max_length=length),
    )


def test_the_caller_decides(both):
    folder, _ = both
    rows = encode_pairs(
        ["the"], ["cat"], folder, 30, separators=3, segments=True
    )
    end = as_vocabulary(folder).end_id
    (ids,), (segments,) = rows["token_ids"], rows["segment_ids"]
    assert ids.tolist().count(end) == 4
    assert (np.diff(np.flatnonzero(ids == end))[:2] == 1).all()
    assert segments[np.flatnonzero(ids == end)].tolist() == [0, 0, 0, 1]
    plain = encode_pairs(["the"], ["cat"], folder, 30, segments=False)
    assert list(plain) == ["token_ids"]


def test_windows(both):
    """The questions and parts of contexts of transformers."""
    folder, theirs = both
    question, context = "the cat ?", " ".join(["the cats sat", *TEXTS[8:20]])
    windows = SpanWindows([question], [context], folder, None, 40, 9)
    row = theirs(
        question,
        context,
        truncation="only_second",
        max_length=40,
        padding="max_length",
        return_overflowing_tokens=True,
        stride=_shared(theirs, question, 40, 9),
    )
    ids = np.array(row["input_ids"])
    np.testing.assert_array_equal(windows.token_ids[: len(ids)], ids)
    assert set(windows.inputs) == (
        {"token_ids", "segment_ids"}
        if "token_type_ids" in row
        else {"token_ids"}
    )
    if "token_type_ids" in row:
        segments = windows.inputs["segment_ids"][: len(ids)]
        np.testing.assert_array_equal(segments, row["token_type_ids"])


def _shared(theirs, question, length, step):
    """Tokens that two windows share: what transformers calls the stride."""
    without = len(theirs(question, "!")["input_ids"]) - 1
    return length - without - step


def test_answers_in_windows_of_roberta(tmp_path):
    folder = roberta_files(tmp_path / "folder")
    context = "the cat sat on the mat, and the cats sat"
    gold = [("on the mat", context.index("on the"))]
    windows = SpanWindows(["where ?"], [context], folder, [gold], 30, 5)
    eye = np.eye(30)
    starts, ends = eye[windows.spans[:, 0]], eye[windows.spans[:, 1]]
    assert windows.best(starts, ends) == ["on the mat"]
    with pytest.raises(ValueError, match="`length` must.* at least 12"):
        SpanWindows(["where ?"], [context], folder, [gold], 11)
    with pytest.raises(ValueError, match="`separators`"):
        SpanWindows(["where ?"], [context], folder, [gold], separators=0)


@pytest.mark.parametrize("name", ["glue/mrpc", "swag", "squad/v1.1"])
def test_tasks(both, name, tmp_path):
    """`load` needs no options to give RoBERTa its rows."""
    folder, theirs = both
    published.write(tmp_path)
    files = tmp_path / FOLDERS[name]
    (split,) = tasks.load(
        name, folder, files=files, splits=["train"], max_length=4000
    ).splits.values()
    assert set(split.inputs) == (
        {"token_ids", "segment_ids"}
        if theirs.pad_token == "[PAD]"
        else {"token_ids"}
    )
    row = np.asarray(split.inputs["token_ids"][0]).reshape(-1).tolist()
    end = theirs.sep_token_id
    at = row.index(end)
    assert (row[at + 1] == end) == (theirs.sep_token == "</s>")
    if name == "glue/mrpc":
        first, second, _ = published.PAIRS[0]
        assert row == theirs(first, second)["input_ids"]
    asked = tasks.load(
        name, folder, files=files, splits=["train"], separators=4, segments=True
    )["train"]
    row = np.asarray(asked.inputs["token_ids"][0]).reshape(-1).tolist()
    assert row[at : at + 4] == [end] * 4 and "segment_ids" in asked.inputs


PROCESSORS = tokenizers.processors
MARKS = [("</s>", 2), ("<s>", 0)]


def template(pair):
    return PROCESSORS.TemplateProcessing(
        single="<s> $A </s>", pair=pair, special_tokens=MARKS
    )


@pytest.mark.parametrize(
    ("processor", "layout"),
    [
        (None, (1, True)),
        (PROCESSORS.ByteLevel(), (1, True)),
        (PROCESSORS.BertProcessing(*MARKS), (1, True)),
        (PROCESSORS.RobertaProcessing(*MARKS), (2, False)),
        (
            template("<s> $A </s> </s> </s> $B:1 </s>:1"),
            (3, True),
        ),
        (
            PROCESSORS.Sequence(
                [
                    PROCESSORS.ByteLevel(),
                    template("<s> $A </s> </s> $B </s>"),
                ]
            ),
            (2, False),
        ),
        # What is between them is no end token: as BERT, for want of better.
        (template("$A <s> $B"), (1, True)),
        (template("$A $B"), (1, True)),
    ],
)
def test_layouts_are_those_of_post_processors(processor, layout, tmp_path):
    vocabulary, merges = bytes_and_merges()
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    if processor is not None:
        tokenizer.post_processor = processor
    found = as_vocabulary(tokenizer)
    assert (found.separators, found.has_segments) == layout
    found.save(tmp_path / "vocabulary.json")
    again = Vocabulary.load(tmp_path / "vocabulary.json")
    assert (again.separators, again.has_segments) == layout


@pytest.mark.parametrize(
    ("files", "has"),
    [
        ({}, True),
        ({"config__json": {"model_type": "distilbert"}}, False),
        (
            {
                "tokenizer_config__json": {
                    "model_input_names": ["input_ids", "attention_mask"]
                }
            },
            False,
        ),
    ],
)
def test_segments_of_folders(files, has, tmp_path):
    vocabulary = as_vocabulary(write(bert_files(tmp_path), **files))
    assert vocabulary.has_segments == has and vocabulary.separators == 1


def test_ours_are_joined_as_berts():
    words = WordVocabulary(["a"])
    assert words.separators == 1 and words.has_segments


def test_keras_hub():
    keras_hub = pytest.importorskip("keras_hub", reason="not installed")
    vocabulary, merges = bytes_and_merges()
    hub = keras_hub.models.RobertaTokenizer(
        vocabulary=vocabulary, merges=list(map(" ".join, merges))
    )
    found = as_vocabulary(hub)
    assert (found.separators, found.has_segments) == (2, False)
