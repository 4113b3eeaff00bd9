"""Whether a config holds every argument that its class takes."""

import inspect

import keras


def plain(value):
    """What can be compared, of initializers and activations too."""
    return keras.saving.serialize_keras_object(value)


def parameters(kind):
    found = {}
    for of in (kind, *kind.__bases__):
        if of not in (keras.Layer, keras.Model):
            found |= inspect.signature(of.__init__).parameters
    # What a config says of layers: applications/test_quantized.py and
    # models/test_replacement.py, test_frozen.py.
    later = ("quantization", "replaced", "frozen")
    # Of terms these follow from what a subclass is given.
    later += ("student_features", "teacher_features")
    for name in ("self", "args", "kwargs", *later):
        found.pop(name, None)
    return found


def check_arguments(kind, given, **other):
    """Each argument is kept, as an attribute of its name, and comes back.

    Args:
        kind: A class of layers or models.
        given: A value for each of its arguments, other than the default; or
            `None` for what cannot be beside others.
        **other: What another one is made with; 1 for each argument without a
            default if nothing is said.
    """
    known = parameters(kind)
    assert set(given) == set(known)
    required = {
        name: 1
        for name, parameter in known.items()
        if parameter.default is inspect.Parameter.empty
    }
    thing, default = kind(**given, name="mine"), kind(**{**required, **other})
    copy = kind.from_config(thing.get_config())
    assert plain(copy.get_config()) == plain(thing.get_config())
    for name in given:
        value = plain(getattr(thing, name))
        if value is not None:
            assert value != plain(getattr(default, name)), name
        assert value == plain(getattr(copy, name)), name
    assert copy.name == "mine"
