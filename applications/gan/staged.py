"""GANs that are trained stage by stage, each with larger images."""

import keras
import numpy as np
from keras import ops

from keras_dl.applications.gan.ready_made import ReadyMade
from keras_dl.checks import check_integer
from keras_dl.training import GAN

# The key of the stage, and its finished epochs, among the saved variables.
_PROGRESS = "stage"


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
        self.finished_epochs = 0  # Of the present stage.
        StagedGAN.enter(self, stage)

    def enter(self, stage):
        """Makes this stage, by its number, the one that is trained."""
        self.stage = check_integer("stage", stage, 0, self._last)
        self.generator = self.network = self.generators[stage]
        self.discriminator = self.discriminators[stage]

    def advance(self):
        """Goes on to the next stage, with new optimizers of the same kind.

        Raises:
            ValueError: If this is the last stage.
        """
        if self.stage == self._last:
            raise ValueError(
                f"Stage {self.stage} is the last one of {self._last + 1}."
            )
        self._go_to(self.stage + 1)

    def _go_to(self, stage):
        self.enter(stage)
        self.finished_epochs = 0
        if self.compiled:
            old = {name: self.optimizer[name] for name in self.players}
            self.compile(
                {
                    n: type(o).from_config(o.get_config())
                    for n, o in old.items()
                },
                run_eagerly=self.run_eagerly,
                steps_per_execution=self.steps_per_execution,
                jit_compile=self._compiled.jit_compile,
                auto_scale_loss=False,  # They are scaled, where they shall be.
            )
            self._build_optimizer()

    @property
    def _last(self):
        return len(self.generators) - 1

    def fit(
        self,
        x=None,
        y=None,
        *,
        epochs=1,
        initial_epoch=0,
        callbacks=None,
        **kwargs,
    ):
        """Trains the present stage and all that follow: one training.

        Callbacks see it begin and end once, and its epochs counted through;
        what stops it stops it for good. One that was interrupted goes on in
        its stage, for as many epochs as the stage has left: from a file, such
        as that of `keras.callbacks.BackupAndRestore`, by itself.

        Args:
            x, y, kwargs: As in `keras.Model.fit`.
            epochs: Number of epochs of each stage.
            initial_epoch: Number of the first, for callbacks and logs.
            callbacks: As in `keras.Model.fit`.

        Returns:
            A `keras.callbacks.History` of all of them.
        """
        check_integer("epochs", epochs, 0)
        later = self._last - self.stage
        if not later and self.finished_epochs >= epochs:
            self.finished_epochs = 0  # It has been trained; now once more.
        left = max(epochs - self.finished_epochs, 0) + later * epochs
        self._begin(x, epochs)
        history = super().fit(
            x,
            y,
            epochs=initial_epoch + left,
            initial_epoch=initial_epoch,
            callbacks=[_Stages(epochs), *_as_list(callbacks)],
            **kwargs,
        )
        if self.stage == self._last:
            self.finished_epochs = 0
        return history

    def _begin(self, x, epochs):
        """Called before the stages are trained."""

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store[_PROGRESS] = np.array([self.stage, self.finished_epochs])

    def load_own_variables(self, store):
        own = {name: store[name] for name in store.keys()}  # noqa: SIM118
        progress = own.pop(_PROGRESS, None)
        if progress is not None:
            stage, finished = map(int, np.array(progress))
            if stage != self.stage:
                self._go_to(stage)
            self.finished_epochs = finished
        super().load_own_variables(own)

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """As `Trainer.load_weights`; it enters the stage of the file."""
        before = self.stage, self.finished_epochs
        optimizer = getattr(self, "optimizer", None)
        try:
            super().load_weights(filepath, skip_mismatch, **kwargs)
        except Exception:  # Whatever it is, the stage is as it was.
            values = [ops.convert_to_numpy(v) for v in self.weights]
            weights = self.weights
            if self.stage != before[0]:
                self.enter(before[0])
                self.optimizer = optimizer
                self.train_function = self.test_function = None
            for variable, value in zip(weights, values, strict=True):
                variable.assign(value)
            self.finished_epochs = before[1]
            raise

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


class _Stages(keras.callbacks.Callback):
    """Counts the epochs of stages, and goes on to the next one.

    Args:
        epochs: Number of epochs of each stage.
    """

    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch, logs=None):
        gan = self.model
        if gan.finished_epochs >= self.epochs and gan.stage < gan._last:
            gan.advance()
        # That of another stage is another program.
        gan.make_train_function()

    def on_epoch_end(self, epoch, logs=None):
        self.model.finished_epochs += 1


def _as_list(callbacks):
    if callbacks is None:
        return []
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    several = isinstance(callbacks, (tuple, list))
    return list(callbacks) if several else [callbacks]


def repeated(vector, shape, dtype):
    """A vector at each point of a map of shape `(height, width)`."""
    x = keras.layers.RepeatVector(shape[0] * shape[1], dtype=dtype)(vector)
    return keras.layers.Reshape((*shape, vector.shape[-1]), dtype=dtype)(x)
