"""Loss curves: which logs, at which epochs."""

import keras
import numpy as np
import pytest
from PIL import Image
from trainers import TwoPlayers, normal

from keras_dl.callbacks import draw_losses

LOGS = {"g_loss": [3.0, 2.0], "d_loss": [1.0, np.nan], "accuracy": [0.5, 1]}


def curves(figure):
    (axes,) = figure.axes
    return {
        line.get_label(): np.transpose(line.get_data()) for line in axes.lines
    }


def test_draws_losses_by_epoch(tmp_path):
    figure = draw_losses(LOGS, tmp_path / "new" / "losses.png")
    lines = curves(figure)
    assert list(lines) == ["g_loss", "d_loss"]
    np.testing.assert_array_equal(lines["g_loss"], [[1, 3], [2, 2]])
    np.testing.assert_array_equal(lines["d_loss"], [[1, 1], [2, np.nan]])
    # No half epochs.
    assert all(tick == round(tick) for tick in figure.axes[0].get_xticks())
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["losses.png"]
    with Image.open(tmp_path / "new" / "losses.png") as picture:
        assert picture.size == (720, 432)


def test_names_choose_and_rename():
    assert list(curves(draw_losses(LOGS, names=["accuracy"]))) == ["accuracy"]
    figure = draw_losses(LOGS, names={"d_loss": "discriminator"})
    assert list(curves(figure)) == ["discriminator"]
    (text,) = figure.axes[0].get_legend().get_texts()
    assert text.get_text() == "discriminator"


def test_takes_the_history_of_a_fit_that_goes_on():
    trainer = TwoPlayers()
    trainer.compile(
        optimizer={
            "generator": keras.optimizers.SGD(0.1),
            "discriminator": keras.optimizers.SGD(0.1),
        }
    )
    history = trainer.fit(
        normal(12, 3), epochs=5, initial_epoch=3, verbose=0, batch_size=12
    )
    lines = curves(draw_losses(history))
    assert set(lines) == {"g_loss", "d_loss"}
    epochs, values = lines["d_loss"].T
    assert epochs.tolist() == [4, 5]
    np.testing.assert_array_equal(values, history.history["d_loss"])


def test_what_lacks_epochs_is_not_drawn():
    """As with `validation_freq=2`: nobody knows which epochs they are."""
    logs = LOGS | {"val_loss": [1.0]}
    assert list(curves(draw_losses(logs))) == ["g_loss", "d_loss"]
    with pytest.raises(ValueError, match="`names`.*'g_loss'.*'val_loss'"):
        draw_losses(logs, names=["val_loss"])


def test_one_epoch_can_be_seen():
    (line,) = draw_losses({"loss": [1.0]}).axes[0].lines
    assert line.get_marker() == "o"


def test_errors():
    with pytest.raises(ValueError, match="`names` must be names of logs"):
        draw_losses(LOGS, names=["loss"])
    for logs in ({}, {"accuracy": [1.0]}):
        with pytest.raises(ValueError, match=r"Received: names=\[\]"):
            draw_losses(logs)
