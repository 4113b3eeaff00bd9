"""Sublayers of any model by path, and what a wrong path may have meant."""

import difflib

import keras


def sublayers(model, by_place=False):
    """All sublayers of a model by their paths.

    A path is made of names, divided by "/". In a functional or sequential
    model a sublayer is called as the model calls it (`layer.name`), elsewhere
    by the attribute that holds it, with an index in lists and a key in dicts:
    `"encoder/blocks/0/attention"`.

    Args:
        model: A Keras layer or model, built or not.
        by_place: Whether layers of functional and sequential models are named
            by their place, `"layers/2"`: such paths are the same in every
            process, where names that Keras gives are numbered.

    Returns:
        Dict of layers by path, parents before their parts. A layer that is
        held twice has the path under which it is found first.
    """
    found, seen = {}, {id(model)}

    def walk(layer, prefix):
        for name, child in held_layers(layer, by_place):
            if id(child) not in seen:
                seen.add(id(child))
                found[f"{prefix}{name}"] = child
                walk(child, f"{prefix}{name}/")

    walk(model, "")
    return found


def sublayer(model, path):
    """The sublayer of a model at a path.

    Besides the names of `sublayers`, of either kind, each part of a path may
    be the `layer.name` of a part of the layer before it.

    Args:
        model: A Keras layer or model.
        path: String, such as `"encoder/blocks/0/attention"`.

    Raises:
        ValueError: If there is no such sublayer. The error names near ones.

    Example:

    >>> model = keras_dl.applications.MLP((4,), num_outputs=3)
    >>> keras_dl.models.sublayer(model, "head").units
    3
    """
    return walk(model, path)[-1][-1] if path else model


def places(model):
    """All paths under which a model holds each layer, lists by their `id`."""
    found = {}
    holders = {"": model, **sublayers(model, by_place=True)}
    for path, holder in holders.items():
        for name, child in held_layers(holder, by_place=True):
            whole = f"{path}/{name}" if path else name
            found.setdefault(id(child), []).append(whole)
    return found


def walk(model, path):
    """The steps of a path.

    Returns:
        List of `(parent, name, layer)`: the layer that holds another one, and
        the name, as `sublayers(parent, by_place=True)` writes it, under which.
    """
    steps, layer, rest = [], model, path
    while rest:
        places = dict(held_layers(layer, True))
        options = {**dict(held_layers(layer)), **places}
        names = {child.name: child for child in options.values()} | options
        # The longest name first: "blocks/0" is one step.
        for name in sorted(names, key=len, reverse=True):
            if rest == name or rest.startswith(f"{name}/"):
                child, rest = names[name], rest[len(name) + 1 :]
                break
        else:
            raise _unknown(model, path)
        if name not in places:
            name = next(n for n, part in places.items() if part is child)
        steps.append((layer, name, child))
        layer = child
    return steps


def is_graph(model):
    """Whether a model is functional or sequential: a graph of its layers."""
    return isinstance(model, keras.Sequential) or bool(
        isinstance(model, keras.Model) and hasattr(model, "operations")
    )


# Where Keras, PyTorch and TensorFlow keep all parts of a layer once more.
_BOOKKEEPING = (
    "_layers",
    "_modules",
    "_self_unconditional_dependency_names",
    "_self_unconditional_checkpoint_dependencies",
    "_self_unconditional_deferred_dependencies",
    "_self_name_based_restores",
    "_self_saveable_object_factories",
    "_tracked",
)


def held_layers(layer, by_place=False):
    """Pairs of names and layers that a layer holds, in a fixed order."""
    graph = is_graph(layer)
    if graph:
        for i, child in enumerate(layer.layers):
            yield (f"layers/{i}" if by_place else child.name), child
    # PyTorch's modules keep their parts apart.
    held = {**vars(layer), **vars(layer).get("_modules", {})}
    for name in _BOOKKEEPING:
        held.pop(name, None)
    public = [name for name in held if not name.startswith("_")]
    for name in sorted(public):
        yield from _layers_in(name, held[name])
    if not graph:
        for name in sorted(held):
            plain = name.lstrip("_")
            if plain != name and plain not in public:
                yield from _layers_in(plain, held[name])


def _layers_in(name, value):
    if isinstance(value, keras.Layer):
        yield name, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _layers_in(f"{name}/{key}", part)
    elif isinstance(value, (list, tuple)):
        for i, part in enumerate(value):
            yield from _layers_in(f"{name}/{i}", part)


def _unknown(model, path):
    known = list(sublayers(model))
    near = difflib.get_close_matches(path, known, n=5, cutoff=0.4)
    ends = [p for p in known if p.split("/")[-1] == path.split("/")[-1]]
    near = list(dict.fromkeys([*near, *ends]))[:8] or known[:8]
    return ValueError(
        f"{model.name!r} has no sublayer {path!r}. Near ones: {near}; "
        "`keras_dl.models.sublayers(model)` has them all."
    )
