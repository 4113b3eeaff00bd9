"""Pictures of samples: their numbers, their film, and training as without."""

import builtins

import keras
import numpy as np
import pytest
from PIL import Image

from keras_dl.callbacks import SampleGrid, draw_image_grid
from keras_dl.testing import check_callback

NOISE = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")


def make():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(4 * 5 * 3, activation="tanh"),
            keras.layers.Reshape((4, 5, 3)),
        ]
    )
    model.compile(keras.optimizers.SGD(1.0), "mse")
    return model


def generate(model):
    return model(NOISE)


def fit(model, *callbacks, **options):
    y = np.linspace(-1, 1, 60, dtype="float32").reshape(1, 4, 5, 3)
    y = np.repeat(y, 6, axis=0)
    keras.utils.set_random_seed(2)  # For the order of the examples.
    options = {"epochs": 2, "verbose": 0, "callbacks": callbacks} | options
    return model.fit(NOISE, y, **options).history["loss"]


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def frames(path):
    with Image.open(path) as film:
        for frame in range(film.n_frames):
            film.seek(frame)
            yield np.asarray(film.convert("RGB"))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_draws_what_training_has_reached_and_leaves_it_alone(tmp_path):
    drawn = []

    def remember(model):
        drawn.append(keras.ops.convert_to_numpy(generate(model)))
        return generate(model)

    model, alone = make(), make()
    grid = SampleGrid(remember, tmp_path / "new" / "out", rows=2, zoom=2)
    np.testing.assert_array_equal(fit(model, grid), fit(alone))
    folder = tmp_path / "new" / "out"
    assert names(folder) == ["epoch_0001.png", "epoch_0002.png", "samples.gif"]
    reached = keras.ops.convert_to_numpy(generate(alone))
    np.testing.assert_allclose(drawn[1], reached, atol=1e-6)
    pictures = [read(folder / f"epoch_000{i}.png") for i in (1, 2)]
    for picture, images in zip(pictures, drawn, strict=True):
        np.testing.assert_array_equal(
            picture, draw_image_grid(images, columns=3, zoom=2)
        )
    assert not np.array_equal(*pictures)
    film = list(frames(folder / "samples.gif"))
    assert len(film) == 2
    for frame, picture in zip(film, pictures, strict=True):
        # The film has no more than 256 colours.
        assert np.abs(frame.astype(int) - picture).mean() < 8


def test_contract(tmp_path):
    check_callback(
        lambda: SampleGrid(lambda model: np.ones((1, 2, 2)), tmp_path)
    )


@pytest.mark.compiled
def test_goes_on_where_another_fit_ended(tmp_path):
    model = make()
    fit(model, SampleGrid(generate, tmp_path), epochs=2)
    first = read(tmp_path / "epoch_0002.png")
    grid = SampleGrid(generate, tmp_path)
    fit(model, grid, epochs=4, initial_epoch=2)
    pictures = [f"epoch_000{i}.png" for i in (1, 2, 3, 4)]
    assert names(tmp_path) == [*pictures, "samples.gif"]
    np.testing.assert_array_equal(read(tmp_path / "epoch_0002.png"), first)
    film = list(frames(tmp_path / "samples.gif"))
    assert len(film) == 4
    # Training anew: what is left of epochs 3 and 4 is not of this training.
    fit(make(), grid, epochs=2)
    again = list(frames(tmp_path / "samples.gif"))
    assert len(again) == 2
    np.testing.assert_array_equal(again, film[:2])


def test_draws_every_second_epoch(tmp_path):
    grid = SampleGrid(lambda _: np.zeros((1, 2, 2)), tmp_path, 2, gif=False)
    for epoch in range(5):
        grid.on_epoch_end(epoch)
    grid.on_train_end()
    assert names(tmp_path) == ["epoch_0002.png", "epoch_0004.png"]


def test_film_is_in_the_order_of_numbers_and_takes_any_size(tmp_path):
    """Of grey pictures it is exact."""
    greys = {3: 10, 9999: 20, 10000: 30}
    for epoch, grey in greys.items():
        side = 4 if epoch == 3 else 2
        images = np.full((1, side, side), grey)
        grid = SampleGrid(
            lambda _, images=images: images, tmp_path, value_range=(0, 255)
        )
        grid.on_epoch_end(epoch - 1)
    (tmp_path / "epoch_best.png").write_bytes(b"not a picture")
    (tmp_path / ".1.unfinished.epoch_0005.png").write_bytes(b"half a picture")
    grid.on_train_end()
    film = [frame[..., 0] for frame in frames(tmp_path / "samples.gif")]
    assert len(film) == 3
    np.testing.assert_array_equal(film[0], np.full((4, 4), 10))
    for frame, grey in zip(film[1:], (20, 30), strict=True):
        expected = np.full((4, 4), 255)
        expected[:2, :2] = grey
        np.testing.assert_array_equal(frame, expected)


def test_rows_and_columns(tmp_path):
    images = np.zeros((7, 2, 2))

    def size(**shape):
        grid = SampleGrid(lambda _: images, tmp_path, gap=0, **shape)
        grid.on_epoch_end(0)
        height, width = read(tmp_path / "epoch_0001.png").shape
        return height // 2, width // 2

    assert size() == (3, 3)
    assert size(rows=2) == (2, 4)
    assert size(columns=2) == (4, 2)
    assert size(rows=2, columns=3) == (2, 3)
    assert size(rows=9, columns=5) == (2, 5)


def test_a_model_that_diverged_is_drawn(tmp_path):
    model = make()
    model.set_weights([np.full(w.shape, np.nan) for w in model.get_weights()])
    fit(model, SampleGrid(generate, tmp_path, gap=0), epochs=1)
    assert (read(tmp_path / "epoch_0001.png") == 128).all()


def test_errors(tmp_path, monkeypatch):
    with pytest.raises(TypeError, match="`generate` must be a function"):
        SampleGrid(NOISE, tmp_path)
    for name in ("every", "rows", "columns", "zoom"):
        with pytest.raises(ValueError, match=f"`{name}`.*{name}=0"):
            SampleGrid(generate, tmp_path, **{name: 0})
    with pytest.raises(ValueError, match="`value_range`"):
        SampleGrid(generate, tmp_path, value_range=(1, 0))
    points = SampleGrid(lambda _: np.zeros((5, 2)), tmp_path)
    with pytest.raises(ValueError, match=r"`images`.*shape \(5, 2\)"):
        points.on_epoch_end(0)
    # A folder that cannot be is found out before training.
    (tmp_path / "file").write_text("")
    steps = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    with pytest.raises(OSError):
        fit(make(), SampleGrid(generate, tmp_path / "file"), count)
    assert steps == []

    real = builtins.__import__

    def without_pillow(name, *args, **kwargs):
        if name.startswith("PIL"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pillow)
    with pytest.raises(ImportError, match=r"keras_dl\[plots\]"):
        SampleGrid(generate, tmp_path)
