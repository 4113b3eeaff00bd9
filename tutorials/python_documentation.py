"""Python's own documentation as documents: what tutorials 4 and 5 read.

Every Python carries two kinds of documentation, so that both tutorials work
offline: the language reference, which `help("while")` shows, and the docstrings
of the standard library. A **document** is what belongs together: a topic of the
reference, a class with its methods, or the functions of a module.

Documents are held out as a whole, and by their names alone. So both tutorials
hold out the same ones, and what was learnt in the first is examined in the
second on nothing that it has read.

    python tutorials/python_documentation.py     # a look at it
"""

import ast
import collections
import pathlib
import re
import sys
import sysconfig
import zlib
from pydoc_data.topics import topics
from typing import NamedTuple

import numpy as np

REFERENCE = "reference"
# Folders among those of the standard library that document nothing.
LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idle_test"}
UNDERLINE = re.compile(r"^\s*([*=~^-])\1{2,}\s*$", re.MULTILINE)
PLAIN_WORD = re.compile(r"[\W_]*[A-Za-z]+([-'\u2019][A-Za-z]+)*[\W_]*")


class Entry(NamedTuple):
    """A piece of documentation.

    Attributes:
        name: Name of the function or class, or of what else is documented.
        arguments: What a function takes, as its definition has it, without
            `self`; `None` if it is no function.
        paragraphs: Tuple of strings, each in one line.
    """

    name: str
    arguments: str | None
    paragraphs: tuple

    @property
    def sentences(self):
        """The sentences, and before them the head of a function."""
        head = [] if self.arguments is None else [self.head]
        return head + [s for p in self.paragraphs for s in cut(p)]

    @property
    def head(self):
        return f"{self.name}({self.arguments})"


class Document(NamedTuple):
    """Documentation that belongs together.

    Attributes:
        name: Name of the module or class, or of the topic of the reference.
        topic: The top-level module or package, or `REFERENCE`.
        entries: Tuple of `Entry`.
    """

    name: str
    topic: str
    entries: tuple

    @property
    def sentences(self):
        return [s for entry in self.entries for s in entry.sentences]


class Parts(NamedTuple):
    """Documents to learn from, to choose settings by, and to be examined on."""

    train: list
    validation: list
    test: list


# 1. Documents ----------------------------------------------------------------


def read_parts(max_files=None):
    """All documents, in which no paragraph comes twice, in three parts.

    Topics quote others at length, and docstrings are copied from class to
    class. A paragraph that stood in two parts would let a model shine that has
    only learnt it by heart.

    Args:
        max_files: Number of files of the standard library to read, and of
            topics; for a quick look. `None`: all.
    """
    seen, parts = set(), Parts([], [], [])
    for document in [*reference(max_files), *standard_library(max_files)]:
        new = [without(seen, entry) for entry in document.entries]
        new = tuple(entry for entry in new if entry.paragraphs)
        if new:
            part = getattr(parts, part_of(document.name))
            part.append(document._replace(entries=new))
    return parts


def part_of(name):
    """Which part a document is in: a tenth of them is for each examination.

    A checksum of the name decides, so that it is the same for everyone.
    """
    number = zlib.crc32(name.encode()) % 10
    return {0: "test", 1: "validation"}.get(number, "train")


def without(seen, entry):
    """The entry without the paragraphs that were seen; they become seen."""
    new = [p for p in dict.fromkeys(entry.paragraphs) if p not in seen]
    seen.update(new)
    return entry._replace(paragraphs=tuple(new))


def reference(max_topics=None):
    """A document for each topic of the language reference."""
    for name in sorted(topics)[:max_topics]:
        entry = Entry(name, None, paragraphs(topics[name]))
        yield Document(f"{REFERENCE}.{name}", REFERENCE, (entry,))


