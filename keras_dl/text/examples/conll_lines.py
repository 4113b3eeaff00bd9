"""Lines of a file in columns: which are words, and which comments."""

import re
from typing import NamedTuple

from keras_dl.text.files import read_lines


class Line(NamedTuple):
    """A line of a file; one that parts sentences has no cells."""

    number: int
    text: str
    cells: list

    @property
    def marked(self):
        """Whether it begins as comments do."""
        return self.text.startswith("#")

    @property
    def between(self):
        """Whether it has the number of several words, or of none."""
        return self.cells and re.fullmatch(r"\d+[-.]\d+", self.cells[0])


def lines_of(path, encoding, separator, comments):
    """The lines of a file, without those that begin with `comments`."""
    for number, text in enumerate(read_lines(path, encoding), 1):
        if comments not in ("auto", None) and text.startswith(comments):
            continue
        text = text.strip("\r\n" if separator else " \t\r\n")
        cells = text.split(separator) if separator else re.split("[ \t]+", text)
        blank = not text.strip(" \t") or cells[0] == "-DOCSTART-"
        yield Line(number, text, [] if blank else cells)


def first_word(lines):
    """The first line that is surely a word; any, or `None`, without one."""
    words = [line for line in lines if line.cells]
    kinds = (
        [line for line in words if not line.marked],
        [line for line in words if not re.match(r"#\s", line.text)],
        words,
    )
    return next((kind[0] for kind in kinds if kind), None)


def are_numbered(lines, path, asked):
    """Whether the first column counts the words of every sentence.

    Args:
        lines: Lists of `Line`.
        path: Name of the file.
        asked: Column of the words that was asked for, or `None`: then a file
            that does not tell, as each sentence is one word, is refused.
    """
    plain = (line for line in lines if not line.marked and not line.between)
    sentences = sentences_of(plain)
    counted = all(
        line.cells[0] == str(number)
        for sentence in sentences
        for number, line in enumerate(sentence, 1)
    )
    alone = all(len(sentence) == 1 for sentence in sentences)
    if sentences and counted and alone and asked is None:
        line = sentences[0][0]
        raise ValueError(
            f"Each sentence of {path} is a word, which is '1', or stands "
            "behind it: `word_column=0`, or `word_column=1`, says which. "
            f"Received: {line.text[:40]!r} in line {line.number}."
        )
    return bool(sentences) and counted


def without_comments(lines, first, numbered, is_word, path):
    """Leaves out what is a comment; asks where the file does not tell.

    Args:
        lines: Lists of `Line`.
        first: One that is no comment.
        numbered: Whether numbers stand before the words.
        is_word: Function of a line: whether it has the tag of a word.
        path: Name of the file.
    """
    tabs = "\t" in first.text
    kept, begins = [], True
    for line in lines:
        spaced = re.match(r"#\s", line.text)
        clear = numbered or (spaced and tabs and "\t" not in line.text)
        if begins and line.marked and clear:
            continue
        if begins and spaced and not is_word(line):
            raise ValueError(
                f"Line {line.number} of {path} may be a comment, or a word "
                'with its tag: `comments="#"`, or `comments=None`, says which. '
                f"Received: {line.text[:40]!r}."
            )
        kept.append(line)
        begins = not line.cells
    return kept


def sentences_of(lines):
    """Lists of lines with cells, parted by those without."""
    sentences = [[]]
    for line in lines:
        if line.cells:
            sentences[-1].append(line)
        elif sentences[-1]:
            sentences.append([])
    return sentences if sentences[-1] else sentences[:-1]
