"""Several named optimizers behind the face of one."""

import keras
import numpy as np

from keras_dl.checks import check_counts_updates


@keras.saving.register_keras_serializable("keras_dl")
class NamedOptimizers(keras.optimizers.Optimizer):
    """A dict of optimizers that Keras can build, save and schedule as one.

    `Trainer.compile(optimizer={"generator": ..., "discriminator": ...})` makes
    one of these. Each optimizer updates its own variables, in its own time;
    they may share variables. Keras' callbacks find them in `optimizers`.

    Args:
        optimizers: A dict of names and optimizers (or their Keras
            identifiers). No instance may stand in it twice.
        name: String.

    Raises:
        ValueError: If the dict is empty, a name is not a non-empty string
            free of "/", or an optimizer stands in it twice.
    """

    def __init__(self, optimizers, name="named_optimizers"):
        super().__init__(learning_rate=0.0, name=name)
        if not isinstance(optimizers, dict) or not optimizers:
            raise ValueError(
                "`optimizer` must be one optimizer or a non-empty dict of "
                f"names and optimizers. Received: {optimizers!r}"
            )
        for key in optimizers:
            if not isinstance(key, str) or not key or "/" in key:
                raise ValueError(
                    "The name of an optimizer must be a non-empty string "
                    f"without '/'. Received: {key!r}"
                )
        by_name = {k: keras.optimizers.get(v) for k, v in optimizers.items()}
        if len(set(map(id, by_name.values()))) < len(by_name):
            raise ValueError(
                "Each name needs an optimizer instance of its own. Received "
                f"one instance under several names: {optimizers!r}"
            )
        for key, optimizer in by_name.items():
            # Keras' callbacks log `learning_rate_<name>`.
            optimizer.name = key
        self._by_name = by_name
        self._variables_of = None

    def __getitem__(self, name):
        if name not in self._by_name:
            raise ValueError(
                f"There is no optimizer named {name!r}. "
                f"Compiled were: {list(self._by_name)}"
            )
        return self._by_name[name]

    @property
    def names(self):
        """The names, in the order of `compile`."""
        return list(self._by_name)

    @property
    def optimizers(self):
        """The optimizers, in the order of `compile`."""
        return list(self._by_name.values())

    @property
    def variables(self):
        return [v for o in self.optimizers for v in o.variables]

    @property
    def iterations(self):
        """The number of updates that the first optimizer made."""
        return self.optimizers[0].iterations

    @property
    def learning_rate(self):
        raise AttributeError(self._each("learning_rate"))

    @learning_rate.setter
    def learning_rate(self, value):
        raise AttributeError(self._each("learning_rate"))

    def _each(self, what):
        return (
            f"There are several optimizers: {self.names}. Use "
            f"`optimizer[name].{what}` of one of them."
        )

    def bind(self, variables_of):
        """Sets the function that gives a name's variables to `build`."""
        self._variables_of = variables_of

    def build(self, variables):
        if self._variables_of is None:
            raise ValueError(
                "Named optimizers are built by the `Trainer` that they were "
                "compiled with."
            )
        for name, optimizer in self._by_name.items():
            if not optimizer.built:
                optimizer.build(self._variables_of(name))
        self.built = True

    def apply(self, grads, trainable_variables=None):
        raise NotImplementedError(self._each("apply()"))

    def finalize_variable_values(self, var_list):
        for name, optimizer in self._by_name.items():
            optimizer.finalize_variable_values(self._variables_of(name))

    def save_own_variables(self, store):
        """Saves which optimizers there are; each one saves its own state."""
        for name, optimizer in self._by_name.items():
            store[name] = np.array(len(optimizer.variables))

    def load_own_variables(self, store):
        names = list(store.keys())
        saved = {name: int(np.array(store[name])) for name in names}
        here = {n: len(o.variables) for n, o in self._by_name.items()}
        # Without any, it is a file of a trainer that was not compiled: each
        # optimizer warns that it begins anew.
        if saved and saved != here:
            raise ValueError(
                "The saved optimizers (name: number of variables) do not fit "
                f"these. Saved: {saved}. Here: {here}"
            )

    def get_config(self):
        return {
            "name": self.name,
            "optimizers": {
                name: keras.saving.serialize_keras_object(optimizer)
                for name, optimizer in self._by_name.items()
            },
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        optimizers = {
            name: keras.saving.deserialize_keras_object(
                optimizer, custom_objects=custom_objects
            )
            for name, optimizer in config["optimizers"].items()
        }
        return cls(optimizers, name=config["name"])


def as_optimizer(optimizer, scale):
    """What `compile` takes for an optimizer, as one.

    Args:
        optimizer: An optimizer, its name or config, or a dict of names and
            these.
        scale: Whether each is to scale its loss.

    Returns:
        An optimizer, or `NamedOptimizers`.
    """
    if optimizer is None:
        raise ValueError(
            "`optimizer` must be an optimizer or a dict of names and "
            "optimizers. Received: None"
        )

    def get(identifier):
        one = keras.optimizers.get(identifier)
        if scale and not isinstance(one, keras.optimizers.LossScaleOptimizer):
            return keras.optimizers.LossScaleOptimizer(one)
        return one

    found = optimizer
    if isinstance(optimizer, dict) and "class_name" not in optimizer:
        found = NamedOptimizers({k: get(v) for k, v in optimizer.items()})
    elif not isinstance(optimizer, NamedOptimizers):
        found = get(optimizer)
    check_counts_updates(found)
    return found
