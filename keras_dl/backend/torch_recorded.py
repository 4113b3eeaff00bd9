"""Functions of PyTorch tensors that are recorded, and then run without Python.

Calling a Keras layer costs more than what a small layer computes. So a
function that is called again and again with the same shapes, as a step of
training, is recorded as the operations that it comes to, and run as these.
"""

import collections
import itertools
import logging

import keras
import numpy as np
import torch
from torch.utils import _pytree

from keras_dl.backend import scope
from keras_dl.backend.nesting import is_differentiated
from keras_dl.backend.scope import substituted
from keras_dl.backend.torch_cuda import captured
from keras_dl.backend.torch_gradients import fresh, taken_once_more
from keras_dl.backend.torch_program import MISS, Program, difference, kind
from keras_dl.backend.torch_recording import record
from keras_dl.backend.watched import Watched, counts

_logger = logging.getLogger("keras_dl")
_CASES = 64  # Sets of shapes that are remembered.
_KINDS = 8  # Of steps that values tell from one another.


class Recorded:
    """`function(*tensors)`, which may read and write variables, recorded.

    For each set of shapes the first call runs as it is, since variables may be
    made in it and it may stay the only one. The next two run as they are, too,
    and are recorded. If they did the same, what they did is done from then on
    by a `Program`, without the function.

    What else than tensors decides what a function does:

    - Values that it looks at (`if`, `float(...)`): a program is good for the
      values that it was recorded with, and another is recorded for others.
    - Attributes of models, layers, optimizers and what else can be reached: a
      change of any makes all programs doubtful, until a call was recorded that
      did the same.
    - Numbers that it counts in Python, values that it takes by NumPy, what
      differs from call to call: such a function stays as it is.

    Args:
        function: The function.
        owner: An object whose attributes decide what the function does.
        differentiable: Whether somebody may differentiate through it.
        in_place: Whether the tensors may be written to.
        cuda_graphs: Whether programs become graphs of CUDA where they can.
        name: What it is called where it cannot be recorded.
    """

    def __init__(
        self,
        function,
        owner=None,
        differentiable=True,
        in_place=False,
        cuda_graphs=False,
        name=None,
    ):
        self._function, self._name = function, name or "a function"
        self._roots = [function, owner]
        self._differentiable, self._in_place = differentiable, in_place
        self._cuda_graphs = cuda_graphs
        self._cases = collections.OrderedDict()
        # Why it stays as it is, what was watched, and what of it was ignored.
        self.reason, self._watched, self._ignored = None, None, set()
        self._changed, self._counted = (), {}

    def __call__(self, *arguments):
        leaves = []
        outline = _outline(arguments, leaves)
        if self.reason or is_differentiated() or scope.is_open():
            return self._function(*_rebuilt(arguments, iter(leaves)))
        self.follow()
        return self._run(arguments, leaves, outline)

    def run(self, *arguments):
        """The same, if nothing was changed since the last look at attributes.

        Nobody differentiates through it.
        """
        leaves = []
        outline = _outline(arguments, leaves)
        with torch.no_grad():
            return self._run(arguments, leaves, outline)

    def follow(self):
        """Looks whether attributes are others than when it was recorded."""
        if self._watched is None or self._watched.same():
            self._changed = ()
            return
        changes = self._watched.changes()
        if not changes:  # Equal, though not the same.
            self._watched = self._watch()
            return
        # What becomes another in every call is nobody's setting.
        self._ignored |= {key for key in changes if key in self._changed}
        self._changed = set(changes)
        self._watched = self._watch()
        if set(changes) <= self._ignored:
            return
        before = [then for _, then, _ in changes.values()]
        if any(isinstance(then, torch.Tensor) for then in before):
            # A program would read, and keep, the tensors of before.
            self._cases.clear()
        for case in self._cases.values():
            case.doubt()

    def _watch(self):
        return Watched(self._roots, self._ignored)

    def _run(self, arguments, leaves, outline):
        case = self._case(outline, leaves)
        if case is None:
            return self._function(*_rebuilt(arguments, iter(leaves)))
        for program in case.programs:
            if self._through(program):
                found = self._call(program, leaves, arguments)
                if found is not MISS:
                    case.missed = 0
                    return program.result(found)
        never = case.programs and not any(map(self._through, case.programs))
        if never or not case.called:
            case.called = True
            return self._function(*_rebuilt(arguments, iter(leaves)))
        return self._record(case, leaves, arguments)

    def _through(self, program):
        """Whether a program may run where somebody may differentiate."""
        nobody = not self._differentiable or not torch.is_grad_enabled()
        return nobody or program.is_a_function

    def _call(self, program, leaves, arguments):
        if not self._differentiable or not torch.is_grad_enabled():
            tensors = _tensors(leaves)
            if self._cuda_graphs:
                return program.as_cuda_graph(tensors)(tensors)
            return program(tensors)
        variables = [v for v in self._watched.variables if v.trainable]
        return _AsItself.apply(
            program,
            self._function,
            arguments,
            variables,
            len(leaves),
            *leaves,
            *(variable.value for variable in variables),
        )

    def _case(self, outline, leaves):
        """What is known of such arguments, `None` if nothing ever will be."""
        if self.reason or not all(map(_is_known, leaves)):
            return None
        differentiable = self._differentiable and torch.is_grad_enabled()
        if not differentiable and any(map(_requires_gradient, leaves)):
            return None
        ids = list(map(id, leaves))
        # Which of them are one, too.
        same = len(set(ids)) < len(ids) and tuple(map(ids.index, ids))
        key = outline, same, differentiable and scope.precision()
        case = self._cases.get(key)
        if case is None:
            case = self._cases[key] = _Case()
            if len(self._cases) > _CASES:
                self._cases.popitem(last=False)
        else:
            self._cases.move_to_end(key)
        return case

    def _record(self, case, leaves, arguments):
        """Runs the function as it is, and learns from that."""
        before = self._watch()
        specs = []

        def leaves_of(result):
            found, spec = _pytree.tree_flatten(result)
            specs.append(spec)
            return found

        arguments = _rebuilt(arguments, iter(leaves))
        result, recording = record(
            lambda: self._function(*arguments), leaves, leaves_of
        )
        self._watched = self._watch()
        reason = recording.reason or self._counts(before.changes())
        reason = reason or self._unknown(recording)
        reason = reason or case.learn(recording, specs[0], self._in_place)
        if reason:
            self._stay(reason)
        return result

    def _unknown(self, recording):
        """Why not, if there are variables that could become others unseen."""
        known = {id(variable._value) for variable in self._watched.variables}
        if any(
            isinstance(tensor, torch.nn.Parameter) and id(tensor) not in known
            for tensor in recording.externals.values()
        ):
            return (
                "it reads a variable that cannot be reached from it or its "
                "model, such as Keras' global seed"
            )
        return None

    def _counts(self, changes):
        """What the function counts in Python, if it did so twice."""
        counted = {
            key: f"`{path}` goes from {then!r} to {now!r}"
            for key, (path, then, now) in changes.items()
            if counts(then, now)
        }
        twice = [text for key, text in counted.items() if key in self._counted]
        self._counted = counted
        return f"it counts in Python: {twice[0]}" if twice else None

    def _stay(self, reason):
        """Never records again."""
        self.reason, self._watched = reason, None
        self._cases.clear()
        _logger.info("%s is not recorded: %s.", self._name, reason)


