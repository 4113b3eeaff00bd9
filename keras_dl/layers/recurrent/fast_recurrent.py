"""A Keras model with its recurrent layers replaced by fast ones."""

import warnings

import keras

from keras_dl.layers.recurrent.gru import GRU
from keras_dl.layers.recurrent.lstm import LSTM


def fast_recurrent(model):
    """A copy of a Keras model with its `LSTM` and `GRU` layers replaced.

    The layers of Keras become those of `keras_dl.layers`, also inside nested
    functional and sequential models, `keras.layers.Bidirectional` and wrappers
    such as `keras.layers.TimeDistributed`, with the same names, arguments and
    weights: so the copy reads and writes the weight files of the original.
    Masks count in the copy as `LSTM` says. What stands inside nested
    subclassed models, layers of your own and `keras.layers.RNN` stays as it is.

    Args:
        model: A functional or sequential Keras model, built.

    Returns:
        The copy, compiled as the model is, with the state of its optimizer
        (moments, iterations, learning rate), so that training goes on. Where
        layers were frozen or thawed since that state began, it fits no more: a
        warning says that the copy's begins anew.

    Raises:
        ValueError: If the model is subclassed, or not built.

    Example:

    >>> model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(8)])
    >>> fast = keras_dl.layers.fast_recurrent(model)
    >>> type(fast.layers[0]) is keras_dl.layers.LSTM
    True
    >>> x = np.ones((2, 5, 3))
    >>> np.allclose(fast.predict(x, verbose=0), model.predict(x, verbose=0))
    True
    """
    if not isinstance(model, keras.Sequential) and not _is_functional(model):
        raise ValueError(
            "`model` must be a functional or sequential Keras model, whose "
            f"layers can be replaced. Received: model={model}"
        )
    if not model.built:
        raise ValueError(
            "`model` must be built, to copy its weights: call it on data "
            f"first. Received: model={model}, which is not built."
        )
    copy = _clone(model)
    copy.set_weights(model.get_weights())
    if model.compiled and model.optimizer is not None:
        _carry(model.optimizer, copy.optimizer)
    return copy


def _carry(optimizer, copy):
    """Gives the copy of an optimizer the state of the original."""
    if not optimizer.built:
        return
    state, new = optimizer.variables, copy.variables
    if [v.shape for v in state] != [v.shape for v in new]:
        warnings.warn(
            "The optimizer of the copy begins anew: that of `model` has a "
            f"state of {len(state)} variables, which does not fit the layers "
            f"that are trainable now ({len(new)} variables).",
            stacklevel=3,
        )
        return
    for variable, value in zip(new, state, strict=True):
        # By way of NumPy: on JAX both would hold, and give away, one array.
        variable.assign(keras.ops.convert_to_numpy(value))


def _is_functional(model):
    # A class of Keras that has no public name.
    return type(model).__name__ == "Functional"


def _clone(model):
    return keras.models.clone_model(
        model, clone_function=_replaced, recursive=True
    )


def _replaced(layer):
    """The layer's clone, by our class if we have one for it."""
    ours = {keras.layers.LSTM: LSTM, keras.layers.GRU: GRU}
    if type(layer) in ours:
        return ours[type(layer)].from_config(layer.get_config())
    if isinstance(layer, keras.Sequential) or _is_functional(layer):
        return _clone(layer)
    parts = {}
    if isinstance(layer, keras.layers.Bidirectional):
        parts["layer"] = layer.forward_layer
        parts["backward_layer"] = layer.backward_layer
    elif isinstance(layer, keras.layers.Wrapper):
        parts["layer"] = layer.layer
    config = layer.get_config()
    for key, part in parts.items():
        config[key] = keras.saving.serialize_keras_object(_replaced(part))
    return type(layer).from_config(config)
