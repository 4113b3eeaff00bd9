"""Rows of named columns from files, and what stands in them."""

import csv
import math
import pathlib
from typing import NamedTuple

from keras_dl.checks import check_choice
from keras_dl.tasks.labels import label_index
from keras_dl.text.files import lone_surrogate, parse_json, read_lines


class Row(NamedTuple):
    """What stands in the columns, and where the row stands.

    Attributes:
        values: Dict by column, or `None` if the row is damaged.
        place: Where it comes from, for messages.
        why: Why it is damaged.
    """

    values: dict | None
    place: str
    why: str | None = None

    def text(self, names):
        """The text in a column of one of these names."""
        value = self._first(names)
        if not isinstance(value, str):
            names = names if isinstance(names, str) else " or ".join(names)
            raise ValueError(
                f"{self.place} must have a text in the column {names!r}. "
                f"Received: {value!r}, columns {list(self.values)}."
            )
        if half := lone_surrogate(value):
            raise ValueError(
                f"{self.place} must have whole characters in the column "
                f"{names!r}. Received: {half}."
            )
        return value

    def label(self, task, hidden):
        """The index of the label, or the number; `None` if it is hidden.

        Args:
            task: A `Task`.
            hidden: Whether it may be hidden: left out, or -1.
        """
        value = self._first(task.label)
        if task.kind == "regression":
            label = _number(value, *task.limits)
        else:
            label = label_index(value, task.labels)
        if label is None and not (hidden and value in (None, -1, "-1")):
            allowed = task.labels or f"numbers from {task.limits}"
            raise ValueError(
                f"{self.place} must have one of {allowed} in the column "
                f"{task.label!r}. Received: {value!r}, columns "
                f"{list(self.values)}."
            )
        return label

    def _first(self, names):
        names = (names,) if isinstance(names, str) else names
        found = (self.values[name] for name in names if name in self.values)
        return next(found, None)


def read_rows(path, header=None, encoding="utf-8"):
    """Reads a file in columns, row by row.

    Args:
        path: Name of the file; its end is `.tsv`, `.csv` or `.jsonl`.
        header: Names of the columns, or `None` if the first line has them.
        encoding: How the file is written.

    Yields:
        `Row`, damaged ones among them.
    """
    readers = {".tsv": _tabs, ".csv": _commas, ".jsonl": _dictionaries}
    suffix = pathlib.Path(path).suffix
    read = readers[check_choice("end of the file's name", suffix, readers)]
    # Lines end where it says so: texts may hold other marks of an end.
    lines = read_lines(path, encoding, newline="\n")
    try:
        for number, values, why in read(lines, header):
            yield Row(values, f"Line {number} of {path}", why)
    except _Damaged as error:
        raise ValueError(
            f"{path} is damaged in line {error.number}: {error}."
        ) from error


def columns_of(task, rows, hidden):
    """Texts and labels of rows, which are not kept.

    Args:
        task: A `Task`.
        rows: Several `Row`.
        hidden: Whether labels may be hidden.

    Returns:
        A list with the texts of each whole row, a list of labels, and a list
        of the damaged rows.
    """
    names = (*task.texts, *task.choices)
    texts, labels, damaged = [], [], []
    for row in rows:
        if row.why is None:
            texts.append([row.text(name) for name in names])
            labels.append(row.label(task, hidden))
        else:
            damaged.append(row)
    return texts, labels, damaged


class _Damaged(Exception):
    """A file that cannot be read on from a line."""

    def __init__(self, number, why):
        super().__init__(why)
        self.number = number


def _tabs(lines, header):
    lines = (line.rstrip("\r\n") for line in lines)
    cells = (line.split("\t") if line else [] for line in lines)
    return _in_columns(enumerate(cells, 1), header)


def _commas(lines, header):
    rows = csv.reader(lines, strict=True)
    try:
        numbered = ((rows.line_num, cells) for cells in rows)
        yield from _in_columns(numbered, header)
    except csv.Error as error:
        raise _Damaged(rows.line_num, str(error)) from error


def _in_columns(numbered, header):
    """Cells by their columns; blank lines are passed over."""
    for number, cells in numbered:
        if not cells:
            continue
        if header is None:
            header = cells
            if twins := {name for name in cells if cells.count(name) > 1}:
                why = f"more than one column has the name {min(twins)!r}"
                raise _Damaged(number, why)
        elif len(cells) == len(header):
            yield number, dict(zip(header, cells, strict=True)), None
        else:
            why = f"{len(cells)} columns, not {len(header)}: {list(header)}"
            yield number, None, why


def _dictionaries(lines, header):
    for number, line in enumerate(lines, 1):
        try:
            row = parse_json(line)
            why = None if isinstance(row, dict) else "no dictionary"
        except ValueError as error:
            row, why = None, str(error)
        if line.strip():
            yield number, row, why


def _number(value, smallest, largest):
    if isinstance(value, bool):
        return None
    # Python takes more for numbers than files mean: 1_0, or digits of scripts.
    if isinstance(value, str) and ("_" in value or not value.isascii()):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    inside = smallest <= number <= largest and math.isfinite(number)
    return number if inside else None