class _Case:
    """What is known of a function for one set of shapes.

    Attributes:
        called: Whether there was a call.
        programs: What can be run, the last one first.
        missed: How many calls in a row no program was good for.
    """

    def __init__(self):
        self.called, self.programs, self.missed = False, [], 0
        self._seen, self._doubtful = [], []

    def doubt(self):
        """Runs nothing before it was seen again."""
        self._doubtful += self.programs
        self.programs, self._seen = [], []

    def learn(self, recording, structure, in_place):
        """Makes a program of what was seen twice.

        Returns:
            Why there can be none, or `None`.
        """
        told, self.missed = kind(recording), self.missed + 1
        for program in self._doubtful:
            if told == program.told and not difference(
                recording, program.recording
            ):
                self._doubtful.remove(program)
                self._add(program)
                return None
        for other in self._seen:
            if told == kind(other):
                reason = difference(recording, other)
                if not reason:
                    self._seen.remove(other)
                    self._add(_Known(recording, other, structure, in_place))
                return reason
        self._seen = [*self._seen[1 - _KINDS :], recording]
        if self.missed > 2 * _KINDS:
            return "values that it looks at change all the time"
        return None

    def _add(self, program):
        self.missed = 0
        self.programs = [program, *self.programs[: _KINDS - 1]]
        # Of these values there is a better one now.
        self._doubtful = [x for x in self._doubtful if x.told != program.told]


