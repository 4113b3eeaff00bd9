"""Files of words and their tags in columns, as CoNLL has them."""

from keras_dl.text.examples.conll_lines import (
    are_numbered,
    first_word,
    lines_of,
    sentences_of,
    without_comments,
)


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
    word of a sentence. A line there that begins with `#` is one if the first
    column counts words (see below); one that begins with `#` and a space, if it
    has no tab, and words have. Elsewhere, such a line is a word if its tag is
    one that others have, or of `tag_names`; if not, the file does not tell, and
    an error asks for `comments`.

    **Numbers.** Where the first of at least three columns counts the words of
    each sentence, the words stand in the second, as in CoNLL-U (`column=3,
    separator="\\t"` reads its parts of speech) and GermEval. Lines with the
    number `1-2`, of words that are written as one, and `1.1`, of words that
    are not written, are left out there.

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
        ValueError: If there is no word, if a line has not as many columns as
            the first, none that could be the one asked for, an empty word or
            tag, or a tag that is not in `tag_names`, or if the file is not
            written in `encoding`. File and line are named.

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
    _check_arguments(separator, comments)
    lines = list(lines_of(path, encoding, separator, comments))
    first = first_word(lines)
    if first is None:
        raise ValueError(
            f"`path` must have words, one in a line. Received: none in {path}."
        )
    width = len(first.cells)
    numbered = width > 1 + (column is not None) and word_column in (None, 1)
    numbered = numbered and are_numbered(lines, path, word_column)
    word_column = int(numbered) if word_column is None else word_column
    _check_columns(word_column, column, first, path)
    if comments == "auto":
        is_word = _tag_is_known(lines, width, column, tag_names or ())
        lines = without_comments(lines, first, numbered, is_word, path)
    if word_column % width:
        lines = [line for line in lines if not line.between]
    for line in lines:
        _check_line(line, width, word_column, column, tag_names, path)
    sentences = sentences_of(lines)
    words, tags = (
        k if k is None else [[line.cells[k] for line in s] for s in sentences]
        for k in (word_column, column)
    )
    return words, tags


def _tag_is_known(lines, width, column, tag_names):
    """A function of a line: whether its tag is one of other lines, too."""
    if column is None:
        return lambda line: False
    known = {
        line.cells[column]
        for line in lines
        if len(line.cells) == width and not line.marked
    }
    known |= set(tag_names)
    return lambda line: bool(known & set(line.cells[column:][:1]))


def _check_line(line, width, word_column, column, tag_names, path):
    cells = line.cells
    if not cells:
        return
    if len(cells) != width:
        hint = " `comments` says how comments begin." if line.marked else ""
        raise ValueError(
            f"`path` must have {width} columns in each line, as in the "
            f"first. Received: {len(cells)} in line {line.number} of {path}."
            f"{hint}"
        )
    tag = None if column is None else cells[column]
    if not cells[word_column] or tag == "":
        raise ValueError(
            "`path` must have a word and a tag in each line. Received: none "
            f"in line {line.number} of {path}."
        )
    if tag is not None and tag_names is not None and tag not in tag_names:
        raise ValueError(
            f"`path` must have tags of {tuple(tag_names)}. Received: {tag!r} "
            f"in line {line.number} of {path}."
        )


def _check_arguments(separator, comments):
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


def _check_columns(word_column, column, first, path):
    """Refuses what is no column, and one that is both."""
    width = len(first.cells)
    for name, one in (("word_column", word_column), ("column", column)):
        whole = isinstance(one, int) and not isinstance(one, bool)
        if not (whole and -width <= one < width) and (name, one) != (
            "column",
            None,
        ):
            raise ValueError(
                f"`{name}` must be one of the {width} columns in line "
                f"{first.number} of {path}. Received: {name}={one!r}."
            )
    if column is not None and (column - word_column) % width == 0:
        raise ValueError(
            f"`column` must be one of the {width} columns in line "
            f"{first.number} of {path}, and not {word_column}, that of the "
            f"words. Received: column={column}."
        )
