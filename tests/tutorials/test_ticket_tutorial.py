"""The tutorial on winning tickets: a short run of it, and what it chooses."""

import importlib
import pathlib
import sys

import keras
import matplotlib.image
import numpy as np
import pytest

from keras_dl.compression import SizeReport, Ticket

TUTORIALS = pathlib.Path(__file__).parents[2] / "tutorials"
sys.path.insert(0, str(TUTORIALS))
tickets = importlib.import_module("13_winning_ticket")

# Keras says of each layer without weights that it cannot be quantized.
pytestmark = pytest.mark.filterwarnings("ignore:Layer .* does not have a")


def test_it_tells_its_story(tmp_path, capsys):
    assert tickets.main(["--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for name in (*tickets.CONTROLS, "rank 8", keras.backend.backend()):
        assert name in printed
    for name in ("winning_ticket.png", "sizes.png"):
        drawn = matplotlib.image.imread(tmp_path / name)
        assert min(drawn.shape[:2]) > 200 and drawn.std() > 0.02
    assert Ticket.load(tmp_path / "ticket.npz").sparsity == 0.75
    small = keras.saving.load_model(tmp_path / "small.keras")
    assert small.predict(np.ones((1, 64)), verbose=0).shape == (1, 10)


def test_the_smallest_of_the_good_is_chosen():
    def report(size, accuracy):
        return SizeReport(1, 1, 1, size, quality={"accuracy": accuracy})

    reports = {
        "whole": report(9, 0.95),
        "good": report(5, 0.945),
        "better": report(6, 0.96),
        "small": report(1, 0.93),
    }
    models = dict.fromkeys(["good", "better", "small"])
    assert tickets.choose(reports, models) == "good"
    assert tickets.choose(reports, {"small": None}) == "small"


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"matplotlib.*keras_dl\[plots\]"):
        tickets.main([])
