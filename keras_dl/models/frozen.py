"""Which layers of a model are frozen: for configs."""

from keras_dl.models.paths import sublayers


def frozen_in(layer):
    """Paths of the layers inside whose `trainable` is `False`."""
    parts = sublayers(layer, by_place=True)
    return [path for path, part in parts.items() if not part.trainable]


def freeze_as(layer, frozen):
    """Freezes the layers inside that `frozen_in` named, and no others."""
    parts = sublayers(layer, by_place=True)
    unknown = sorted(set(frozen) - parts.keys())
    if unknown:
        raise ValueError(
            f"`frozen` names layers that {layer.name!r} does not have: "
            f"{unknown}. It has: {sorted(parts)}."
        )
    layer.trainable = layer.trainable  # Of its own variables too.
    # Keras freezes all inside as well; so parents first, and twice, as what
    # several layers share comes under the first of them alone.
    for _ in range(2):
        for path, part in parts.items():
            if part.trainable is (path in frozen):
                part.trainable = path not in frozen
