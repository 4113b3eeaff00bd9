"""Scopes in which Keras variables read as other tensors.

Keras offers `keras.StatelessScope`: while it is open, variables read from a
mapping and writes land in that mapping. One scope hides the one around it,
though, which is what a gradient inside a gradient must not do. `Scope` looks
through to the scope around it and can hand its writes on when it closes.
"""

import functools

import keras


class Scope(keras.StatelessScope):
    """A stateless scope that sees the scope around it.

    Args:
        state_mapping: Pairs `(variable, tensor)`: what these variables read
            as inside the scope. Writes to them stay inside the scope.
        own: Variables that read as ever, but writes to which stay inside too.
    """

    def __init__(self, state_mapping=(), own=()):
        super().__init__(list(state_mapping), collect_losses=True)
        self._substituted = {*self.state_mapping, *map(id, own)}
        self._written = {}

    def __enter__(self):
        super().__enter__()
        if self.original_scope is not None:
            # `add_loss` values of the surrounding scope stay readable here.
            self.losses = list(self.original_scope.losses)
        return self

    def get_current_value(self, variable):
        value = super().get_current_value(variable)
        if value is None and self.original_scope is not None:
            return self.original_scope.get_current_value(variable)
        # Keras computes weight regularization from this very method and
        # expects a tensor, so the stored value is the last resort.
        return variable._value if value is None else value

    def add_update(self, update):
        variable, value = update
        if isinstance(value, keras.Variable):
            # Keras' TensorFlow variables come unread: take the value of now.
            value = keras.ops.copy(value.value)
        super().add_update((variable, value))
        if id(variable) not in self._substituted:
            self._written[id(variable)] = variable

    def writes(self):
        """Pairs `(variable, value)` written to variables not substituted."""
        return [
            (variable, self.state_mapping[key])
            for key, variable in self._written.items()
        ]


class Reading(Scope):
    """A scope that notes which variables are read.

    Attributes:
        read: Variables by their ids, in the order in which they were read.
    """

    def __init__(self, state_mapping=()):
        super().__init__(state_mapping)
        self.read = {}

    def get_current_value(self, variable):
        self.read[id(variable)] = variable
        return super().get_current_value(variable)


def is_open():
    """Whether writes to variables land in a scope."""
    with keras.StatelessScope(initialize_variables=False) as probe:
        return probe.original_scope is not None


def assign(pairs):
    """Assigns each value to its variable in the scope that is open now."""
    for variable, value in pairs:
        variable.assign(value)


class substituted(Scope):
    """The scope behind `autodiff.substitute`: hands its writes on at exit."""

    def __exit__(self, exception_type, *details):
        super().__exit__(exception_type, *details)
        if exception_type is None:
            assign(self.writes())


@functools.cache
def _probe():
    return keras.Variable(1.0, dtype="float32", trainable=False)


def precision():
    """What variables of float32 read as in the layer that is called now.

    Within a layer of mixed precision they are rounded.
    """
    return keras.backend.standardize_dtype(_probe().value.dtype)
