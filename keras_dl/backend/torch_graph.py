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

from keras_dl.backend.nesting import is_differentiated
from keras_dl.backend.scope import Reading, substituted
from keras_dl.backend.torch_gradients import fresh, taken_once_more


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
        leaves, structure = _flat(arguments)
        if is_differentiated():
            return self._function(*_pytree.tree_unflatten(leaves, structure))
        self.follow_weights()
        if not torch.is_grad_enabled():
            return self._run(leaves, structure)
        graph = self._graph_of(leaves, structure)
        if graph is None:
            return self._function(*_pytree.tree_unflatten(leaves, structure))
        variables = [v for v in self._variables.values() if v.trainable]
        found = _AsItself.apply(
            graph,
            self._function,
            structure,
            variables,
            len(leaves),
            *leaves,
            *(variable.value for variable in variables),
        )
        return _pytree.tree_unflatten(found, graph.structure)

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
        """The same, with the weights of the last look at them.

        Nobody differentiates through it.
        """
        return self._run(*_flat(arguments))

    def _run(self, leaves, structure):
        graph = self._graph_of(leaves, structure)
        if graph is None:
            return self._function(*_pytree.tree_unflatten(leaves, structure))
        return _pytree.tree_unflatten(graph(*leaves), graph.structure)

    def _graph_of(self, leaves, structure):
        """The graph of such arguments, or `None` if there is none (yet)."""
        key = (structure, *map(_kind, leaves))
        if key not in self._graphs:
            self._graphs[key] = _SEEN
            return None
        if self._graphs[key] is _SEEN:
            self._graphs[key] = self._record(leaves, structure)
        return self._graphs[key]

    @torch.no_grad()
    def _record(self, leaves, structure):
        specs = []

        def flat(*leaves):
            arguments = _pytree.tree_unflatten(leaves, structure)
            found, spec = _pytree.tree_flatten(self._function(*arguments))
            specs.append(spec)
            return found

        try:
            with _NoValues(), Reading() as scope:
                graph = make_fx(flat)(*leaves)
        except RuntimeError:
            # It looks at values; or it fails, as it will once more, aloud.
            return None
        if scope.writes():
            return None
        self._variables.update(scope.read)
        self._values = self._held()
        _compute_once(graph.graph)
        if self._in_place:
            _write_in_place(graph.graph)
        graph.recompile()
        graph.structure = specs[-1]
        (results,) = graph.graph.output_node().args
        graph.constant = [
            getattr(node, "target", None) is torch.ops.aten.detach.default
            for node in results
        ]
        return graph


_SEEN = object()  # Of such arguments there was one call.


class _AsItself(torch.autograd.Function):
    """Runs the graph of a function; its derivative is the function's own.

    Nothing tells whether there will be one. So none is prepared: what is
    differentiated after all runs once more.
    """

    @staticmethod
    def forward(ctx, graph, function, structure, variables, number, *sources):
        ctx.function, ctx.structure = function, structure
        ctx.variables, ctx.number = variables, number
        ctx.others = [
            None if isinstance(source, torch.Tensor) else source
            for source in sources
        ]
        ctx.save_for_backward(
            *(s if isinstance(s, torch.Tensor) else None for s in sources)
        )
        found = tuple(graph(*sources[:number]))
        ends = zip(found, graph.constant, strict=True)
        ctx.mark_non_differentiable(*(y for y, constant in ends if constant))
        return found

    @staticmethod
    def backward(ctx, *slopes):
        with taken_once_more() as nested:
            sources = [
                other if tensor is None else tensor
                for tensor, other in zip(
                    ctx.saved_tensors, ctx.others, strict=True
                )
            ]
            places = [
                place
                for place, needed in enumerate(ctx.needs_input_grad[5:])
                if needed
            ]
            for place in places:
                sources[place] = fresh(sources[place])
            leaves, values = sources[: ctx.number], sources[ctx.number :]
            arguments = _pytree.tree_unflatten(leaves, ctx.structure)
            with substituted(zip(ctx.variables, values, strict=True)):
                found = _pytree.tree_leaves(ctx.function(*arguments))
            pairs = [
                (y, slope)
                for y, slope in zip(found, slopes, strict=True)
                if slope is not None and getattr(y, "requires_grad", False)
            ]
            gradients = torch.autograd.grad(
                [y for y, _ in pairs],
                [sources[place] for place in places],
                [slope for _, slope in pairs],
                create_graph=nested,
                allow_unused=True,
            )
        results = [None] * (5 + len(sources))
        for place, gradient in zip(places, gradients, strict=True):
            results[5 + place] = gradient
        return tuple(results)


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


def _flat(arguments):
    """The leaves of arguments, tensors as plain ones, and their structure."""
    leaves, structure = _pytree.tree_flatten(arguments)
    return list(map(_plain, leaves)), structure


def _plain(leaf):
    """A tensor of plain layout, as a graph leaves out what made it so."""
    if isinstance(leaf, np.ndarray):
        leaf = keras.ops.convert_to_tensor(leaf)
    return leaf.contiguous() if isinstance(leaf, torch.Tensor) else leaf


def _kind(leaf):
    if isinstance(leaf, torch.Tensor):
        return leaf.shape, leaf.dtype, leaf.device
    return leaf
