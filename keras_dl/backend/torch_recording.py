"""A run of a function of PyTorch tensors, written down as its operations.

What runs is the function itself, once, with all that it does. Below autograd,
where only operations on plain tensors are left (forward, backward and the
optimizer's update alike), each of them is noted: what it is, where its tensors
come from, and what Python was told of their values. From that
`keras_dl.backend.torch_program` makes a function that does the same again.
"""

import dataclasses

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

_READ = torch.ops.aten._local_scalar_dense.default


class Slot(int):
    """The number of a tensor in a recording."""

    def __repr__(self):
        return f"t{int(self)}"


class Told(int):
    """The number of an operation, in the place of the value that it told."""

    def __repr__(self):
        return f"told{int(self)}"


@dataclasses.dataclass(eq=False)
class Operation:
    """One operation of a recording.

    Attributes:
        number: Its number in the recording.
        function: The operation, a `torch._ops.OpOverload`.
        args, kwargs: Its arguments, `Slot`s in the place of tensors.
        outputs: Slots of the new tensors among its results, `None` for others;
            one for an operation with a single result.
        several: Whether it gives several results.
        reads: All slots among its arguments.
        writes: The slots of those that it changes.
        value: What it told Python instead of a tensor, if it did.
        shapes: The shapes of its results, where these go by values.
        seed: `Told`: the seed of the generator that it draws from.
        passed: Whether what it told was no more than an argument, or a seed, of
            another operation.
        takes: `Told`s among its arguments, and the seed.
        draws: Whether it gives something else each time.
        size: How many numbers come out.
        with_gradients: Whether gradients were recorded, by which some kernels
            go.
    """

    number: int
    function: object
    args: tuple
    kwargs: dict
    outputs: tuple = ()
    several: bool = False
    reads: tuple = ()
    writes: tuple = ()
    value: object = None
    shapes: tuple | None = None
    seed: Told | None = None
    passed: bool = False
    takes: tuple = ()
    draws: bool = False
    size: int = 0
    with_gradients: bool = False

    @property
    def tells(self):
        """Whether what follows goes by a value that this gave to Python."""
        told = self.value is not None or self.shapes is not None
        return told and not self.passed

    def rename(self, slots):
        """Reads other slots in the place of some."""
        if slots.keys().isdisjoint(self.reads):
            return
        self.args, self.reads = (
            renamed(value, slots) for value in (self.args, self.reads)
        )
        self.writes = renamed(self.writes, slots)
        self.kwargs = {
            name: renamed(value, slots) for name, value in self.kwargs.items()
        }


def renamed(value, slots):
    """A structure with other slots in the place of some."""
    if isinstance(value, Slot):
        while value in slots:
            value = slots[value]
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(renamed(x, slots) for x in value)
    return value


class Recording:
    """The operations of one run.

    Attributes:
        operations: List of `Operation`s.
        inputs: Slots of the tensors that came in.
        externals: Tensors that came from elsewhere, by their slots: the values
            of variables, and constants.
        before: What externals that are no variables, and were written to, held
            before that.
        roots: By slot, the slot of the tensor whose memory it shares.
        results: Slots in the place of tensors in what came out.
        reason: Why it cannot be run again, or `None`.
    """

    def __init__(self):
        self.operations, self.inputs = [], []
        self.externals, self.before, self.roots = {}, {}, {}
        self.results, self.reason = None, None

    def constant(self, slot):
        """An external as it was when the run began."""
        return self.before.get(slot, self.externals[slot])

    def refuse(self, reason):
        """Says that this cannot be run again, by the first reason."""
        self.reason = self.reason or reason


def record(function, leaves, results_of):
    """Runs `function()`, and notes what it does.

    Args:
        function: A function without arguments.
        leaves: The tensors that come in, and other leaves.
        results_of: Function of the result: the leaves that go out.

    Returns:
        The result, and a `Recording`.
    """
    recorder = _Recorder(leaves)
    with _Values(recorder), recorder:
        result = function()
    recorder.recording.results = [
        recorder.argument(leaf) if isinstance(leaf, torch.Tensor) else leaf
        for leaf in results_of(result)
    ]
    return result, recorder.recording


