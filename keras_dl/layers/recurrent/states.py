"""What stateful recurrent layers remember from batch to batch."""

import keras


def states_of(layer):
    """The variables of a stateful recurrent layer that hold its state."""
    if not isinstance(layer, keras.layers.RNN) or not layer.stateful:
        return []
    states = keras.tree.flatten(layer.states)
    return [s for s in states if isinstance(s, keras.Variable)]
