"""How deep differentiated functions lie inside one another."""

import contextlib
import threading

_local = threading.local()


@contextlib.contextmanager
def differentiated():
    """Counts one differentiated function; yields whether it is inside one.

    Inside, what it computes will be differentiated a second time.
    """
    outer = getattr(_local, "depth", 0)
    _local.depth = outer + 1
    try:
        yield outer > 0
    finally:
        _local.depth = outer


def differentiated_twice():
    """Whether what is computed now will be differentiated a second time.

    Kernels without a second derivative (fused attention, the recurrent
    kernels of cuDNN and oneDNN) must then give way to plain operations.
    """
    return getattr(_local, "depth", 0) > 1
