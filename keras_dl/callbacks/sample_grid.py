"""Pictures of what a model generates, and how it learns to."""

from keras_dl.callbacks.epoch_pictures import EpochPictures
from keras_dl.callbacks.image_grid import draw_image_grid
from keras_dl.checks import check_integer


class SampleGrid(EpochPictures):
    """Draws a grid of generated images while a model is trained.

    At the ends of epochs it calls `generate(model)` and writes the images to
    `folder/epoch_0001.png` and so on, as
    `keras_dl.callbacks.draw_image_grid` draws them; when training ends, all
    of them to `folder/samples.gif`. To watch the same images get better, let
    `generate` use the same noise each time, as in the example.

    **Going on.** Pictures have the number of their epoch, and the GIF is
    made of all in the folder up to the last epoch: a `fit` that goes on with
    `initial_epoch` adds to the pictures of the one before. Files are written
    aside and then take their name, so none is ever half a picture.

    **Training** goes on as it would without the callback if `generate` draws
    from no random numbers that training uses. With PyTorch `Model.predict`
    does: it moves on those that shuffle. `predict_on_batch` does not.

    **Divergence.** Values that are not finite are drawn (NaN is mid-grey,
    an infinity black or white) and do not end the training.

    The GIF has 256 colours for each picture; the PNG files have all. A
    picture that equals the one before it only shows for longer.

    Args:
        generate: Function of the model that returns images, an array or
            tensor `(batch, height, width, channels)` of 1 or 3 channels.
        folder: Name of the folder; it is made.
        every: Number of epochs from one picture to the next.
        rows: Number of rows at most; images beyond it are not drawn. `None`:
            as many as it takes.
        columns: Number of images beside each other. `None`: what `rows`
            asks for, or a grid about as wide as high.
        gif: Whether to write the GIF.
        value_range: The values drawn black and white: `(low, high)`.
        zoom: Width of an image's pixel in pixels of the picture.
        gap: Pixels of white between images.

    Raises:
        ImportError: If Pillow is missing.
        TypeError: If `generate` is not a function.
        ValueError: If an argument is not allowed; when a picture is drawn, if
            what was generated are not images.

    Example:

    >>> gan = keras_dl.applications.DCGAN((8, 8, 1), latent_dim=8, base=4)
    >>> noise = gan.sample_noise(9, seed=0)
    >>> grid = SampleGrid(lambda model: model.generate(noise=noise), "out")
    >>> images = np.random.uniform(-1, 1, (8, 8, 8, 1))
    >>> history = gan.fit(images, epochs=2, callbacks=[grid], verbose=0)
    """

    def __init__(
        self,
        generate,
        folder,
        every=1,
        rows=None,
        columns=None,
        gif=True,
        value_range=(-1, 1),
        zoom=1,
        gap=1,
    ):
        super().__init__(generate, folder, every, gif)
        for name, value in (("rows", rows), ("columns", columns)):
            if value is not None:
                check_integer(name, value, minimum=1)
        self.rows, self.columns = rows, columns
        self._look = {"value_range": value_range, "zoom": zoom, "gap": gap}
        # What is wrong with these is said before training.
        draw_image_grid([[[0.0]]], **self._look)

    def draw(self, samples, epoch, path):
        """Draws images into a file."""
        columns = self.columns
        if self.rows is not None:
            if columns is None:
                columns = max(-(-len(samples) // self.rows), 1)
            samples = samples[: self.rows * columns]
        draw_image_grid(samples, path, columns, **self._look)
