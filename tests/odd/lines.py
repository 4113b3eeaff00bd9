"""Odd files of words and tags in columns."""

import re

from odd.cases import WORDS, Source

TAGS = ("O", *(f"{b}-{e}" for e in ("PER", "ORG", "LOC", "MISC") for b in "BI"))


def source(kind, rng):
    """A file of CoNLL-2003's form, or `"conllu"`, with numbers and comments."""
    numbered = kind == "conllu"
    sentences = [
        [
            (rng.choice(WORDS), rng.choice(TAGS))
            for _ in range(rng.randint(1 + numbered, 5))
        ]
        for _ in range(rng.randint(1, 5))
    ]
    if not numbered:  # Of a "1" alone no one could say whether it is a word.
        sentences[0].insert(0, ("a", "O"))
    gap = "\t" if numbered else rng.choice(["\t", " ", "  ", " \t"])
    lines = []
    for i, sentence in enumerate(sentences):
        lines += _lines(sentence, i, gap, numbered, rng)
        lines += [""] * rng.randint(1, 2)
    if rng.random() < 0.3:
        while not lines[-1]:
            lines.pop()
    end = rng.choice(["\n", "\r\n", "\r"])
    columns = [tuple(zip(*sentence, strict=True)) for sentence in sentences]
    says = tuple([list(one[k]) for one in columns] for k in (0, 1))
    return Source(
        "conll2003",
        "train.txt",
        end.join(lines) + end * rng.randint(0, 1),
        says,
        {},
        _damages(lines, end, numbered, rng),
        lambda text: _by_hand(numbered, text),
    )


def _lines(sentence, i, gap, numbered, rng):
    if rng.random() < 0.3 and not numbered:
        yield from ("-DOCSTART- -X- O", "")
    if numbered or ("\t" in gap and rng.random() < 0.5):
        yield f"# sent_id = {i} of the first part"
    if numbered and rng.random() < 0.5:
        yield from ("# text = a", gap.join(["1-2", "ab", "_", "_"]))
    for number, (word, tag) in enumerate(sentence, 1):
        yield gap.join([str(number)] * numbered + [word, "X", tag])


def _damages(lines, end, numbered, rng):
    """Ways to damage a line of a word."""
    places = [
        i
        for i, line in enumerate(lines)
        if line.endswith(TAGS) and not line.startswith("-DOCSTART- ")
    ]
    at = rng.choice(places)
    body = re.sub(r"\S+\s*$", "", lines[at])
    alone = len(places) == 1  # Its columns are those that there must be.

    def put(line):
        return end.join([*lines[:at], line, *lines[at + 1 :]]) + end, None

    found = {
        "no tag": lambda: None if alone else put(body.rstrip()),
        "another column": lambda: None if alone else put(f"{lines[at]} O"),
        "unknown tag": lambda: put(
            body + rng.choice(["B-WHO", "o", "PER", "B_PER"])
        ),
        "NUL": lambda: put(f"{lines[at]}\0"),
        "other encoding": lambda: (end.join(lines).encode() + b"\xff", None),
        "no sentences": lambda: (end * 3, None),
    }
    if not numbered:
        gap = re.search("[ \t]+", lines[at])[0]
        comment = rng.choice(["# id dev", "# a comment of many words"])
        text = end.join([comment.replace(" ", gap), *lines])
        found["a comment, or not"] = lambda: (text, None)
    return found


def _by_hand(numbered, text):
    sentences, tabs = [[]], False
    lines = re.split("\r\n|\r|\n", text)
    plain = (
        line for line in lines if not line.startswith(("#", "-DOCSTART- "))
    )
    tabs = "\t" in next(filter(str.strip, plain), "").strip()
    for line in lines:
        cells = re.split("[ \t]+", line.strip(" \t"))
        comment = numbered or ("\t" not in line.strip() and tabs)
        if cells == [""] or cells[0] == "-DOCSTART-":
            sentences.append([])
        elif comment and line.startswith("#" if numbered else "# "):
            if sentences[-1]:
                raise ValueError("a comment within a sentence")
        elif not (numbered and re.fullmatch(r"\d+[-.]\d+", cells[0])):
            sentences[-1].append(cells[numbered:])
    sentences = list(filter(None, sentences))
    rows = [row for sentence in sentences for row in sentence]
    widths = {len(row) for row in rows}
    if len(widths) != 1 or widths == {1} or {row[-1] for row in rows} - {*TAGS}:
        raise ValueError("columns")
    return tuple(
        [[row[k] for row in one] for one in sentences] for k in (0, -1)
    )
