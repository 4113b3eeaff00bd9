"""Odd files of data: the words in them, and what must come of a file."""

from typing import NamedTuple

MUST_READ, MUST_REFUSE, EITHER = "read", "refuse", "either"
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030")
WORDS = (
    *("a", "bc", "é", "e\u0301", "北京", "😀", "\u200d", "\u2028", "\x85"),
    *("\x0c", "\u00a0x", "\x1c", '"', "'", ",", "#", "#a", "\ufeff", "\\n"),
    *("NaN", "null", "-1", "1", "O", "-DOCSTART-x", "[PAD]", "ß", "ŉ"),
)


class Case(NamedTuple):
    """A file, how it is loaded, and what must come of it."""

    kind: str
    task: object
    name: str
    content: bytes
    encoding: str
    options: dict
    must: str
    what: str  # What was done to the file.
    expected: object  # What it says; `None` where it must be refused.


class Source(NamedTuple):
    """A file that is well-formed, however odd, and ways to damage it.

    Attributes:
        text: What it holds.
        says: What is to be read, by hand.
        damages: Dict by name of functions without arguments. They give text or
            bytes, and what these say, `None` if they must be refused; or
            `None` if such a file cannot be damaged so.
        by_hand: Function of a text: what it says, with the reader of its
            format; any error if it says nothing.
    """

    task: object
    name: str
    text: str
    says: object
    options: dict
    damages: dict
    by_hand: object


def case_of(kind, source, rng):
    """Encodes a file as it is, damaged in a known way, or in any."""
    # What begins with a mark is written so that it is known to be none.
    marked = source.text.startswith("\ufeff")
    encoding = "utf-8-sig" if marked else rng.choice(ENCODINGS)
    content = source.text.encode(encoding)
    must, what, says = MUST_READ, "odd", source.says
    fate = rng.random()
    damage = rng.choice(sorted(source.damages))
    damaged = source.damages[damage]() if 0.4 < fate < 0.75 else None
    if damaged is not None:
        what, (content, says) = damage, damaged
        content = (
            content if isinstance(content, bytes) else content.encode(encoding)
        )
        must = MUST_REFUSE if says is None else MUST_READ
    elif fate > 0.4:
        what, content = "struck", _struck(content, rng)
        says = _or_none(source.by_hand, content, encoding)
        must = MUST_REFUSE if says is None else EITHER
    start = (kind, source.task, source.name, content, encoding)
    return Case(*start, source.options, must, what, says)


def _struck(content, rng):
    """Bytes with some of them lost, doubled, put in or cut off."""
    at = rng.randrange(len(content))
    to = min(at + rng.randint(1, 12), len(content))
    other = rng.choice([b"\xff", b"\0", b"\t", b"\n", b'"', b"}", b"1", b" "])
    return rng.choice(
        [
            content[:at],
            content[:at] + content[to:],
            content[:to] + content[at:],
            content[:at] + other + content[at:],
            content[:at] + other + content[at + 1 :],
        ]
    )


def _or_none(by_hand, content, encoding):
    try:
        text = content.decode(encoding)
        if encoding in ("utf-8", "utf-16-le", "gb18030"):
            text = text.removeprefix("\ufeff")
        return by_hand(text)
    except Exception:  # Each format has its own.
        return None


def without_twins(pairs):
    """A dictionary of JSON, in which no key stands twice."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("twins")
    return dict(pairs)
