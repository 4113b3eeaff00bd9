"""The examples in docstrings run, and what they show is what comes out."""

import copy
import decimal
import doctest
import importlib
import json
import pathlib
import re
import textwrap

import keras
import numpy as np
import pytest
from keras import ops

import keras_dl

ROOT = pathlib.Path(__file__).parents[1]
# What an example may use without saying where it comes from, beside the
# names of its own module.
NAMES = {"np": np, "keras": keras, "ops": ops, "keras_dl": keras_dl}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PROGRAM = re.compile(r"^ *```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"^ *>>> ", re.MULTILINE)
# How backends write a shape, and a tensor around its numbers.
SHAPE = re.compile(r"(?:torch\.Size|TensorShape)\(\[([\d, ]*)\]\)")
TENSOR = re.compile(
    r"\b(?:tensor|Array)\(([^()]*?)(?:,\s+\w+=[^()]*?)*\)"
    r"|<tf\.Tensor: shape=\([\d, ]*\), dtype=\w+, numpy=\s*(?:array\()?"
    r"([^()]*?)(?:(?:,\s+dtype=\w+)?\))?>"
)
FLOAT = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d*(?:e[+-]?\d+)?|e[+-]?\d+)")


def undressed(text):
    """The text without what a backend writes around its values."""
    text = SHAPE.sub(lambda m: str(tuple(json.loads(f"[{m[1]}]"))), text)
    text = TENSOR.sub(lambda m: m[1] or m[2], text)
    return re.sub(r"(?<=\[)\s+|\s+(?=[,\]])", "", text)


def rounded(wanted, got):
    """`got`, as `wanted` has it where it is that number, rounded."""
    unit = decimal.Decimal(wanted).as_tuple().exponent
    difference = abs(decimal.Decimal(wanted) - decimal.Decimal(got))
    close = unit < 0 and 2 * difference <= decimal.Decimal(10) ** unit
    return wanted if close else got


class Checker(doctest.OutputChecker):
    """Compares values, of any backend, to the precision that is written."""

    def check_output(self, want, got, optionflags):
        want, got = undressed(want), undressed(got)
        wanted, found = FLOAT.findall(want), FLOAT.findall(got)
        if len(wanted) == len(found):
            numbers = map(rounded, wanted, found)
            got = FLOAT.sub(lambda _: next(numbers), got)
        return super().check_output(want, got, optionflags)


def module_name(path):
    """The name by which the module of a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(part for part in parts if part != "__init__")
    return name if name.startswith("keras_dl") else f"keras_dl.{name}"


def written():
    """The number of examples in each file that has any, by its module."""
    for folder in ("keras_dl", "applications"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            count = len(PROMPT.findall(path.read_text(encoding="utf-8")))
            if count:
                yield module_name(path), count


WRITTEN = dict(written())
FOUND = {
    name: doctest.DocTestFinder().find(
        importlib.import_module(name), extraglobs=NAMES
    )
    for name in WRITTEN
}
TESTS = [test for tests in FOUND.values() for test in tests if test.examples]


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_example(test, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = []
    runner = doctest.DocTestRunner(Checker(), verbose=False, optionflags=FLAGS)
    fresh = copy.copy(test)  # Its names are gone when it has run.
    fresh.globs = test.globs.copy()
    runner.run(fresh, out=said.append)
    assert not runner.failures, "".join(said)


def sequential(*sizes):
    """Dense layers, for the programs that are given networks."""
    layers = [keras.layers.Dense(size) for size in sizes[1:]]
    return keras.Sequential([keras.Input(sizes[:1]), *layers])


def programs():
    """The programs in docstrings that are longer than an example, by module."""
    for folder in ("keras_dl", "applications"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for program in PROGRAM.findall(path.read_text(encoding="utf-8")):
                yield module_name(path), textwrap.dedent(program)


@pytest.mark.parametrize(("module", "program"), [*programs()])
def test_program(module, program):
    """As it stands, on networks and images that are small."""
    given = {
        "generator": sequential(64, 3),
        "discriminator": sequential(3, 1),
        "images": np.ones((4, 3), "float32"),
    }
    exec(program, {**NAMES, **vars(importlib.import_module(module)), **given})


def test_there_are_programs():
    assert len([*programs()]) == 3


def test_all_examples_are_found_and_hardly_any_is_skipped():
    assert len(TESTS) >= 100
    counts = {
        name: sum(len(test.examples) for test in tests)
        for name, tests in FOUND.items()
    }
    assert counts == WRITTEN
    examples = [example for test in TESTS for example in test.examples]
    skipped = [e for e in examples if doctest.SKIP in e.options]
    assert len(skipped) <= 5


@pytest.mark.parametrize(
    "want, got",
    [
        ("(1, 2)", "torch.Size([1, 2])"),
        ("((5,), ())", "(torch.Size([5]), torch.Size([]))"),
        ("0.1755", "tensor(0.1755, grad_fn=<AddBackward0>)"),
        ("0.18", "tensor(0.1755, device='cuda:0', dtype=torch.float64)"),
        ("[[1.0, 2.5], [-0.1, 0.0]]", "tensor([[ 1.,  2.5],\n [-0.1, 0.]])"),
        ("[True, False]", "tensor([ True, False])"),
        ("[1.0, 2.5]", "Array([1. , 2.5], dtype=float32)"),
        ("0.5", "<tf.Tensor: shape=(), dtype=float32, numpy=0.5>"),
        ("{'f1': 0.67, 'n': 3}", "{'f1': 0.6666667, 'n': 3}"),
        ("'version:...'", "'version:2.6.0'"),
    ],
)
def test_the_checker_accepts(want, got):
    assert Checker().check_output(f"{want}\n", f"{got}\n", FLAGS)


@pytest.mark.parametrize(
    "want, got",
    [
        ("(1, 2)", "torch.Size([1, 3])"),
        ("(1, 2)", "torch.Size([1, 2, 1])"),
        ("0.1755", "tensor(0.1756)"),
        ("0.67", "0.66"),
        ("1.0", "1"),
        ("[1, 2]", "tensor([1, 3])"),
        ("[1.0, 2.0]", "tensor([1.0, 2.0, 3.0])"),
        ("", "tensor(1.)"),
    ],
)
def test_the_checker_refuses(want, got):
    assert not Checker().check_output(f"{want}\n", f"{got}\n", FLAGS)
