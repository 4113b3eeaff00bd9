"""How deep differentiated functions lie inside one another."""

import contextlib
import threading

_local = threading.local()


@contextlib.contextmanager
def differentiated(by_others=False):
    """Counts one differentiated function; yields whether it is inside one.

    Inside, what it computes will be differentiated a second time.

    Args:
        by_others: Whether somebody else may differentiate what is computed
            now, such as Keras' step the loss that it is a part of.
    """
    before = depth()
    outer = before or int(by_others)
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


def differentiated_twice():
    """Whether what is computed now may be differentiated a second time.

    Kernels without a second derivative (fused attention, the recurrent
    kernels of cuDNN and oneDNN) must then give way to plain operations.
    """
    return depth() > 1
