"""Exchanging a layer inside of another one."""

import keras

from keras_dl.backend import keras_names
from keras_dl.models.paths import (
    held_layers,
    is_graph,
    sublayer,
    sublayers,
    walk,
)

keras_names.require(keras.Layer, "_post_build")


def put_layer(owner, path, layer):
    """Exchanges the layer at a path for another one."""
    parent, name, old = walk(owner, path)[-1]
    if is_graph(parent):
        raise nobody_records(owner, path)
    _track(parent, old, layer)
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


def _track(parent, old, layer):
    """Lets Keras know of what a layer holds before it is put there."""
    tracker = parent._tracker
    held = [child for _, child in held_layers(parent)]
    again = sum(child is old for child in held) > 1
    known = any(child is layer for child in held)
    if not again and not known:
        tracker.replace_tracked_value("layers", old, layer)
    elif not again and layer is not old:
        tracker.untrack(old)
    elif not known:
        tracker.unlock()
        tracker.track(layer)
        tracker.lock()


def _key(container, place):
    return int(place) if isinstance(container, (list, tuple)) else place


def restore(model, replaced):
    """Puts layers in their places, as a config says.

    Args:
        model: A built `ConfiguredModel`.
        replaced: Dict by path: layers, or paths of layers that stand there,
            too.

    Returns:
        Dict of the layers by path.
    """

    def order(path):
        return isinstance(replaced[path], str), path.count("/")

    put = {}
    for path in sorted(replaced, key=order):
        layer = replaced[path]
        put[path] = sublayer(model, layer) if order(path)[0] else layer
        put_layer(model, path, put[path])
    return put


def nobody_records(model, path):
    return ValueError(
        f"`path` must lead to a layer whose exchange a config can record: "
        "through models of keras_dl, or the layers of a functional model. "
        f"Received: {path!r} in {model.name!r}. Exchange the layer around it."
    )
