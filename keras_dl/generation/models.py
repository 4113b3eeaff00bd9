"""What a model must be that text is generated from."""

import weakref

import keras

from keras_dl.models import sublayers

_checked = weakref.WeakKeyDictionary()


def check_model(model, ids):
    """Refuses what gives no logits of the next tokens; builds the model.

    Args:
        model: The model.
        ids: Ids of a prompt, an array `(1, time)`.

    Raises:
        TypeError: If it is no Keras model or layer.
        ValueError: If it has stateful layers, or gives something else than one
            tensor `(batch, time, vocabulary)`.
    """
    if not isinstance(model, keras.Layer):
        raise TypeError(
            "`model` must be a Keras model that maps token ids to logits. "
            f"Received: model={model!r}."
        )
    if hasattr(model, "decode_step") and model.built:
        return  # One of ours, which says so itself.
    parts = list(map(id, model.variables))
    if model.built and _checked.get(model) == parts:
        return
    _check_stateless(model)
    fixed = fixed_length(model)
    if fixed is not None:
        ids = ids[:, :1].repeat(fixed, axis=1)
    pair = getattr(model, "reads_source", False)
    target = ids[:, :1] if pair else ids
    found = model((ids, target) if pair else ids, training=False)
    shape = getattr(found, "shape", None)
    if shape is None or len(shape) != 3 or shape[1] != target.shape[1]:
        given = keras.tree.map_structure(
            lambda x: tuple(getattr(x, "shape", ())) or type(x).__name__, found
        )
        raise ValueError(
            "`model` must give one tensor of logits, of the shape `(batch, "
            "time, vocabulary)`, for ids `(batch, time)`. Received: "
            f"{given} for ids of the shape {target.shape}."
        )
    _checked[model] = list(map(id, model.variables))


def length_limit(model):
    """How many tokens a model can read; `None`: it does not say."""
    limit = getattr(model, "max_sequence_length", None)
    return fixed_length(model) if limit is None else limit


def fixed_length(model):
    """The number of tokens that a functional model takes, if only one."""
    inputs = getattr(model, "inputs", None) or ()
    shapes = [x.shape for x in inputs if hasattr(x, "shape")]
    if len(shapes) != 1 or len(shapes[0]) != 2:
        return None
    return shapes[0][1]


def _check_stateless(model):
    layers = {"": model, **sublayers(model)}.items()
    stateful = [path for path, x in layers if getattr(x, "stateful", False)]
    if stateful:
        raise ValueError(
            "`model` must not hold stateful layers: it is run on the whole "
            f"text in each step. Received: {stateful} with stateful=True."
        )
