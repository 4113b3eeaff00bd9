"""Functions of PyTorch tensors as graphs of operations, without Keras above.

Calling a Keras layer costs more than what a small layer computes. So a
function that is called again and again with the same shapes, as the step of a
model that generates, is recorded once as the operations that it comes to.
"""

import keras
import numpy as np
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree


class Recorded:
    """`function(*tensors)`, which reads the model's variables, recorded.

    For each set of shapes the first call runs as it is, so that what is called
    once is not recorded for nothing; the second is recorded. A function that
    looks at the values of its tensors cannot be, and stays as it is.
    """

    def __init__(self, model, function):
        self._variables, self._function = model.variables, function
        self._values, self._graphs = None, {}

    @torch.no_grad()
    def __call__(self, *arguments):
        leaves, structure = _pytree.tree_flatten(arguments)
        leaves = [
            keras.ops.convert_to_tensor(leaf)
            if isinstance(leaf, np.ndarray)
            else leaf
            for leaf in leaves
        ]
        arguments = _pytree.tree_unflatten(leaves, structure)
        # A graph reads the tensors of the variables, whatever they hold.
        values = [variable.value for variable in self._variables]
        if not _same(values, self._values):
            self._values, self._graphs = values, {}
        key = (structure, *map(_kind, leaves))
        if key not in self._graphs:
            self._graphs[key] = None
            return self._function(*arguments)
        if self._graphs[key] is None:
            self._graphs[key] = self._record(leaves, structure)
        return self._graphs[key](leaves)

    def _record(self, leaves, structure):
        def plain(leaves):
            return self._function(*_pytree.tree_unflatten(leaves, structure))

        specs = []

        def flat(*leaves):
            found, spec = _pytree.tree_flatten(plain(leaves))
            specs.append(spec)
            return found

        try:
            with _NoValues():
                graph = make_fx(flat)(*leaves)
        except RuntimeError:
            # It looks at values; or it fails, as it will once more, aloud.
            return plain
        return lambda leaves: _pytree.tree_unflatten(graph(*leaves), specs[-1])


class _NoValues(TorchFunctionMode):
    """Refuses to hand values to Python, where a graph would not follow."""

    def __torch_function__(self, function, types, arguments=(), kwargs=None):
        if getattr(function, "__name__", "") in (
            "numpy",
            "tolist",
            "__array__",
        ):
            raise RuntimeError(f"Tensor.{function.__name__} is not recorded.")
        return function(*arguments, **(kwargs or {}))


def _same(values, others):
    return (
        others is not None
        and len(values) == len(others)
        and all(a is b for a, b in zip(values, others, strict=True))
    )


def _kind(leaf):
    if isinstance(leaf, torch.Tensor):
        return leaf.shape, leaf.dtype, leaf.device
    return leaf
