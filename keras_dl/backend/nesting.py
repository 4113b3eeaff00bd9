"""How deep differentiated functions lie inside one another."""

import contextlib
import sys
import threading

import keras

_local = threading.local()


@contextlib.contextmanager
def differentiated():
    """Counts one differentiated function; yields whether it is inside one.

    Inside, what it computes will be differentiated a second time.
    """
    before = getattr(_local, "depth", 0)
    outer = before or int(_inside_a_plain_step())
    _local.depth = outer + 1
    try:
        yield outer > 0
    finally:
        _local.depth = before


def depth():
    """How often what is computed now will be differentiated: 0, 1, or more.

    2 stands for more. What Keras' own steps differentiate does not count.
    """
    return min(getattr(_local, "depth", 0), 2)


def is_differentiated():
    """Whether what is computed now will be differentiated, as far as we know.

    What Keras' own steps differentiate does not count.
    """
    return depth() > 0


def may_be_differentiated():
    """The same, with what Keras' own steps differentiate."""
    return is_differentiated() or _inside_a_plain_step()


def differentiated_twice():
    """Whether what is computed now will be differentiated a second time.

    Kernels without a second derivative (fused attention, the recurrent
    kernels of cuDNN and oneDNN) must then give way to plain operations.
    """
    return depth() > 1


def _inside_a_plain_step():
    """Whether Keras will differentiate what its `train_step` computes now.

    It does not say so, and on PyTorch nothing else does: there everything is
    recorded. So this looks for the method among the callers. Our own steps
    differentiate nothing but what they are told to.
    """
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_name
        if name == "run_step" and frame.f_globals["__name__"].startswith(
            "keras_dl.backend"
        ):
            return False
        if name == "train_step" and isinstance(
            frame.f_locals.get("self"), keras.Model
        ):
            return True
        frame = frame.f_back
    return False
