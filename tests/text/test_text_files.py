"""Files of text: marks at their begin, encodings, and where they are wrong."""

import codecs
import json

import numpy as np
import pytest
import tokenizers
from tokenizers.models import WordLevel

from keras_dl.text import (
    SpanWindows,
    TaggedWords,
    WordVocabulary,
    as_vocabulary,
    encode_pairs,
    read_conll,
    read_squad,
)
from keras_dl.text.files import read_lines

LINES = ["Ü NNP B-LOC\n", "\n", "北京 NNP B-LOC\n"]
ENCODINGS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-8-sig": codecs.BOM_UTF8,
    "UTF8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "gb18030": "\ufeff".encode("gb18030"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("marked", [False, True])
def test_marks_and_encodings(encoding, marked, tmp_path):
    path = tmp_path / "train.txt"
    name = "utf-8" if encoding == "utf-8-sig" else encoding
    content = "".join(LINES).encode(name)
    path.write_bytes(ENCODINGS[encoding] * marked + content)
    assert list(read_lines(path, encoding)) == LINES
    if encoding == "utf-16-le" and marked:
        assert list(read_lines(path, "utf-16")) == LINES


def test_only_the_first_mark_is_one(tmp_path):
    path = tmp_path / "train.txt"
    path.write_bytes(b"\xef\xbb\xbf\xef\xbb\xbfa\n\xef\xbb\xbfb\n")
    assert list(read_lines(path)) == ["\ufeffa\n", "\ufeffb\n"]
    path.write_bytes(b"")
    assert list(read_lines(path)) == []


# What a file holds, how it is read, and the message.
WRONG = [
    ("aé\n".encode("latin-1"), "utf-8", "line 1, .* 'utf-8': .* 0xe9. `encodi"),
    ("a\r\n\rb\né\n".encode("latin-1"), "utf-8", "line 4, or not .*'utf-8'"),
    (b"a\n" * 9000 + b"\xff\n", "utf-8", "line 9001, "),  # Not in one piece.
    ("a\n京\n".encode(), "ascii", "line 2, .*'ascii'"),
    ("a\n京\n".encode("gb18030"), "utf-8", "line 2, .*'utf-8'"),
    (b"a\n\xe4\xba", "utf-8", "line 2, .*unexpected end"),
    ("a\n".encode("utf-16"), "utf-8", "line 1 with the mark of 'utf-16'"),
    ("a\n".encode("utf-16"), "latin-1", "the mark of 'utf-16'.*='latin-1'"),
    ("a\n".encode("utf-32"), "utf-16", "the mark of 'utf-32'.*='utf-16'"),
    ("a\n".encode("utf-8-sig"), "latin-1", "the mark of 'utf-8': .*='latin-1'"),
    ("a\nb\n".encode("utf-16-le"), "utf-8", "line 1, .*character NUL"),
    ("a\nbc".encode("utf-16-le")[:-1], "utf-16-le", "line 2, .*truncated"),
    (b"a\n\0b\n", "utf-8", "line 2, .*character NUL"),
]


@pytest.mark.parametrize(("content", "encoding", "message"), WRONG)
def test_wrong_encodings_are_named_with_file_and_line(
    content, encoding, message, tmp_path
):
    path = tmp_path / "train.txt"
    path.write_bytes(content)
    for read in (lambda: list(read_lines(path, encoding)), read_both(path)):
        with pytest.raises(ValueError, match=f"train.txt .* {message}"):
            read() if encoding == "utf-8" else list(read_lines(path, encoding))


def read_both(path):
    return lambda: read_conll(path, column=None) and read_squad(path)


@pytest.mark.parametrize("encoding", ["utf-9", "rot13", "hex", 8, "a\0b"])
def test_unknown_encodings(encoding, tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("a\n")
    with pytest.raises(ValueError, match="`encoding` must be the name"):
        list(read_lines(path, encoding))


HALF = json.loads('"b\\udc80"')
LETTERS = WordVocabulary(["a", "b"])
# A tokenizer of tokenizers refuses such texts in its own words.
WRAPPED = as_vocabulary(
    tokenizers.Tokenizer(
        WordLevel({"[UNK]": 0, "[PAD]": 1, "[CLS]": 2, "[SEP]": 3}, "[UNK]")
    )
)


@pytest.mark.parametrize("vocabulary", [LETTERS, WRAPPED])
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda v: v.encode(HALF), "`text`"),
        (lambda v: v.encode_with_offsets(HALF), "`text`"),
        (lambda v: v.encode_batch(["a", "b", HALF]), r"`texts\[2\]`"),
        (lambda v: encode_pairs(["a", HALF], None, v, 9), r"`firsts\[1\]`"),
        (lambda v: encode_pairs(["a"], [HALF], v, 9), r"`seconds\[0\]`"),
        (lambda v: SpanWindows(["a"], [HALF], v), r"`contexts\[0\]`"),
        (
            lambda v: TaggedWords([["a"], ["b", HALF]], None, v, 9, ["O"]),
            r"`sentences\[1\]\[1\]`",
        ),
    ],
)
def test_lone_surrogates(vocabulary, call, name):
    message = rf"{name} must.*lone surrogate '\\udc80' at character 1"
    with pytest.raises(ValueError, match=message):
        call(vocabulary)


def test_whole_pairs_of_surrogates_are_read():
    text = json.loads('"\\ud83d\\ude00 a"')
    assert text == "😀 a" and np.size(LETTERS.encode(text)) == 2
