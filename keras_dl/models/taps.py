"""Listening to the calls of layers for a while: the mechanism of features."""

import contextlib
import functools
import threading

# What Keras calls, the second for a layer that is quantized.
_CALLS = ("call", "quantized_call")


@contextlib.contextmanager
def tapped(pairs):
    """A context in which calls of layers go through functions.

    The `call` of the very instances is wrapped, so this sees them wherever
    they are called from: in functional, sequential and subclassed models,
    eagerly and while a step is compiled. Contexts nest; other threads, which
    trace the steps of other replicas, go by.

    Args:
        pairs: Pairs of a layer and a function `around(call, *args, **kwargs)`
            that returns what the layer is to return.
    """
    thread = threading.get_ident()
    entries = [(layer, (thread, _outermost(around))) for layer, around in pairs]
    for layer, entry in entries:
        for name in _CALLS:
            _tap_of(layer, name).listeners.append(entry)
    try:
        yield
    finally:
        for layer, entry in entries:
            for name in _CALLS:
                tap = vars(layer)[name]
                tap.listeners.remove(entry)
                if not tap.listeners:
                    del vars(layer)[name]


def _tap_of(layer, name):
    held = vars(layer)
    if not isinstance(held.get(name), _Tap):
        held[name] = _Tap(getattr(layer, name))
    return held[name]


class _Tap:
    """A `call` with those who listen to it, the latest outermost."""

    def __init__(self, call):
        self.listeners = []
        functools.update_wrapper(self, call)

    def __call__(self, *args, **kwargs):
        run, thread = self.__wrapped__, threading.get_ident()
        for of_thread, around in self.listeners:
            if of_thread == thread:
                run = functools.partial(around, run)
        return run(*args, **kwargs)


def _outermost(around):
    """`around`, but not for a call within its own: a layer is called once."""
    inside = False

    def once(call, *args, **kwargs):
        nonlocal inside
        if inside:
            return call(*args, **kwargs)
        inside = True
        try:
            return around(call, *args, **kwargs)
        finally:
            inside = False

    return once