class _Recorder(TorchDispatchMode):
    """Notes the operations that run while it is open.

    Args:
        leaves: What comes in.
    """

    def __init__(self, leaves):
        super().__init__()
        self.recording = Recording()
        self._slots = WeakTensorKeyDictionary()
        self._memory = {}
        self._told, self._passed = [], []
        # The function of PyTorch that runs now, if its values go nowhere else.
        self.inside = None
        for leaf in leaves:
            if isinstance(leaf, torch.Tensor):
                self.recording.inputs.append(self._new(leaf))

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        written = tuple(self._written(function, args, kwargs))
        for slot in written:
            self._keep(self.recording.roots[slot])
        result = function(*args, **kwargs)
        self._note(function, args, kwargs, result, written)
        return result

    def _keep(self, slot):
        """Keeps what a tensor from elsewhere holds before it is written to."""
        tensor = self.recording.externals.get(slot)
        variable = tensor is None or isinstance(tensor, torch.nn.Parameter)
        if not variable and slot not in self.recording.before:
            self.recording.before[slot] = tensor.detach().clone()

    def _note(self, function, args, kwargs, result, written):
        read, takes = [], []
        args, kwargs = self._passed_on((args, kwargs), takes)
        operation = Operation(
            len(self.recording.operations),
            function,
            tuple(self._argument(x, read) for x in args),
            {name: self._argument(x, read) for name, x in kwargs.items()},
            reads=tuple(read),
            writes=written,
            draws=torch.Tag.nondeterministic_seeded in function.tags,
            with_gradients=torch.is_grad_enabled(),
        )
        generator = kwargs.get("generator")
        if generator is not None:
            operation.seed = self._seed_of(generator)
        operation.takes = (*takes, operation.seed) if operation.seed else takes
        operation.several = isinstance(result, (list, tuple))
        results = result if operation.several else [result]
        operation.outputs = tuple(map(self._output, results))
        operation.size = sum(
            x.numel() for x in results if isinstance(x, torch.Tensor)
        )
        told = [x for x in results if isinstance(x, (bool, int, float))]
        if told:
            operation.value = result
        if function is _READ:
            self._told.append(operation)
            if self.inside is not None and type(result) is float:
                self._passed.append((self.inside, operation))
        if _shaped_by_values(function, args):
            operation.shapes = tuple(tuple(x.shape) for x in results)
        self.recording.operations.append(operation)

    def _argument(self, value, read):
        if isinstance(value, torch.Tensor):
            slot = self.argument(value)
            read.append(slot)
            return slot
        if isinstance(value, (list, tuple)):
            return type(value)(self._argument(x, read) for x in value)
        return value

    def argument(self, tensor):
        """The slot of a tensor, which may come from elsewhere."""
        slot = self._slots.get(tensor)
        if slot is None:
            slot = self._new(tensor)
            self.recording.externals[slot] = tensor
        return slot

    def _output(self, result):
        if not isinstance(result, torch.Tensor) or result in self._slots:
            return None
        return self._new(result)

    def _new(self, tensor):
        slot = Slot(len(self.recording.roots))
        self._slots[tensor] = slot
        self.recording.roots[slot] = self._root(tensor, slot)
        return slot

    def _root(self, tensor, slot):
        """The first tensor of this memory; which may be used a second time."""
        try:
            memory = tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):
            return slot  # It has none of its own, as sparse tensors have not.
        key = memory._cdata
        first, kept = self._memory.get(key, (slot, None))
        if kept is None or kept.expired():
            first, kept = (
                slot,
                torch.multiprocessing.reductions.StorageWeakRef(memory),
            )
            self._memory[key] = first, kept
        return first

    def _written(self, function, args, kwargs):
        for i, argument in enumerate(function._schema.arguments):
            said = argument.alias_info
            # Older kernels of batch normalization do not say it.
            unsaid = argument.name in ("running_mean", "running_var")
            if not unsaid and (said is None or not said.is_write):
                continue
            value = args[i] if i < len(args) else kwargs.get(argument.name)
            values = value if isinstance(value, (list, tuple)) else [value]
            for tensor in values:
                if isinstance(tensor, torch.Tensor):
                    yield self.argument(tensor)

    def _seed_of(self, generator):
        """The look at a value by which a generator was seeded, if one was.

        Keras makes a generator for each draw, of the sum of a seed's state.
        """
        for operation in reversed(self._told):
            value = operation.value
            if (
                isinstance(value, int)
                and value & 0xFFFFFFFF == generator.initial_seed()
            ):
                self._told.remove(operation)
                operation.passed = True
                return Told(operation.number)
        return None

    def _passed_on(self, arguments, takes):
        """Arguments, with what told a number in the place of the number.

        It was told to the function of PyTorch that runs now, and no further,
        as a learning rate that is an argument of an update.
        """
        for inside, operation in self._passed:
            leaves, structure = _pytree.tree_flatten(arguments)
            found = [
                i
                for i, leaf in enumerate(leaves)
                if type(leaf) is float and leaf == operation.value
            ]
            if inside is self.inside and len(found) == 1:
                leaves[found[0]] = Told(operation.number)
                takes.append(leaves[found[0]])
                operation.passed = True
                arguments = _pytree.tree_unflatten(leaves, structure)
        self._passed = [
            (inside, operation)
            for inside, operation in self._passed
            if inside is self.inside and not operation.passed
        ]
        return arguments


def _shaped_by_values(function, args):
    """Whether the shapes of what comes out go by the values of tensors."""
    if torch.Tag.dynamic_output_shape not in function.tags:
        return False
    if function is torch.ops.aten.index.Tensor:
        masks = torch.bool, torch.uint8
        return any(x is not None and x.dtype in masks for x in args[1])
    return True


_ARRAYS = {"numpy", "tolist", "__array__", "__dlpack__"}
_NUMBERS = {
    "__bool__", "__complex__", "__contains__", "__float__", "__format__",
    "__index__", "__int__", "__len__", "__repr__", "allclose", "equal",
    "is_nonzero", "item",
}  # fmt: skip


class _Values(TorchFunctionMode):
    """Notes where values are handed to Python.

    Args:
        recorder: The `_Recorder` that is told.
    """

    def __init__(self, recorder):
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if name in _ARRAYS:
            reason = f"values are taken by `Tensor.{name}`"
            self._recorder.recording.refuse(reason)
        outer = self._recorder.inside
        # One for each call.
        self._recorder.inside = None if name in _NUMBERS else object()
        try:
            return function(*args, **(kwargs or {}))
        finally:
            self._recorder.inside = outer
