"""Files of words and their tags in columns, as CoNLL has them."""

import re


def read_conll(path, column=-1, encoding="utf-8"):
    """Reads sentences with tags from a file in columns, as CoNLL-2003 has it.

        -DOCSTART- -X- O O

        EU NNP I-NP I-ORG
        rejects VBZ I-VP O

    A line is a word, with its columns behind spaces or tabs; the word stands
    first. Blank lines part sentences. Lines that begin with `-DOCSTART-` part
    documents, and are left out.

    Args:
        path: Name of the file.
        column: Index of the column with the tags: -1 is the last.
        encoding: How the file is written.

    Returns:
        A pair `(sentences, tags)`: lists of words, and lists of as many tags.

    Raises:
        ValueError: If a line has not as many columns as the first, or none
            that could be the one asked for.

    Example:

    >>> with open("eng.train", "w") as file:
    ...     for line in ["EU NNP I-NP I-ORG", "rejects VBZ I-VP O"]:
    ...         print(line, file=file)
    >>> read_conll("eng.train")
    ([['EU', 'rejects']], [['I-ORG', 'O']])

    Reference:
        Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003 Shared
        Task", 2003.
    """
    sentences, width = [[]], None
    with open(path, encoding=encoding) as lines:
        for number, line in enumerate(lines, 1):
            cells = re.split(r"[ \t]+", line.strip(" \t\r\n"))
            if cells[0] in ("", "-DOCSTART-"):
                sentences.append([])
                continue
            width = width or _check_column(column, len(cells), number, path)
            if len(cells) != width:
                raise ValueError(
                    f"`path` must have {width} columns in each line, as in the "
                    f"first. Received: {len(cells)} in line {number} of {path}."
                )
            sentences[-1].append((cells[0], cells[column]))
    sentences = [one for one in sentences if one]
    words, tags = (
        [[row[k] for row in one] for one in sentences] for k in (0, 1)
    )
    return words, tags


def _check_column(column, width, number, path):
    """Returns the number of columns, if there is one for the tags."""
    if not isinstance(column, int) or not 0 < abs(column) < width:
        raise ValueError(
            f"`column` must be one of the {width} columns in line {number} of "
            f"{path}, and not the first, which has the words. Received: "
            f"column={column!r}."
        )
    return width
