"""What callbacks share that draw samples, epoch by epoch, into a folder."""

import os
import pathlib
import re

import keras
from keras import ops

from keras_dl.checks import check_integer


class EpochPictures(keras.callbacks.Callback):
    """Asks for samples at the ends of epochs and has them drawn.

    A subclass has the names of its files, and `draw(samples, epoch, path)`.
    """

    _stem = "epoch"
    _film = "samples.gif"

    def __init__(self, generate, folder, every=1, gif=True):
        super().__init__()
        pillow()
        self.generate = check_callable("generate", generate)
        self.folder = pathlib.Path(folder)
        self.every = check_integer("every", every, minimum=1)
        self.gif = bool(gif)
        self._last = 0

    def draw(self, samples, epoch, path):
        """Draws the samples of an epoch, counted from 1, into a file."""
        raise NotImplementedError

    def on_train_begin(self, logs=None):
        # A folder that cannot be made stops training before it starts.
        self.folder.mkdir(parents=True, exist_ok=True)
        self._last = 0

    def on_epoch_end(self, epoch, logs=None):
        self._last = epoch + 1
        if self._last % self.every == 0:
            samples = ops.convert_to_numpy(self.generate(self.model))
            name = f"{self._stem}_{self._last:04d}.png"
            self.draw(samples, self._last, self.folder / name)

    def on_train_end(self, logs=None):
        pictures = self._pictures()
        if self.gif and pictures:
            write_gif(pictures, self.folder / self._film)

    def _pictures(self):
        """The pictures up to the last epoch, by number.

        What an earlier, longer training left behind is not of this one.
        """
        numbered = {}
        for path in self.folder.glob(f"{self._stem}_*.png"):
            name = re.fullmatch(rf"{self._stem}_(\d+)", path.stem)
            if name and int(name[1]) <= self._last:
                numbered[int(name[1])] = path
        return [numbered[number] for number in sorted(numbered)]


def check_callable(name, value):
    """Returns `value` if it can be called."""
    if not callable(value):
        raise TypeError(f"`{name}` must be a function. Received: {value!r}")
    return value


def pillow():
    """The module `PIL.Image`, or an error that says what to install."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Pictures need Pillow, which is not installed: "
            'pip install "keras_dl[plots]".'
        ) from error
    return Image


def write(path, save):
    """Has `save(name)` write a file, which takes its name once complete.

    Folders are made.
    """
    path = pathlib.Path(path)
    if not path.suffix:
        path = path.with_suffix(".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    # The same suffix, which says what kind of picture it is; a stem that no
    # search for pictures finds.
    unfinished = path.with_name(f".{os.getpid()}.unfinished.{path.name}")
    try:
        save(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_gif(pictures, path):
    """Writes a GIF of pictures, given by their files, in this order."""
    image = pillow()
    sizes = []
    for picture in pictures:
        with image.open(picture) as opened:
            sizes.append(opened.size)
    size = tuple(map(max, *sizes, (1, 1)))
    frames = [_frame(image, picture, size) for picture in pictures]
    # About ten seconds, and the last one long enough to look at.
    duration = min(max(10_000 // len(frames), 50), 500)
    durations = [duration] * (len(frames) - 1) + [2500]
    film = {"save_all": True, "append_images": frames[1:], "loop": 0}
    write(path, lambda p: frames[0].save(p, duration=durations, **film))


def _frame(image, path, size):
    """A picture, whatever its size, on white of the film's size."""
    with image.open(path) as picture:
        frame = picture.convert("L" if picture.mode == "L" else "RGB")
    if frame.size != size:
        canvas = image.new(frame.mode, size, "white")
        canvas.paste(frame)
        frame = canvas
    return frame if frame.mode == "L" else frame.quantize(256)
