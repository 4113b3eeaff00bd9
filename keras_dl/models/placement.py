"""Exchanging a layer inside of another one."""

import keras

from keras_dl.backend import keras_names
from keras_dl.models.paths import is_graph, sublayers, walk

keras_names.require(keras.Layer, "_post_build")


def put_layer(owner, path, layer):
    """Exchanges the layer at a path for another one."""
    parent, name, old = walk(owner, path)[-1]
    if is_graph(parent):
        raise nobody_records(owner, path)
    parent._tracker.replace_tracked_value("layers", old, layer)
    attribute, *places = name.split("/")
    held = vars(parent) | vars(parent).get("_modules", {})
    attribute = attribute if attribute in held else f"_{attribute}"
    if not places:
        setattr(parent, attribute, layer)
    else:
        container = getattr(parent, attribute)
        for place in places[:-1]:
            container = container[_key(container, place)]
        container[_key(container, places[-1])] = layer
    for part in (*sublayers(owner).values(), owner):
        part._post_build()  # PyTorch's own list of parameters.


def _key(container, place):
    return int(place) if isinstance(container, (list, tuple)) else place


def restore(model, replaced):
    """Puts layers in their places, as a config says.

    Args:
        model: A built `ConfiguredModel`.
        replaced: Dict of layers by path.
    """
    for path in sorted(replaced, key=lambda path: path.count("/")):
        put_layer(model, path, replaced[path])


def nobody_records(model, path):
    return ValueError(
        f"`path` must lead to a layer whose exchange a config can record: "
        "through models of keras_dl, or the layers of a functional model. "
        f"Received: {path!r} in {model.name!r}. Exchange the layer around it."
    )
