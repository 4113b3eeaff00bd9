"""Lines of a file in columns: which are words, and which comments."""

import re
from typing import NamedTuple

from keras_dl.text.files import read_lines

_SPACES = re.compile("[ \t]+")
_BETWEEN = re.compile(r"\d+[-.]\d+")


class Line(NamedTuple):
    """A line of a file; one that parts sentences has no cells."""

    number: int
    text: str
    cells: tuple

    @property
    def marked(self):
        """Whether it begins as comments do."""
        return self.text[:1] == "#"

    @property
    def spaced(self):
        """Whether it begins as comments of CoNLL-U do."""
        return self.marked and self.text[1:2] in (" ", "\t")

    @property
    def between(self):
        """Whether it has the number of several words, or of none."""
        return self.cells and _BETWEEN.fullmatch(self.cells[0])


def lines_of(path, encoding, separator, comments):
    """The lines of a file, without those that begin with `comments`."""
    for number, text in enumerate(read_lines(path, encoding), 1):
        if comments not in ("auto", None) and text.startswith(comments):
            continue
        text = text.strip("\r\n" if separator else " \t\r\n")
        cells = text.split(separator) if separator else _SPACES.split(text)
        blank = not text.strip(" \t") or cells[0] == "-DOCSTART-"
        yield Line(number, text, () if blank else tuple(cells))


def first_word(lines):
    """The first line that is surely a word; any, or `None`, without one."""
    kinds = (lambda line: line.marked, lambda line: line.spaced, lambda _: 0)
    words = (
        line
        for maybe_none in kinds
        for line in lines
        if line.cells and not maybe_none(line)
    )
    return next(words, None)


def are_numbered(lines, path, asked):
    """Whether the first column counts the words of every sentence.

    Args:
        lines: Lists of `Line`.
        path: Name of the file.
        asked: Column of the words that was asked for, or `None`: then a file
            that does not tell, as each sentence is one word, is refused.
    """
    number, longest = 0, 0
    for line in lines:
        if not line.cells:
            number = 0
        elif not line.marked and not line.between:
            number += 1
            longest = max(longest, number)
            if line.cells[0] != str(number):
                return False
    if longest == 1 and asked is None:
        line = first_word(lines)
        raise ValueError(
            f"Each sentence of {path} is a word, which is '1', or stands "
            "behind it: `word_column=0`, or `word_column=1`, says which. "
            f"Received: {line.text[:40]!r} in line {line.number}."
        )
    return longest > 0


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
        if begins and line.marked:
            bare = tabs and "\t" not in line.text
            if numbered or (line.spaced and bare):
                continue
        if begins and line.spaced and not is_word(line):
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
