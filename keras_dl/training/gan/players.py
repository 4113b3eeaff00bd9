"""What trainers of several players share: optimizers, networks, their files."""

import contextlib

import keras
import numpy as np
from keras import ops, tree

from keras_dl.autodiff import substitute
from keras_dl.training.engine.step_checks import arranged, check_structure
from keras_dl.training.engine.trainer import Trainer


class PlayersTrainer(Trainer):
    """A trainer of several networks that compiles by itself.

    Class attributes:
        players: Names of the optimizers that it needs.
        parts: Names of arguments and attributes, networks and losses, that are
            saved as Keras objects.
    """

    asks_network = False
    players = ()
    parts = ()

    def default_optimizers(self):
        """The optimizers that `compile` takes if none are given."""
        return {
            name: keras.optimizers.Adam(2e-4, beta_1=0.5)
            for name in self.players
        }

    def compile(self, optimizer=None, **kwargs):
        """As `Trainer.compile`, with optimizers that suit the method.

        Args:
            optimizer: Dict of an optimizer for each player;
                `default_optimizers()`, whose names they have, if not given.
            kwargs: Arguments of `keras.Model.compile`.
        """
        if optimizer is None:
            optimizer = self.default_optimizers()
        super().compile(optimizer=optimizer, **kwargs)

    def fit(self, *args, **kwargs):
        """As `keras.Model.fit`; compiles first, if nobody has."""
        if not self.compiled:
            self.compile()
        self._check_players()
        return super().fit(*args, **kwargs)

    def train_on_batch(self, *args, **kwargs):
        """As `Trainer.train_on_batch`."""
        self._check_players()
        return super().train_on_batch(*args, **kwargs)

    def _check_players(self):
        """Refuses a player that has nothing to train."""
        for name in self.players:
            if not self.optimizer_variables(name):
                raise ValueError(
                    f"{name!r} of {type(self).__name__} has no trainable "
                    "variables: set its `trainable` to True. While one player "
                    "trains, the others stay as they are by themselves."
                )

    def check_arrays(self, x, y=None, sample_weight=None):
        """Refuses arrays that the networks cannot take.

        A subclass whose data are others says so by `expects`, and by
        `check_parts`.
        """
        if self.expects is not None:
            data = arranged((x, y, sample_weight), self.expects)
            check_structure(data, self.expects, type(self).__name__)
            self.check_parts(*(data if isinstance(data, tuple) else [data]))

    def check_parts(self, *parts):
        """Refuses parts of the data that hold what cannot be."""

    def check_predicted(self, x, y=None, sample_weight=None):
        self._inputs_of((x, y, sample_weight))

    def _inputs_of(self, data):
        """What of a batch goes into the main network: as many as it takes."""
        inputs, takes = arranged(data), len(self.network.inputs)
        if isinstance(inputs, tuple):
            inputs = list(inputs[:takes]) if takes > 1 else inputs[0]
        self.check_inputs(inputs)
        return inputs

    def check_inputs(self, inputs):
        """Refuses what the main network cannot take."""

    def get_config(self):
        config = super().get_config()
        del config["network"]
        for name in self.parts:
            config[name] = keras.saving.serialize_keras_object(
                getattr(self, name)
            )
        return config


def check_network(name, network):
    """Returns `network` if it is a Keras model with weights."""
    if not isinstance(network, keras.Model):
        raise TypeError(
            f"`{name}` must be a Keras model. Received: {network!r}"
        )
    if not network.built or not network.inputs:
        raise ValueError(
            f"`{name}` must be a functional or sequential model that is "
            f"built: give it a `keras.Input`. Received: {network!r}"
        )
    return network


def predict_batched(network, inputs, batch_size):
    """What a network makes of arrays, as arrays.

    As `predict`, which on PyTorch draws a random number, so that a picture
    drawn in the middle of a training would change its course.
    """
    count = len(tree.flatten(inputs)[0])
    parts = [
        network.predict_on_batch(
            tree.map_structure(lambda x, i=i: x[i : i + batch_size], inputs)
        )
        for i in range(0, count, batch_size)
    ]
    return tree.map_structure(lambda *x: np.concatenate(x), *parts)


def check_weights(**weights):
    """Refuses a weight of a loss that is below 0."""
    for name, value in weights.items():
        if not value >= 0:
            raise ValueError(
                f"`{name}` must be at least 0. Received: {name}={value!r}."
            )


def frozen_statistics(*networks):
    """A context in which networks' statistics stay as they are."""
    statistics = [w for one in networks for w in one.non_trainable_weights]
    if not statistics:
        return contextlib.nullcontext()
    return substitute(statistics, map(ops.convert_to_tensor, statistics))


def regularization(network):
    """What layers of a network, called last, add to its loss.

    A call inside a context such as `frozen_statistics` is forgotten outside of
    it, and one outside of it may not be known inside.
    """
    return sum(network.losses, start=0.0)
