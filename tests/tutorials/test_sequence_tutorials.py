"""The tutorials on sequences: their data, and a short run of each."""

import argparse
import datetime
import importlib.util
import pathlib
import struct
import sys

import keras
import pytest

from keras_dl.text import CharacterVocabulary

ROOT = pathlib.Path(__file__).parents[2]


def load_tutorial(name):
    path = ROOT / "tutorials" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"tutorial_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


language = load_tutorial("02_language_model")
dates = load_tutorial("03_dates_to_iso")


def is_picture(path, smallest_side=200):
    """Whether the file starts as a PNG of at least this size."""
    head = path.read_bytes()[:24]
    sides = struct.unpack(">II", head[16:24])
    return head[:8] == b"\x89PNG\r\n\x1a\n" and min(sides) > smallest_side


def test_documentation_holds_no_paragraph_twice():
    paragraphs = [
        " ".join(p.split()) for p in language.documentation().split("\n\n")
    ]
    assert len(set(paragraphs)) == len(paragraphs) > 1000
    learn, held = language.split("abcdefghij" * 10)
    assert (len(learn), len(held)) == (90, 10)
    assert learn + held == "abcdefghij" * 10


def test_styles_of_a_date():
    written = [
        dates.write(datetime.date(2021, 5, 3), style) for style in dates.STYLES
    ]
    assert written == [
        "3 May 2021",
        "May 3, 2021",
        "May the 3rd, 2021",
        "03.05.21",
        "3.5.2021",
        "3/5/2021",
        "Mon, 3 May 2021",
        "the third of May 2021",
        "03-May-21",
        "Monday the 3rd of May '21",
        "2021 May 3",
        "20210503",
    ]
    assert len(dates.ORDINALS) == 31
    suffixes = "".join(map(dates.ending, (1, 2, 3, 4, 11, 12, 13, 21, 22, 31)))
    assert suffixes == "stndrdththththstndst"


def test_no_text_means_two_dates():
    """Over the whole century, so that the task can be learnt at all."""
    every, none = dates.split_days(0, seed=0)
    assert (len(every), none) == (36525, [])
    meanings = {}
    for day in every:
        for style in dates.STYLES:
            text = dates.write(day, style)
            assert meanings.setdefault(text, day) == day
    assert len(meanings) > 11 * len(every)


def test_held_out_dates_are_not_among_those_to_learn():
    learn, test = dates.split_days(1000, seed=1)
    assert len(test) == 1000 and len(learn) == 36525 - 1000
    assert not set(learn) & set(test)
    sources, targets = dates.examples(learn[:50], seed=2)
    assert targets[7] == learn[7].isoformat()
    ways = {dates.write(learn[7], style) for style in dates.STYLES}
    assert sources[7] in ways


def test_a_date_counts_only_if_all_of_it_is_right(monkeypatch):
    days = [datetime.date(2021, 5, 3), datetime.date(1950, 1, 1)]
    answers = ["2021-05-03", "1950-01-02"] * len(dates.STYLES)
    monkeypatch.setattr(dates, "generate", lambda *_: answers)
    assert dates.by_style(days, None, None) == [0.5] * len(dates.STYLES)


def test_table_is_in_bits(capsys):
    language.print_table({1: 8.0, 2: 5.0}, 4.0, 16)
    rows = capsys.readouterr().out.splitlines()
    values = {row[:24].strip(): row[24:].split() for row in rows}
    assert values["guessing blindly"] == ["16.00", "4.00"]
    assert values["1-grams"] == ["8.00", "3.00"]
    assert values["two LSTMs"] == ["4.00", "2.00", "<-", "best"]


def test_the_examination_is_on_what_was_held_out(tmp_path, monkeypatch):
    """Neither the counts nor the network see the end of the text."""
    text = "ab" * 900 + "ba" * 100
    seen = {}

    def baselines(learn, held, size):
        seen["counts"] = learn, held
        return {}

    def train(learn, held, size, options):
        seen["network"] = learn, held
        raise InterruptedError

    monkeypatch.setattr(language, "documentation", lambda: text)
    monkeypatch.setattr(language, "baselines", baselines)
    monkeypatch.setattr(language, "train", train)
    with pytest.raises(InterruptedError):
        language.main(["--out", str(tmp_path)])
    vocabulary = CharacterVocabulary.train([text])
    for learn, held in seen.values():
        assert vocabulary.decode(learn) == text[:1800]
        assert vocabulary.decode(held) == text[1800:]


def test_the_network_is_examined_on_what_was_held_out(monkeypatch):
    held = []
    monkeypatch.setattr(
        language, "Curve", lambda batches, _: held.append(batches) or 1 / 0
    )
    options = argparse.Namespace(
        units=2, length=4, batch_size=2, seed=0, epochs=1, rate=0.1
    )
    with pytest.raises(ZeroDivisionError):
        language.train([4] * 50, [5] * 50, 6, options)
    assert {int(id) for x, y in held[0] for id in (*x.flat, *y.flat)} == {5}


@pytest.mark.parametrize(
    ("option", "value", "least"),
    [("--test", "2", "at least 3"), ("--dates", "20", "at least 128")]
    + [("--test", "36525", "at most 30000")],
)
def test_dates_needs_some_of_each(option, value, least, capsys):
    with pytest.raises(SystemExit):
        dates.main([option, value])
    message = f"{option} must be {least}"
    assert message in capsys.readouterr().err


def test_language_model_tells_its_story(tmp_path, capsys):
    assert language.main(["--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert keras.backend.backend() in printed
    assert printed.count(language.PROMPT) == 4
    assert printed.count("<- best") == 1
    assert "two LSTMs" in printed
    assert is_picture(tmp_path / "learning_curve.png")


def test_dates_tell_their_story(tmp_path, capsys):
    assert dates.main(["--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert keras.backend.backend() in printed
    assert printed.count("epoch  1: loss") == 2
    assert "the third of May 2021" in printed
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "seq2seq_epoch_01.png",
        "seq2seq_learning.gif",
        "transformer_epoch_01.png",
        "transformer_heads.png",
        "transformer_learning.gif",
    ]
    for name in names:
        if name.endswith(".png"):
            assert is_picture(tmp_path / name)


@pytest.mark.parametrize("tutorial", [language, dates])
def test_missing_package_is_named(tutorial, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"matplotlib.*keras_dl\[plots\]"):
        tutorial.main([])
