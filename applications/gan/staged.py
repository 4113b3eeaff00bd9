"""GANs that are trained stage by stage, each with larger images."""

import keras
from keras import ops

from keras_dl.applications.gan.ready_made import ReadyMade
from keras_dl.checks import check_integer
from keras_dl.training import GAN


class StagedGAN(ReadyMade, GAN):
    """A GAN with a generator and a discriminator for each stage.

    Data are always images of the last stage, which are averaged down to the
    size of the present one. `fit` trains all stages from the present one on;
    `advance` goes on to the next.

    Args:
        stages: List of pairs of a generator and a discriminator, which may
            share layers.
        stage: Number of the stage to begin with, from 0 on.
        kwargs: Arguments of `GAN`.
    """

    def __init__(self, stages, stage=0, **kwargs):
        # Always in this order, by which seeds are saved; then `enter`.
        super().__init__(*stages[0], **kwargs)
        # In lists of their own, as Keras saves them.
        self.generators = [generator for generator, _ in stages]
        self.discriminators = [discriminator for _, discriminator in stages]
        self.full_shape = tuple(stages[-1][0].output_shape[1:])
        StagedGAN.enter(self, stage)

    def enter(self, stage):
        """Makes this stage, by its number, the one that is trained."""
        last = len(self.generators) - 1
        self.stage = check_integer("stage", stage, 0, last)
        self.generator = self.network = self.generators[stage]
        self.discriminator = self.discriminators[stage]

    def advance(self):
        """Goes on to the next stage, with new optimizers of the same kind.

        Raises:
            ValueError: If this is the last stage.
        """
        count = len(self.generators)
        if self.stage == count - 1:
            raise ValueError(f"Stage {self.stage} is the last one of {count}.")
        self.enter(self.stage + 1)
        if self.compiled:
            old = {name: self.optimizer[name] for name in self.players}
            self.compile(
                {n: type(o).from_config(o.get_config()) for n, o in old.items()}
            )

    def fit(self, x=None, y=None, *, epochs=1, initial_epoch=0, **kwargs):
        """Trains the present stage and all that follow.

        Args:
            x, y, kwargs: As in `keras.Model.fit`.
            epochs: Number of epochs of each stage.
            initial_epoch: Number of the first, for callbacks and logs; the
                stages count on.

        Returns:
            A `keras.callbacks.History` of all of them.
        """
        history = None
        while True:
            self._begin(x, epochs)
            new = super().fit(
                x,
                y,
                epochs=initial_epoch + epochs,
                initial_epoch=initial_epoch,
                **kwargs,
            )
            history = joined(history, new)
            if self.stage == len(self.generators) - 1:
                return history
            initial_epoch += epochs
            self.advance()

    def _begin(self, x, epochs):
        """Called before each stage is trained."""

    def unpacked(self, data):
        images, conditions = super().unpacked(data)
        side = self.generator.output_shape[1]
        factor = images.shape[1] // side
        if images.shape[1:] != self.full_shape:
            raise ValueError(
                f"{type(self).__name__} is trained with images of shape "
                f"{self.full_shape}. Received: {tuple(images.shape[1:])}"
            )
        if factor > 1:
            images = ops.average_pool(
                images, factor, factor, data_format="channels_last"
            )
        return images, conditions

    def generate(
        self,
        count=None,
        conditions=None,
        noise=None,
        seed=None,
        batch_size=32,
        full_size=False,
    ):
        """New images of the present stage; see `GAN.generate`.

        Args:
            full_size: Whether they are made as large as those of the last
                stage, by repeating pixels, as for pictures of the progress.
        """
        images = super().generate(count, conditions, noise, seed, batch_size)
        factor = self.full_shape[0] // images.shape[1]
        if full_size and factor > 1:
            images = images.repeat(factor, axis=1).repeat(factor, axis=2)
        return images

    def get_config(self):
        return {**super().get_config(), "stage": self.stage}


def joined(first, second):
    """One history of two, the second of which went on after the first."""
    if first is None:
        return second
    second.epoch = first.epoch + second.epoch
    second.history = {
        name: first.history[name] + values
        for name, values in second.history.items()
    }
    return second


def repeated(vector, shape, dtype):
    """A vector at each point of a map of shape `(height, width)`."""
    x = keras.layers.RepeatVector(shape[0] * shape[1], dtype=dtype)(vector)
    return keras.layers.Reshape((*shape, vector.shape[-1]), dtype=dtype)(x)
