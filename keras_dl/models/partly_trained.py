"""Models that leave some of their variables untrained."""

import keras


class PartlyTrainedModel(keras.Model):
    """A Keras model that says which variables no optimizer updates.

    Keras' own way, `trainable = False`, is a property of a layer, wherever it
    is used. This is one of the model that holds it.
    """

    def untrained_variables(self):
        """Variables that no optimizer updates, such as a pooler's, unread."""
        return []

    @property
    def trainable_variables(self):
        """All that an optimizer may update: not `untrained_variables`."""
        return _without(self.untrained_variables(), super().trainable_variables)

    @property
    def trainable_weights(self):
        """As `trainable_variables`."""
        return _without(self.untrained_variables(), super().trainable_weights)

    @property
    def non_trainable_variables(self):
        """All other variables."""
        return _without(self.trainable_variables, self.variables)

    @property
    def non_trainable_weights(self):
        """All other weights."""
        return _without(self.trainable_weights, self.weights)


def _without(some, variables):
    ids = set(map(id, some))
    return [variable for variable in variables if id(variable) not in ids]
