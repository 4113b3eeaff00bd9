"""Odd files of rows: tabs, commas, and dictionaries in lines."""

import csv
import io
import json
import re

from keras_dl import tasks
from odd.cases import WORDS, Source, without_twins

CLASSES = tasks.Task(
    "classes",
    "classification",
    files={"train": (), "test": ()},
    texts=("first", "second"),
    labels=("no", "yes", "may be"),
)
NUMBERS = tasks.Task(
    "numbers",
    "regression",
    files={"train": (), "test": ()},
    texts=("first", "second"),
    label="score",
    limits=(0.0, 5.0),
    metrics=("pearson",),
)
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.A | re.I)


def source(kind, rng):
    """A file of rows, `"tsv"`, `"csv"` or `"jsonl"`."""
    task = rng.choice([CLASSES, NUMBERS])
    names = ["first", "second", task.label, "id", "note"]
    rng.shuffle(names)
    rows = [_row(kind, task, rng) for _ in range(rng.randint(1, 6))]
    options = {"damaged": "leave_out"} if rng.random() < 0.4 else {}
    end = rng.choice(["\n", "\r\n"])

    def written(names, rows):
        return _WRITERS[kind](rng, names, rows, end)

    damages = _Damages(kind, task, names, rows, options, written, rng)
    return Source(
        task,
        f"train.{kind}",
        written(names, rows),
        _said(task, rows, 0),
        options,
        damages.by_name(),
        lambda text: _by_hand(kind, task, text, options),
    )


def _row(kind, task, rng):
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(1, 4))) for _ in "ab"]
    if rng.random() < 0.2 and kind != "tsv":
        texts[0] += rng.choice(["\n", "\t", "\r\n"]) + "b"
    label = rng.choice(task.labels or ["0", "5", "2.5", "1e0", " 3 ", ".5"])
    if task is NUMBERS and kind == "jsonl":
        label = float(label)
    row = dict(zip(("first", "second"), texts, strict=True))
    return {**row, task.label: label, "id": "7", "note": '"a' * (kind == "tsv")}


def _said(task, rows, left_out):
    """Texts, targets, and how many rows are left out."""
    texts = [(row["first"], row["second"]) for row in rows]
    if task is NUMBERS:
        return texts, [float(row["score"]) for row in rows], left_out
    targets = [task.labels.index(row["label"]) for row in rows]
    return texts, targets, left_out


def _tsv(rng, names, rows, end):
    lines = [names, *([row[n] for n in names if n in row] for row in rows)]
    lines = ["\t".join(map(str, cells)) for cells in lines]
    return end.join(lines) + end * rng.randint(0, 3)


def _csv(rng, names, rows, end):
    file = io.StringIO(newline="")
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.writer(file, lineterminator=end, quoting=quoting)
    writer.writerow(names)
    writer.writerows([row[n] for n in names if n in row] for row in rows)
    return file.getvalue()


def _jsonl(rng, names, rows, end):
    ascii = rng.random() < 0.5
    rows = ({name: row[name] for name in names if name in row} for row in rows)
    lines = [json.dumps(row, ensure_ascii=ascii) for row in rows]
    return end.join(lines) + end * rng.randint(0, 2)


_WRITERS = {"tsv": _tsv, "csv": _csv, "jsonl": _jsonl}


class _Damages:
    """Ways to damage a file of rows."""

    def __init__(self, kind, task, names, rows, options, written, rng):
        self.kind, self.task, self.names, self.rows = kind, task, names, rows
        self.options, self.written, self.rng = options, written, rng
        self.at = rng.randrange(len(rows))

    def by_name(self):
        wrong = [
            "yess",
            "",
            "5.1",
            "nan",
            "1_0",
            "٣",
            "-0.1",
            "0x1",
            "inf",
            "9",
        ]
        label = {self.task.label: self.rng.choice(wrong)}
        found = {
            "wrong label": lambda: self._changed(**label),
            "no label": lambda: self._without(self.task.label),
            "no text": lambda: self._without("second"),
            "no rows": lambda: (self.written(self.names, []), None),
            "broken row": self._broken,
            "other encoding": self._latin,
        }
        if self.kind == "jsonl":
            return found | {
                "text is no string": lambda: self._changed(first=3),
                "label is a list": lambda: self._changed(
                    **{self.task.label: []}
                ),
                "lone surrogate": self._surrogate,
            }
        return found | {
            "two columns of one name": self._twins,
            "NUL": lambda: self._changed(first="a\0b"),
        }

    def _changed(self, **changes):
        rows = list(self.rows)
        rows[self.at] = {**rows[self.at], **changes}
        return self.written(self.names, rows), None

    def _without(self, name):
        names = [other for other in self.names if other != name]
        return self.written(names, self.rows), None

    def _broken(self):
        """A row of too few cells, or of none: left out where that is said."""
        rows = list(self.rows)
        last = self.names[-1]
        whole = rows.pop(self.at)
        says = _said(self.task, rows, 1) if self.options and rows else None
        short = {k: v for k, v in whole.items() if k != last}
        if self.kind != "jsonl":
            rows.insert(self.at, short)
            return self.written(self.names, rows), says
        text = self.written(self.names, self.rows)
        line = self.rng.choice(["[1]", '{"first": ', "nul", '"a"'])
        says = _said(self.task, self.rows, 1) if self.options else None
        return f"{line}\n{text}", says

    def _twins(self):
        names = ["first" if n == "note" else n for n in self.names]
        return self.written(names, self.rows), None

    def _latin(self):
        text = self.written(self.names, self.rows)
        return text.encode("utf-8") + "é".encode("latin-1"), None

    def _surrogate(self):
        text, _ = self._changed(first="SURROGATE")
        return text.replace("SURROGATE", "a\\ud800"), None


def _by_hand(kind, task, text, options):
    rows, damaged = [], 0
    if kind == "jsonl":
        for line in filter(str.strip, text.split("\n")):
            try:
                row = json.loads(line, object_pairs_hook=without_twins)
            except ValueError:
                row = None
            rows += [row] if isinstance(row, dict) else []
            damaged += not isinstance(row, dict)
    else:
        names, *lines = _cells(kind, text)
        whole = [cells for cells in lines if len(cells) == len(names)]
        rows = [dict(zip(names, cells, strict=True)) for cells in whole]
        damaged = len(lines) - len(rows)
    if (damaged and not options) or not rows:
        raise ValueError("rows")
    for row in rows:
        _check(task, row)
    return _said(task, rows, damaged)


def _cells(kind, text):
    if kind == "csv":
        return filter(None, csv.reader(io.StringIO(text, newline="")))
    lines = (line.rstrip("\r") for line in text.split("\n"))
    return [line.split("\t") for line in lines if line]


def _check(task, row):
    for name in ("first", "second"):
        row[name].encode()  # Refuses lone surrogates, and what is no string.
    value = row[task.label]
    if task is NUMBERS:
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            raise ValueError("number")
        if isinstance(value, bool) or not 0 <= float(value) <= 5:
            raise ValueError("range")
