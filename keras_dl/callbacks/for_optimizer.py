"""Keras' schedules, for one of several optimizers."""

import keras

_OF_BATCHES = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
)


class ForOptimizer(keras.callbacks.Callback):
    """Lets a callback see one of a trainer's named optimizers as the only one.

    `keras.callbacks.LearningRateScheduler` and `ReduceLROnPlateau` change the
    rates of all optimizers at once. Wrapped in this callback they change one;
    its rate is logged as `learning_rate_<name>`.

    Args:
        name: The optimizer's name in `Trainer.compile(optimizer={...})`.
        callback: A callback that acts at the ends of epochs or of training,
            not of batches.

    Raises:
        TypeError: If `callback` is not a Keras callback.
        ValueError: If it acts on batches; when training begins, if no
            optimizer has that name.

    Example:

    >>> networks = keras_dl.applications.gan
    >>> gan = keras_dl.training.GAN(
    ...     networks.mlp_generator(8, 2), networks.mlp_discriminator(2)
    ... )
    >>> points, modes = keras_dl.datasets.ring_of_gaussians(64)
    >>> halve = keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr / 2)
    >>> callback = ForOptimizer("discriminator", halve)
    >>> history = gan.fit(points, epochs=2, callbacks=[callback], verbose=0)
    >>> history.history["learning_rate_discriminator"]
    [1.0e-04, 5.0e-05]
    """

    def __init__(self, name, callback):
        super().__init__()
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                "`callback` must be a `keras.callbacks.Callback`. "
                f"Received: {callback!r}"
            )
        for hook in _OF_BATCHES:
            own = getattr(type(callback), hook)
            if own is not getattr(keras.callbacks.Callback, hook):
                raise ValueError(
                    "`callback` must act on epochs, not on batches. Received "
                    f"a {type(callback).__name__}, which has `{hook}`."
                )
        self.name = name
        self.callback = callback

    def set_params(self, params):
        super().set_params(params)
        self.callback.set_params(params)

    def set_model(self, model):
        super().set_model(model)
        self.callback.set_model(_WithOptimizer(model, self.name))

    def on_train_begin(self, logs=None):
        self.callback.on_train_begin(logs)

    def on_train_end(self, logs=None):
        self.callback.on_train_end(logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self.callback.on_epoch_end(epoch, logs)
        if logs and "learning_rate" in logs:
            logs[f"learning_rate_{self.name}"] = logs.pop("learning_rate")


class _WithOptimizer:
    """A model, except that `optimizer` is the one of a name."""

    def __init__(self, model, name):
        if not hasattr(model.optimizer, "names"):
            raise ValueError(
                f"The model has no optimizer named {name!r}: a single one is "
                "compiled."
            )
        self.__dict__.update(_wrapped=model, optimizer=model.optimizer[name])

    def __getattr__(self, name):
        return getattr(self._wrapped, name)

    def __setattr__(self, name, value):
        setattr(self._wrapped, name, value)
