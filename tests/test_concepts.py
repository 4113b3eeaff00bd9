"""docs/concepts.md is true, and nothing public is missing from it."""

import importlib
import inspect
import pathlib
import re

import keras_dl

ROOT = pathlib.Path(__file__).parents[1]
# Every folder but `backend`, which is not for users.
ROOMS = sorted(
    {path.parent.name for path in (ROOT / "keras_dl").glob("*/__init__.py")}
    - {"backend"}
    | {"applications"}
)


def rows():
    """The cells of each row of the table that names a symbol."""
    text = (ROOT / "docs" / "concepts.md").read_text()
    for line in text.splitlines():
        cells = re.split(r"(?<!\\)\|", line)
        cells = [cell.strip() for cell in cells[1:-1]]
        if len(cells) == 6 and cells[3].startswith("`"):
            yield [*cells[:3], cells[3].strip("`"), *cells[4:]]


def find(symbol):
    module, _, name = symbol.rpartition(".")
    return getattr(importlib.import_module(module), name)


def public():
    """Every public symbol of keras_dl, by its shortest name."""
    for name in keras_dl.__all__:
        if not inspect.ismodule(getattr(keras_dl, name)):
            yield f"keras_dl.{name}"
    for room in ROOMS:
        module = importlib.import_module(f"keras_dl.{room}")
        for name in module.__all__:
            if name not in keras_dl.__all__:
                yield f"keras_dl.{room}.{name}"


def test_every_room_is_public():
    assert set(ROOMS) <= set(keras_dl.__all__)


def test_the_table_is_read():
    assert len(list(rows())) > 40


def test_symbols_can_be_imported():
    for _, _, _, symbol, _, _ in rows():
        assert find(symbol) is not None, symbol


def test_each_row_has_a_term_in_chinese():
    for concept, chinese, *_ in rows():
        assert re.search("[\u4e00-\u9fff]", chinese), concept


def test_tests_and_tutorials_exist():
    for concept, _, _, symbol, test, tutorial in rows():
        for path in filter(None, (test, tutorial)):
            assert (ROOT / path).is_file(), (concept, path)
        assert test or not symbol.startswith("keras_dl"), (
            f"{symbol} has no test"
        )


def test_the_test_of_a_symbol_uses_it():
    for _, _, _, symbol, test, _ in rows():
        if symbol.startswith("keras_dl"):
            name = symbol.split(".")[-1]
            assert name in (ROOT / test).read_text(), (symbol, test)


def test_nothing_public_is_missing():
    listed = {symbol for _, _, _, symbol, _, _ in rows()}
    assert not set(public()) - listed


def test_everything_public_has_a_docstring():
    for symbol in public():
        thing = find(symbol)
        documentation = inspect.getdoc(thing) or ""
        assert len(documentation.split()) > 5, symbol
