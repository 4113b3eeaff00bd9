"""Files of words and their tags in columns, as CoNLL has them."""

import re
from typing import NamedTuple

from keras_dl.text.files import read_lines


def read_conll(
    path,
    column=-1,
    encoding="utf-8",
    word_column=None,
    separator=None,
    comments="auto",
    tag_names=None,
):
    """Reads sentences with tags from a file in columns, as CoNLL-2003 has it.

        -DOCSTART- -X- O O

        EU NNP I-NP I-ORG
        rejects VBZ I-VP O

    A line is a word, with its columns behind spaces or tabs. Blank lines part
    sentences. Lines that begin with `-DOCSTART-` part documents, and are left
    out; so is the mark that a file may begin with (BOM).

    **Comments**, as CoNLL-U has them (`# sent_id = 1`), stand before the first
    word of a sentence. A line there that begins with `#` and a space is one if
    it has more or fewer columns than words have, or no tab where these have
    some. Else it is a word, if its tag is one that other words have; if not,
    the file does not tell, and an error asks for `comments`.

    **Numbers.** Where the first column counts the words of each sentence, the
    words stand in the second, as in CoNLL-U (`column=3, separator="\\t"` reads
    its parts of speech) and GermEval. Lines with the number `1-2`, of words
    that are written as one, and `1.1`, of words that are not written, are left
    out there.

    Args:
        path: Name of the file.
        column: Index of the column with the tags: -1 is the last. `None`:
            there are none.
        encoding: How the file is written.
        word_column: Index of the column with the words. `None`: the first, or
            the second, see above.
        separator: String between the columns. `None`: spaces or tabs, as many
            as there are.
        comments: `"auto"`: see above. Any other string: lines that begin with
            it are comments, wherever they stand. `None`: there are none.
        tag_names: Tags that there may be; `None`: any.

    Returns:
        A pair `(sentences, tags)`: lists of words, and lists of as many tags,
        or `None` in their place.

    Raises:
        ValueError: If a line has not as many columns as the first, none that
            could be the one asked for, an empty word or tag, or a tag that is
            not in `tag_names`, or if the file is not written in `encoding`.
            File and line are named.

    Example:

    >>> with open("eng.train", "w") as file:
    ...     for line in ["EU NNP I-NP I-ORG", "rejects VBZ I-VP O"]:
    ...         print(line, file=file)
    >>> read_conll("eng.train")
    ([['EU', 'rejects']], [['I-ORG', 'O']])

    Reference:
        Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003 Shared
        Task", 2003; Nivre et al., "Universal Dependencies v2", 2020.
    """
    lines = list(_lines(path, encoding, separator, comments))
    words = [line for line in lines if line.cells]
    if not words:
        return [], [] if column is not None else None
    plain = (line for line in words if comments != "auto" or not line.marked)
    first = next(plain, words[0])
    if column is not None:
        _check_column("column", column, first, path)
    if comments == "auto":
        lines = _without_comments(lines, first, column, path)
    if word_column is None:
        word_column = int(len(first.cells) > 1 and _are_numbered(lines))
    _check_column("word_column", word_column, first, path)
    if column is not None:
        _check_column("column", column, first, path, word_column)
    if word_column % len(first.cells):
        lines = [line for line in lines if not line.between]
    for line in lines:
        _check_line(line, first, (word_column, column), tag_names, path)
    sentences = _sentences(lines)
    words, tags = (
        k if k is None else [[line.cells[k] for line in s] for s in sentences]
        for k in (word_column, column)
    )
    return words, tags


class _Line(NamedTuple):
    """A line of a file; those that part sentences have no cells."""

    number: int
    text: str
    cells: list

    @property
    def marked(self):
        """Whether it begins as a comment."""
        return self.text.startswith("#")

    @property
    def between(self):
        """Whether it has the number of several words, or of none."""
        return self.cells and re.fullmatch(r"\d+[-.]\d+", self.cells[0])


def _lines(path, encoding, separator, comments):
    if separator == "" or not isinstance(separator, (str, type(None))):
        raise ValueError(
            "`separator` must be a string, not empty, or None. Received: "
            f"separator={separator!r}."
        )
    if comments == "" or not isinstance(comments, (str, type(None))):
        raise ValueError(
            '`comments` must be "auto", what comment lines begin with, or '
            f"None. Received: comments={comments!r}."
        )
    given = comments if comments not in ("auto", None) else None
    for number, line in enumerate(read_lines(path, encoding), 1):
        if given and line.startswith(given):
            continue
        line = line.strip("\r\n" if separator else " \t\r\n")
        cells = line.split(separator) if separator else re.split("[ \t]+", line)
        blank = not line.strip(" \t") or cells[0] == "-DOCSTART-"
        yield _Line(number, line, [] if blank else cells)


def _without_comments(lines, first, column, path):
    """Leaves out what is a comment; asks where the file does not tell."""
    width, tabs = len(first.cells), "\t" in first.text
    tags = set()
    if column is not None:
        whole = (line for line in lines if len(line.cells) == width)
        tags = {line.cells[column] for line in whole if not line.marked}
    kept, begins = [], True
    for line in lines:
        if begins and line.cells and re.match(r"#(\s|$)", line.text):
            if len(line.cells) != width or ("\t" in line.text) < tabs:
                continue
            if column is None or line.cells[column] not in tags:
                raise ValueError(
                    f"Line {line.number} of {path} may be a comment, or a word "
                    'with its tag: `comments="#"`, or `comments=None`, says '
                    f"which. Received: {line.text[:40]!r}."
                )
        kept.append(line)
        begins = not line.cells
    return kept


def _check_line(line, first, columns, tag_names, path):
    number, cells, (word, tag) = line.number, line.cells, columns
    width = len(first.cells)
    if cells and len(cells) != width:
        hint = " `comments` says how comments begin." if line.marked else ""
        raise ValueError(
            f"`path` must have {width} columns in each line, as in the "
            f"first. Received: {len(cells)} in line {number} of {path}.{hint}"
        )
    if cells and ("" in (cells[word], tag is None or cells[tag])):
        raise ValueError(
            f"`path` must have a word and a tag in each line. Received: none "
            f"in line {number} of {path}."
        )
    if cells and None not in (tag, tag_names) and cells[tag] not in tag_names:
        raise ValueError(
            f"`path` must have tags of {tuple(tag_names)}. Received: "
            f"{cells[tag]!r} in line {number} of {path}."
        )


def _sentences(lines):
    sentences = [[]]
    for line in lines:
        if line.cells:
            sentences[-1].append(line)
        elif sentences[-1]:
            sentences.append([])
    return sentences if sentences[-1] else sentences[:-1]


def _are_numbered(lines):
    """Whether the first column counts the words of every sentence."""
    sentences = _sentences([line for line in lines if not line.between])
    counted = (
        line.cells[0] == str(number)
        for sentence in sentences
        for number, line in enumerate(sentence, 1)
    )
    return any(len(one) > 1 for one in sentences) and all(counted)


def _check_column(name, column, line, path, other=None):
    """Refuses what is no column, or the other one."""
    width = len(line.cells)
    whole = isinstance(column, int) and not isinstance(column, bool)
    inside = whole and -width <= column < width
    if not inside or (other is not None and (column - other) % width == 0):
        but = f", and not {other}, that of the words"
        but = but if other is not None else ""
        raise ValueError(
            f"`{name}` must be one of the {width} columns in line "
            f"{line.number} of {path}{but}. Received: {name}={column!r}."
        )
