"""The guides in docs are true: their programs run, from top to bottom."""

import pathlib
import re

import pytest

DOCS = pathlib.Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text):
    """The programs in a guide, each behind as many lines as in the file."""
    for match in BLOCK.finditer(text):
        yield "\n" * text.count("\n", 0, match.start(1)) + match[1]


GUIDES = [
    path for path in sorted(DOCS.glob("*.md")) if [*blocks(path.read_text())]
]


def test_blocks_keep_their_lines():
    first, second = "```python\nb = 1\nc = d\n```\n", "```python\ne = 2\n```\n"
    found = list(blocks(f"a\n\n{first}\n    make\n\n{second}"))
    assert found == ["\n\n\nb = 1\nc = d\n", "\n" * 10 + "e = 2\n"]


def test_there_are_guides():
    assert "bert.md" in [path.name for path in GUIDES]


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_guide(path, tmp_path, monkeypatch):
    """All blocks in order, in one process, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": path.stem}
    for block in blocks(path.read_text()):
        exec(compile(block, str(path), "exec"), names)