class _Known(Program):
    """A program, and what it was made of.

    Attributes:
        recording: A `Recording`.
        told: What values it looked at.
    """

    def __init__(self, recording, other, structure, in_place):
        made = [
            slot
            for slot, tensor in recording.externals.items()
            if tensor is not other.externals[slot]
        ]
        super().__init__(recording, made, in_place)
        self.recording, self.told = recording, kind(recording)
        self._structure, self._captured = structure, None
        self._keys = None
        if structure.type is dict and structure.num_nodes - 1 == len(
            recording.results
        ):
            self._keys = structure.context

    def as_cuda_graph(self, tensors):
        """The program, or the CUDA graph that it comes to."""
        if self._captured is None:
            self._captured = captured(self, tensors)
        return self._captured

    def result(self, leaves):
        """What the function returns, of its leaves."""
        if self._keys is not None:
            return dict(zip(self._keys, leaves, strict=True))
        return _pytree.tree_unflatten(leaves, self._structure)


class _AsItself(torch.autograd.Function):
    """Runs the graph of a function; its derivative is the function's own.

    Nothing tells whether there will be one. So none is prepared: what is
    differentiated after all runs once more.
    """

    @staticmethod
    def forward(ctx, program, function, arguments, variables, number, *sources):
        # Without the tensors, which are saved below.
        ctx.function = function
        ctx.arguments = _rebuilt(arguments, itertools.repeat(None))
        ctx.variables, ctx.number = variables, number
        ctx.others = [
            None if isinstance(source, torch.Tensor) else source
            for source in sources
        ]
        ctx.save_for_backward(
            *(s if isinstance(s, torch.Tensor) else None for s in sources)
        )
        found = tuple(program(_tensors(sources[:number])))
        ends = zip(found, program.detached, strict=True)
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
            arguments = _rebuilt(ctx.arguments, iter(leaves))
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


def _outline(value, leaves):
    """What a structure of arguments is but for its tensors; adds its leaves.

    Tensors and arrays are added as tensors of plain layout, since a program
    leaves out what made them so.
    """
    kind = type(value)
    if kind is tuple or kind is list:
        return kind, *[_outline(x, leaves) for x in value]
    if kind is dict:
        return kind, *[(name, _outline(x, leaves)) for name, x in value.items()]
    if isinstance(value, np.ndarray):
        value = keras.ops.convert_to_tensor(value)
    if isinstance(value, torch.Tensor):
        leaves.append(value.contiguous())
        return value.shape, value.dtype, value.device
    leaves.append(value)
    return kind, value if _is_known(value) else None


def _rebuilt(structure, leaves):
    """The structure with other leaves."""
    if type(structure) in (tuple, list):
        return type(structure)([_rebuilt(x, leaves) for x in structure])
    if type(structure) is dict:
        return {name: _rebuilt(x, leaves) for name, x in structure.items()}
    return next(leaves)


def _tensors(leaves):
    return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]


def _is_known(leaf):
    """Whether a leaf is a plain tensor, or what does not change."""
    constants = (bool, int, float, str, bytes, type(None))
    return type(leaf) is torch.Tensor or isinstance(leaf, constants)


def _requires_gradient(leaf):
    return isinstance(leaf, torch.Tensor) and leaf.requires_grad
