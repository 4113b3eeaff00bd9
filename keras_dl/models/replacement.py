"""Layers replaced for good: smaller, factorized, or of another kind."""

import keras

from keras_dl.models.paths import is_graph, sublayers, walk
from keras_dl.models.placement import nobody_records, put_layer
from keras_dl.models.serialization import ConfiguredModel


def replace_layer(model, path, layer):
    """Puts another layer in the place of a sublayer, for good.

    A model of `keras_dl.applications`, or any
    `keras_dl.models.ConfiguredModel`, is changed itself, and records the new
    layer in its config: it survives `.keras`, on every backend. Of a
    functional or sequential model a new one is made, which shares all other
    layers; its config has the new layer anyway.

    A layer that the model has elsewhere is shared from now on: what is there
    is recorded once, and trains once.

    **A compiled model** predicts and evaluates as before, with the new layer.
    Its optimizer has the old variables: `fit` asks to `compile` again.

    Args:
        model: The model, built.
        path: Path of the sublayer: see `keras_dl.models.sublayers`.
        layer: A built Keras layer, of a registered class, that takes and gives
            what the old one does.

    Returns:
        The model with the layer in it.

    Raises:
        TypeError: If `layer` is no Keras layer.
        ValueError: If there is no such sublayer, `layer` is not built, or
            nothing on the way to the place would record it. The model is as
            it was then.

    Example: two thin layers in the place of a wide one.

    >>> model = keras_dl.applications.MLP((8,), num_outputs=3)
    >>> model.build((None, 4))
    >>> thin = keras.Sequential(
    ...     [keras.Input((4,)), keras.layers.Dense(2, use_bias=False),
    ...      keras.layers.Dense(8)]
    ... )
    >>> model = keras_dl.models.replace_layer(model, "hidden/0", thin)
    >>> model(np.ones((1, 4))).shape
    (1, 3)
    """
    return replace_layers(model, {path: layer})


def replace_layers(model, layers):
    """As `replace_layer`, of several layers at once.

    What fits together only when all are exchanged, such as a narrower layer
    and the one that reads it, is exchanged together.

    Args:
        model: The model, built.
        layers: Dict of built layers by the paths that they are to stand at.

    Returns:
        The model with the layers in it.

    Raises:
        TypeError, ValueError: As `replace_layer`, before anything is changed.

    Example: fewer hidden units, and the head that reads them.

    >>> model = keras_dl.applications.MLP((8,), num_outputs=3)
    >>> model.build((None, 4))
    >>> narrow, head = keras.layers.Dense(2), keras.layers.Dense(3)
    >>> narrow.build((None, 4)), head.build((None, 2))
    (None, None)
    >>> model = keras_dl.models.replace_layers(
    ...     model, {"hidden/0": narrow, "head": head}
    ... )
    >>> model.count_params()
    19
    """
    for layer in layers.values():
        _check(layer)
    depth = sorted(layers, key=lambda path: path.count("/"))
    for path in depth:
        _check_recorded(walk(model, path), path)
    alone = [path for path in depth if not is_graph(walk(model, path)[-1][0])]
    for path, graph in _new_graphs(model, layers).items():
        model = _exchange(model, path, graph)
    for path in alone:
        model = _exchange(model, path, layers[path])
    return model


def _check(layer):
    if not isinstance(layer, keras.Layer):
        raise TypeError(f"`layer` must be a Keras layer. Received: {layer!r}.")
    if not layer.built:
        raise ValueError(
            "`layer` must be built, so that its variables are there. Received: "
            f"{layer!r}."
        )


def _check_recorded(steps, path):
    kept = any(isinstance(parent, ConfiguredModel) for parent, _, _ in steps)
    if not kept and not all(is_graph(parent) for parent, _, _ in steps):
        raise nobody_records(steps[0][0], path)


def _new_graphs(model, layers):
    """New functional models for those that change, by path; "": the model."""
    changes = {}
    for path, layer in layers.items():
        steps = walk(model, path)
        first = len(steps)
        while first and is_graph(steps[first - 1][0]):
            first -= 1
        if first < len(steps):
            around = "/".join(name for _, name, _ in steps[:first])
            _, swaps = changes.setdefault(around, (steps[first][0], {}))
            swaps[id(steps[-1][-1])] = layer
    return {
        around: _with_others(graph, swaps)
        for around, (graph, swaps) in changes.items()
    }


def _with_others(graph, swaps):
    """A functional or sequential model with other layers in it."""

    def clone(layer):
        if id(layer) in swaps:
            return swaps[id(layer)]
        parts = map(id, sublayers(layer).values()) if is_graph(layer) else ()
        if not swaps.keys().isdisjoint(parts):
            return _with_others(layer, swaps)
        return layer

    return keras.models.clone_model(graph, clone_function=clone)


def _exchange(model, path, layer):
    """Puts a layer at a path of a model that can record it."""
    if not path:
        return layer
    steps = walk(model, path)
    for part in (model, *(child for _, _, child in steps)):
        if isinstance(part, keras.Model):
            # What was compiled has the old layer in it.
            part.train_function = part.test_function = None
            part.predict_function = None
    owner = max(
        i
        for i, (parent, _, _) in enumerate(steps)
        if isinstance(parent, ConfiguredModel)
    )
    steps = steps[owner:]
    owner, place = steps[0][0], _first_place(steps)
    put_layer(owner, place, layer)
    owner.record_replaced(place, layer)
    model._post_build()
    return model


def _first_place(steps):
    """The path from the owner, by the first way that leads to the parent."""
    owner, (parent, name, _) = steps[0][0], steps[-1]
    if parent is owner:
        return name
    ways = sublayers(owner, by_place=True).items()
    return next(f"{path}/{name}" for path, part in ways if part is parent)
