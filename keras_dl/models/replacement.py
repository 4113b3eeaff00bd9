"""Layers replaced for good: smaller, factorized, or of another kind."""

import keras

from keras_dl.models.paths import is_graph, sublayer, sublayers
from keras_dl.models.placement import nobody_records, put_layer
from keras_dl.models.serialization import ConfiguredModel


def replace_layer(model, path, layer):
    """Puts another layer in the place of a sublayer, for good.

    A model of `keras_dl.applications`, or any
    `keras_dl.models.ConfiguredModel`, is changed itself, and records the new
    layer in its config: it survives `.keras`, on every backend. Of a
    functional or sequential model a new one is made, which shares all other
    layers; its config has the new layer anyway. Compile the model again
    afterwards.

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
            nothing on the way to the place would record it.

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
    if not isinstance(layer, keras.Layer):
        raise TypeError(f"`layer` must be a Keras layer. Received: {layer!r}.")
    if not layer.built:
        raise ValueError(
            "`layer` must be built, so that its variables are there. Received: "
            f"{layer!r}."
        )
    sublayer(model, path)  # An unknown path is refused here.
    if is_graph(model):
        return _in_graph(model, path, layer)
    owner, rest = _recorder(model, path)
    if owner is None:
        raise nobody_records(model, path)
    put_layer(owner, rest, layer)
    owner.replaced[_canonical(owner, layer)] = layer
    model._post_build()
    return model


def _recorder(model, path):
    """The last model on the way to a place that would record a new layer."""
    owner, rest = None, path
    parts = path.split("/")
    for i in range(len(parts)):
        begin = "/".join(parts[:i])
        try:
            layer = sublayer(model, begin) if begin else model
        except ValueError:
            continue  # A name and an index are one step.
        if isinstance(layer, ConfiguredModel):
            owner, rest = layer, "/".join(parts[i:])
    return owner, rest


def _canonical(owner, layer):
    parts = sublayers(owner, by_place=True).items()
    return next(path for path, part in parts if part is layer)


def _in_graph(model, path, layer):
    """A functional or sequential model with another layer in it."""
    names = [child.name for child in model.layers]
    name = max(
        (n for n in names if path == n or path.startswith(f"{n}/")), key=len
    )
    old, rest = model.get_layer(name), path[len(name) + 1 :]
    if rest:
        if not (is_graph(old) or isinstance(old, ConfiguredModel)):
            raise nobody_records(model, path)
        layer = replace_layer(old, rest, layer)
        if layer is old:
            return model
    return keras.models.clone_model(
        model, clone_function=lambda x: layer if x is old else x
    )
