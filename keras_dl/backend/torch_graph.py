"""Functions of PyTorch tensors as graphs of operations, without Keras above.

Calling a Keras layer costs more than what a small layer computes. So a
function that is called again and again with the same shapes, as the step of a
model that generates, is recorded once as the operations that it comes to.
"""

import operator

import keras
import numpy as np
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree

from keras_dl.backend.nesting import may_be_differentiated
from keras_dl.backend.scope import Reading


class Recorded:
    """`function(*tensors)`, which may read Keras variables, recorded.

    For each set of shapes the first call runs as it is, so that what is called
    once is not recorded for nothing; the second is recorded. A function that
    looks at the values of its tensors, or writes to variables, cannot be, and
    stays as it is.

    Args:
        function: The function.
        in_place: Whether the tensors may be written to.
    """

    def __init__(self, function, in_place=False):
        self._function, self._in_place = function, in_place
        # The variables that graphs read, and the tensors that they held.
        self._variables, self._values, self._graphs = {}, [], {}

    def __call__(self, *arguments):
        if may_be_differentiated():
            return self._function(*arguments)
        self.follow_weights()
        return self.run(*arguments)

    def follow_weights(self):
        """Forgets the graphs if the variables hold other tensors by now.

        A graph reads the tensors, whatever values they have.
        """
        values = self._held()
        if not all(map(operator.is_, values, self._values)):
            self._values, self._graphs = values, {}

    def _held(self):
        return [variable.value for variable in self._variables.values()]

    @torch.no_grad()
    def run(self, *arguments):
        """The same, with the weights of the last look at them."""
        leaves, structure = _pytree.tree_flatten(arguments)
        leaves = list(map(_plain, leaves))
        arguments = _pytree.tree_unflatten(leaves, structure)
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
            with _NoValues(), Reading() as scope:
                graph = make_fx(flat)(*leaves)
        except RuntimeError:
            # It looks at values; or it fails, as it will once more, aloud.
            return plain
        if scope.writes():
            return plain
        self._variables.update(scope.read)
        self._values = self._held()
        _compute_once(graph.graph)
        if self._in_place:
            _write_in_place(graph.graph)
        graph.recompile()
        return lambda leaves: _pytree.tree_unflatten(graph(*leaves), specs[-1])


def _compute_once(graph):
    """Leaves in once what is computed several times.

    Every block of a model makes the same masks and positions, for example.
    """
    kinds = "get_attr", "call_function"
    nodes = [node for node in graph.nodes if node.op in kinds]
    if any(map(_writes, nodes)):
        return  # What is written to must not be shared.
    first = {}
    for node in nodes:
        parts, structure = _pytree.tree_flatten((node.args, node.kwargs))
        # By text, so that 0 is neither 0.0 nor False, nor 0.0 -0.0.
        key = (node.target, structure, *map(repr, parts))
        same = node if _draws(node) else first.setdefault(key, node)
        if same is not node:
            node.replace_all_uses_with(same)
            graph.erase_node(node)


def _write_in_place(graph):
    """Writes to tensors that came in, where nothing else reads them."""
    for node in graph.nodes:
        if node.target is torch.ops.aten.index_copy.default:
            whole = node.args[0]
            if whole.op == "placeholder" and len(whole.users) == 1:
                node.target = torch.ops.aten.index_copy_.default


def _writes(node):
    """Whether an operation changes one of its arguments, or may do so."""
    if node.op == "get_attr" or node.target is operator.getitem:
        return False
    known = isinstance(node.target, torch._ops.OpOverload)
    return not known or node.target._schema.is_mutable


def _draws(node):
    """Whether an operation gives something else each time."""
    tags = getattr(node.target, "tags", ())
    return torch.Tag.nondeterministic_seeded in tags


_ARRAYS = {"numpy", "tolist", "__array__"}
_NUMBERS = {"item", "__bool__", "__float__", "__int__", "__index__"}


class _NoValues(TorchFunctionMode):
    """Refuses to hand values to Python, where a graph would not follow."""

    def __torch_function__(self, function, types, arguments=(), kwargs=None):
        name = getattr(function, "__name__", "")
        # Of what comes out of other tensors PyTorch itself refuses the latter.
        of_variable = arguments and isinstance(arguments[0], torch.nn.Parameter)
        if name in _ARRAYS or (of_variable and name in _NUMBERS):
            raise RuntimeError(f"Tensor.{name} is not recorded.")
        return function(*arguments, **(kwargs or {}))


def _plain(leaf):
    """A tensor of plain layout, as a graph leaves out what made it so."""
    if isinstance(leaf, np.ndarray):
        leaf = keras.ops.convert_to_tensor(leaf)
    return leaf.contiguous() if isinstance(leaf, torch.Tensor) else leaf


def _kind(leaf):
    if isinstance(leaf, torch.Tensor):
        return leaf.shape, leaf.dtype, leaf.device
    return leaf
