"""Layers replaced for good: smaller, factorized, or of another kind."""

import keras

from keras_dl.models.paths import is_graph, walk
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
    steps = walk(model, path)
    for part in (model, *(child for _, _, child in steps)):
        if isinstance(part, keras.Model):
            # What was compiled has the old layer in it.
            part.train_function = part.test_function = None
            part.predict_function = None
    new = layer
    for i in reversed(range(len(steps))):
        parent, _, old = steps[i]
        if not is_graph(parent):
            _record(steps[: i + 1], new)
            model._post_build()
            return model
        new = _with_another(parent, old, new)
    return new


def _record(steps, layer):
    """Puts a layer at the end of a path, and says so in a config."""
    owners = [
        i
        for i, (parent, _, _) in enumerate(steps)
        if isinstance(parent, ConfiguredModel)
    ]
    path = "/".join(name for _, name, _ in steps)
    if not owners:
        raise nobody_records(steps[0][0], path)
    owner = steps[owners[-1]][0]
    path = "/".join(name for _, name, _ in steps[owners[-1] :])
    put_layer(owner, path, layer)
    owner.replaced[path] = layer


def _with_another(graph, old, new):
    """A functional or sequential model with another layer in it."""
    return keras.models.clone_model(
        graph, clone_function=lambda x: new if x is old else x
    )