def standard_library(max_files=None):
    """Two kinds of documents: modules with functions, classes with methods."""
    root = pathlib.Path(sysconfig.get_paths()["stdlib"])
    files = [
        path
        for path in sorted(root.rglob("*.py"))
        if not LEFT_OUT & set(path.relative_to(root).parts)
    ]
    if not files:
        sys.exit(
            "This tutorial reads the source of Python's standard library, "
            f"and there is none in {root}."
        )
    for path in files[:max_files]:
        parts = path.relative_to(root).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__")
        yield from module_documents(module, path.read_bytes())


def module_documents(module, source):
    """The documents in the source of a module."""
    tree, topic = ast.parse(source), module.split(".")[0]
    yield Document(module, topic, entries(module, tree))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            name = f"{module}.{node.name}"
            yield Document(name, topic, entries(node.name, node))


def entries(name, node):
    """What a module or class says of itself, then of its functions."""
    found = [Entry(name, None, docstring(node))]
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            takes = re.sub(r"^(self|cls)(, |$)", "", ast.unparse(child.args))
            found.append(Entry(child.name, takes, docstring(child)))
    return tuple(found)


def docstring(node):
    return paragraphs(ast.get_docstring(node) or "")


# 2. Paragraphs and sentences -------------------------------------------------


def paragraphs(text):
    """The paragraphs that are prose: no programs, no grammar, no tables."""
    blocks = re.split(r"\n\s*\n", UNDERLINE.sub("", text))
    return tuple(" ".join(b.split()) for b in blocks if is_prose(b))


def is_prose(block):
    """Whether three in five words are plain ones, and it is no program."""
    words = block.split()
    plain = sum(bool(PLAIN_WORD.fullmatch(word)) for word in words)
    program = ">>>" in block or "::=" in block
    return len(words) >= 3 and plain >= 0.6 * len(words) and not program


def cut(paragraph):
    """The sentences of a paragraph."""
    return re.split(r"(?<=[.!?])\s+(?=[A-Z\"*`(])", paragraph)


# 3. Topics -------------------------------------------------------------------


class Examples(NamedTuple):
    """Sentences, and the numbers of their topics."""

    sentences: list
    topics: np.ndarray


def prose(documents, topic):
    """Sentences on a topic, neither very short nor very long ones."""
    return [
        sentence
        for document in documents
        if document.topic == topic
        for entry in document.entries
        for paragraph in entry.paragraphs
        for sentence in cut(paragraph)
        if 6 <= len(sentence.split()) <= 40
    ]


def choose_topics(parts, number, least):
    """Those of the most documents, if there is enough to examine by."""
    counts = collections.Counter(document.topic for document in parts.train)
    return [
        topic
        for topic, _ in counts.most_common()
        if all(len(prose(part, topic)) >= least for part in parts)
    ][:number]


def on_topics(parts, topics):
    """The documents on some topics alone."""
    return Parts(*([d for d in part if d.topic in topics] for part in parts))


def draw_examples(documents, topics, each, seed):
    """Up to `each` sentences on each topic, drawn at random."""
    random = np.random.RandomState(seed)
    sentences, numbers = [], []
    for number, topic in enumerate(topics):
        found = prose(documents, topic)
        chosen = random.permutation(len(found))[:each]
        sentences += [found[i] for i in chosen]
        numbers += [number] * len(chosen)
    return Examples(sentences, np.array(numbers, "int32"))


def main():
    """Prints how much there is, and some of it."""
    parts = read_parts()
    for name, part in zip(parts._fields, parts, strict=True):
        sentences = [s for document in part for s in document.sentences]
        words = sum(len(sentence.split()) for sentence in sentences)
        print(
            f"{name}: {len(part)} documents, {len(sentences):,} sentences, "
            f"{words:,} words"
        )
    counts = collections.Counter(document.topic for document in parts.train)
    print("documents by topic:", counts.most_common(8))
    for document in parts.test[:: len(parts.test) // 8]:
        print(f"{document.name}: {document.sentences[:2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
