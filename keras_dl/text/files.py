"""Files of text: how they are written, their lines, and JSON in them."""

import codecs
import json

# What files may begin with, and the encodings that are told by it. The mark of
# UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, ("utf-32", "utf-32-le")),
    (codecs.BOM_UTF32_BE, ("utf-32", "utf-32-be")),
    (codecs.BOM_UTF16_LE, ("utf-16", "utf-16-le")),
    (codecs.BOM_UTF16_BE, ("utf-16", "utf-16-be")),
    (codecs.BOM_UTF8, ("utf-8", "utf-8-sig")),
)
_TAKEN = ("utf-8-sig", "utf-16", "utf-32")  # Python takes their mark off.


def read_lines(path, encoding="utf-8", newline=None):
    """The lines of a file, with their ends, one by one.

    The mark that a file may begin with (BOM) is left out.

    Args:
        path: Name of the file.
        encoding: How it is written.
        newline: What ends a line, as `open` takes it.

    Yields:
        Strings.

    Raises:
        ValueError: If the encoding is unknown, the file is written otherwise,
            or a line holds the character NUL, which no text does.
    """
    mark = "\ufeff" if _check_mark(path, encoding) not in _TAKEN else ""
    try:
        with open(path, encoding=encoding, newline=newline) as file:
            for number, line in enumerate(file, 1):
                if "\0" in line:
                    raise ValueError(
                        f"{path} is damaged in line {number}, or not written "
                        f"in {encoding!r}: it holds the character NUL."
                    )
                yield line.removeprefix(mark) if number == 1 else line
    except UnicodeError as error:
        raise ValueError(_undecodable(path, encoding, newline)) from error


def read_json(path, encoding="utf-8"):
    """What a file of JSON says.

    Args:
        path: Name of the file.
        encoding: How it is written.

    Returns:
        Dictionaries, lists, strings and numbers.

    Raises:
        ValueError: If the file is damaged.
    """
    text = "".join(read_lines(path, encoding, newline="\n"))
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path} is damaged in line {error.lineno}: {error.msg}."
        ) from error
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}.") from error


def parse_json(text):
    """What JSON says; ValueError if it says it in no way, or in two."""
    try:
        return json.loads(text, object_pairs_hook=_without_twins)
    except RecursionError:
        raise ValueError("lists or dictionaries stand too deep") from None


def lone_surrogate(text):
    """Where in a text half of a character stands, in words, or `None`.

    Such halves, as they come of texts that were cut in UTF-16, cannot be
    written to a file, nor read by most tokenizers.
    """
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError as error:
        half = ascii(text[error.start])
        return f"the lone surrogate {half} at character {error.start}"
    return None


def _without_twins(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"a dictionary has {twin!r} twice")
    return found


def _check_mark(path, encoding):
    """Returns Python's name of an encoding that fits a file's mark."""
    try:
        name = codecs.lookup(encoding).name
        "".encode(encoding)  # Refuses codecs that are not of text.
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(
            "`encoding` must be the name of an encoding, such as 'utf-8', "
            f"'latin-1' or 'gb18030'. Received: encoding={encoding!r}."
        ) from error
    with open(path, "rb") as file:
        head = file.read(4)
    known = (names for mark, names in _MARKS if head.startswith(mark))
    names = next(known, None)
    if names and name not in names:
        raise ValueError(
            f"{path} begins in line 1 with the mark of {names[0]!r}: this is "
            f"its `encoding`. Received: encoding={encoding!r}."
        )
    return name


def _undecodable(path, encoding, newline):
    """Names the line, which decoding piece by piece does not tell."""
    with open(path, "rb") as file:
        content = file.read()
    start, reason = 0, "it does not begin as such a file"
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        start = error.start
        reason = f"{error.reason}, at the byte {content[start]:#04x}"
    except UnicodeError:  # Has no place.
        pass
    before = content[:start].decode(encoding, "replace") if start else ""
    if newline is None:
        before = before.replace("\r\n", "\n").replace("\r", "\n")
    number = before.count("\n") + 1
    return (
        f"{path} is damaged in line {number}, or not written in {encoding!r}: "
        f"{reason}. `encoding` says how a file is written."
    )
