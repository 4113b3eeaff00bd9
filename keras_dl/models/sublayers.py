"""The layers inside a layer, by names that hold in every process."""

import functools
import inspect

import keras


def sublayers(layer):
    """The layers inside a layer, at any depth, by their paths.

    A path is made of names of attributes, and of places in lists and dicts:
    `"blocks/0/attention/query_dense"`. What no attribute holds, as in
    functional and sequential models, has its place among the `layers`:
    `"layers/2"`. So a model that is made anew from its config has the same
    paths, where names, and so Keras' `layer.path`, have numbers that count
    the layers of a process. A layer that is held in several places has the
    first of their paths, in alphabetic order of attributes.

    Args:
        layer: A Keras layer or model.

    Returns:
        Dict of layers by path, an outer one before those inside.

    Example:

    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> list(keras_dl.models.sublayers(model))
    ['layers/0']
    """
    found = {}
    _walk(layer, (), found, {id(layer)})
    return found


def _walk(layer, path, found, seen):
    for name, value in _parts(layer):
        for place, part in _layers_in(value, (name,)):
            if id(part) not in seen:
                seen.add(id(part))
                whole = (*path, *place)
                found["/".join(whole)] = part
                _walk(part, whole, found, seen)


def _parts(layer):
    """Names and values of what a layer has beyond what Keras' own have."""
    for name in sorted(set(dir(layer)) - _of_keras()):
        of_class = inspect.getattr_static(type(layer), name, None)
        if not hasattr(of_class, "__get__"):  # No methods, no properties.
            yield name, getattr(layer, name)
    if isinstance(layer, keras.Model):
        yield "layers", layer.layers


def _layers_in(value, path):
    if isinstance(value, keras.Layer):
        yield path, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _layers_in(part, (*path, str(key)))
    elif isinstance(value, (list, tuple)):
        for number, part in enumerate(value):
            yield from _layers_in(part, (*path, str(number)))


@functools.cache
def _of_keras():
    """Names that every layer or model of Keras has."""
    x = keras.Input((1,), name="probe")
    models = keras.Model(x, x, name="probe"), keras.Sequential(name="probe")
    return {name for model in models for name in dir(model)}
