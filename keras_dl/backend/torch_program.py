"""Recordings of PyTorch as functions that do the same again."""

import dataclasses
import itertools

import torch

from keras_dl.backend.torch_recording import Slot, Told, renamed

_LARGE = 2**17  # Numbers in a tensor.
MISS = object()  # What a program returns that does not fit the values.
_ALIASES = {
    torch.ops.aten.alias.default,
    torch.ops.aten.detach.default,
    torch.ops.aten.lift_fresh.default,
}


def difference(one, other):
    """Why two recordings of a function do not do the same, or `None`.

    Args:
        one, other: Recordings whose values told Python the same.
    """
    if one.results != other.results:
        return "what it returns differs from call to call"
    if one.inputs != other.inputs or list(one.externals) != list(
        other.externals
    ):
        return "what it computes differs from call to call"
    pairs = itertools.zip_longest(one.operations, other.operations)
    for a, b in pairs:
        if a is None or b is None or not _alike(a, b, one, other):
            name = (a or b).function
            return f"what it computes differs from call to call, at {name}"
    for slot, tensor in one.externals.items():
        if tensor is other.externals[slot]:
            continue
        if not _same(one.constant(slot), other.constant(slot)):
            return (
                "a number, an array or a tensor that it takes from Python "
                "differs from call to call"
            )
    return None


def kind(recording):
    """What the values told Python, which decides what is computed."""
    return tuple(
        (operation.value, operation.shapes)
        for operation in recording.operations
        if operation.tells
    )


def _alike(a, b, one, other):
    seeded = a.seed is not None, b.seed is not None
    return (
        a.function is b.function
        and a.outputs == b.outputs
        and a.passed == b.passed
        and seeded[0] == seeded[1]
        and a.with_gradients == b.with_gradients
        and _text(a, all(seeded)) == _text(b, all(seeded))
    )


def _text(operation, seeded):
    """Arguments as text, so that 0 is neither 0.0 nor False, nor 0.0 -0.0."""
    kwargs = {
        name: (id(value) if name == "generator" else value)
        for name, value in operation.kwargs.items()
        if not (seeded and name == "generator")
    }
    return repr((operation.args, kwargs))


def _same(a, b):
    """Whether two tensors hold the same to the last bit."""
    if (a.shape, a.dtype, a.device) != (b.shape, b.dtype, b.device):
        return False
    if a.layout is not torch.strided or a.stride() != b.stride():
        return False
    a, b = (x.detach().contiguous().reshape(-1) for x in (a, b))
    return torch.equal(a.view(torch.uint8), b.view(torch.uint8))


class Program:
    """A recording that runs again, on other tensors of the same shapes.

    Values that Python was told are compared: where they differ, nothing is
    done, or it is undone, and `MISS` comes back. What these go by is computed
    first, where it is the same there.

    Args:
        recording: A `Recording`.
        constants: Slots of tensors from elsewhere that are made anew in each
            call of the function.
        in_place: Whether inputs may be written to.

    Attributes:
        is_deterministic: Whether it draws nothing, and looks at no value.
        is_a_function: Whether it changes nothing either: what comes out
            depends on tensors alone.
        detached: For each result, whether it is no function of the inputs for
            whoever differentiates.
    """

    def __init__(self, recording, constants=(), in_place=False):
        makers = {
            output: operation
            for operation in recording.operations
            for output in operation.outputs
            if output is not None
        }
        self.detached = [
            not isinstance(result, Slot)
            or getattr(makers.get(result), "function", None)
            is torch.ops.aten.detach.default
            for result in recording.results
        ]
        code = _Code(recording, constants)
        if in_place:
            code.write_inputs()
        self.is_deterministic = code.is_deterministic()
        self.is_a_function = self.is_deterministic and not code.changes()
        self._run = code.function()

    def __call__(self, tensors):
        """The leaves that come out, or `MISS`."""
        try:
            with torch.no_grad(), torch._C._AutoDispatchBelowAutograd():
                return self._run(*tensors)
        except Exception as error:  # Of kernels, which name no layer.
            error.add_note(
                "This happened in a recorded step: `compile(run_eagerly=True)` "
                "shows where."
            )
            raise


class _Code:
    """A recording on its way to a Python function.

    Args:
        recording: The recording.
        constants: As for `Program`.
    """

    def __init__(self, recording, constants):
        self._recording = recording
        self._roots = recording.roots
        self._outside = {*recording.inputs, *recording.externals}
        self._constants = set(constants)
        self._operations = list(map(dataclasses.replace, recording.operations))
        self._results = list(recording.results)
        self._changed = {
            self._roots[slot]
            for operation in self._operations
            for slot in operation.writes
        }
        self._leave_out_aliases()
        self._compute_once()
        self._leave_out_unused()
        self._first = self._move_to_front()

    def is_deterministic(self):
        """Whether it draws nothing, and looks at no value."""
        return not any(
            x.draws or x.takes or x.value is not None or x.shapes is not None
            for x in self._operations
        )

    def changes(self):
        """Whether it changes tensors that come from elsewhere."""
        lasting = self._outside - self._constants
        return not self._changed.isdisjoint(lasting)

    # What is left out, and where it stands.

    def _rename(self, slots):
        """Reads other slots in the place of some."""
        for operation in self._operations:
            operation.rename(slots)
        self._results = renamed(self._results, slots)

    def _leave_out_aliases(self):
        """Leaves out what gives the same tensor by another name."""
        slots, kept = {}, []
        # Nobody shall get hold of what belongs to others, or change its shape,
        # but by an alias.
        own = {x for x in self._results if type(x) is Slot}
        for operation in self._operations:
            if torch.Tag.inplace_view in operation.function.tags:
                own.update(operation.writes)
        for operation in self._operations:
            alias = operation.outputs[0] if operation.outputs else None
            if operation.function in _ALIASES and alias not in own:
                slots[alias] = operation.reads[0]
            else:
                kept.append(operation)
        self._operations = kept
        self._rename(slots)

    def _compute_once(self):
        """Leaves in once what is computed several times.

        Every block of a model makes the same masks and positions, for example.
        What is large is computed again: it would be kept from the forward to
        the backward pass.
        """
        first, slots, kept = {}, {}, []
        results = {self._roots[x] for x in self._results if type(x) is Slot}
        for operation in self._operations:
            operation.rename(slots)
            same = operation
            if self._is_pure(operation, results - self._outside):
                key = (
                    operation.function,
                    operation.with_gradients,
                    _text(operation, False),
                )
                same = first.setdefault(key, operation)
            if same is operation:
                kept.append(operation)
            else:
                slots.update(zip(operation.outputs, same.outputs, strict=True))
        self._operations = kept
        self._rename(slots)

    def _is_pure(self, operation, results):
        """Whether the same comes out wherever this stands, for nobody else."""
        if operation.writes or operation.draws or operation.tells:
            return False
        if operation.passed or None in operation.outputs:
            return False
        if operation.size > _LARGE:
            return False
        slots = *operation.reads, *operation.outputs
        memory = {self._roots[slot] for slot in slots}
        return memory.isdisjoint(self._changed | results)

    def _leave_out_unused(self):
        """Leaves out what nobody reads."""
        used = {x for x in self._results if type(x) is Slot}
        kept, taken = [], set()
        for operation in reversed(self._operations):
            if (
                operation.writes
                or operation.draws
                or operation.tells
                or operation.number in taken
                or not used.isdisjoint(operation.outputs)
            ):
                used.update(operation.reads)
                taken.update(operation.takes)
                kept.append(operation)
        self._operations = kept[::-1]

    def _move_to_front(self):
        """Moves what tells Python values, and what these go by, to the front.

        That is where the same comes out as where it stood: of what the
        function has not changed by then, and without chance. Then nothing has
        happened yet when a value is another one.

        Returns:
            How many operations stand in front.
        """
        makers = {
            output: i
            for i, operation in enumerate(self._operations)
            for output in operation.outputs
            if output is not None
        }
        written = {}
        for i, operation in enumerate(self._operations):
            for slot in operation.writes:
                written.setdefault(self._roots[slot], i)
        front = set()
        for i, operation in enumerate(self._operations):
            if operation.tells:
                front |= self._needed(i, makers, written) or set()
        order = sorted(front) + [
            i for i in range(len(self._operations)) if i not in front
        ]
        self._operations = [self._operations[i] for i in order]
        return len(front)

    def _needed(self, last, makers, written):
        """The operations behind one, or `None` if they cannot be moved."""
        found, ahead = set(), [last]
        while ahead:
            i = ahead.pop()
            if i in found:
                continue
            operation = self._operations[i]
            roots = {self._roots[slot] for slot in operation.reads}
            if operation.writes or operation.draws or operation.takes:
                return None
            if any(written.get(root, i) < i for root in roots):
                return None
            found.add(i)
            ahead += [
                makers[slot] for slot in operation.reads if slot in makers
            ]
        return found

    def write_inputs(self):
        """Writes to tensors that came in, where nothing else reads them."""
        for operation in self._operations:
            if operation.function is torch.ops.aten.index_copy.default:
                whole = operation.args[0]
                readers = sum(whole in x.reads for x in self._operations)
                if whole in self._recording.inputs and readers == 1:
                    operation.function = torch.ops.aten.index_copy_.default

    # The function.

    def function(self):
        """The Python function."""
        self._names = {"MISS": MISS, "record": torch._C._set_grad_enabled}
        self._lines, self._number = [], itertools.count()
        recorded = False
        inputs = ", ".join(map(repr, self._recording.inputs))
        for slot, tensor in self._recording.externals.items():
            self._names[repr(slot)] = tensor
        self._copy_constants()
        undo = self._prepare_to_undo()
        last = self._last_uses()
        for i, operation in enumerate(self._operations):
            if operation.with_gradients != recorded:
                recorded = operation.with_gradients
                self._lines.append(f"record({recorded})")
            self._write(operation, undo if i >= self._first else None)
            gone = sorted(last.get(i, ()))
            if gone:
                self._lines.append("del " + ", ".join(map(repr, gone)))
        results = ", ".join(map(self._value, self._results))
        self._lines.append(f"return [{results}]")
        body = "\n    ".join(self._lines)
        exec(f"def run({inputs}):\n    {body}", self._names)
        return self._names["run"]

    def _copy_constants(self):
        """Constants that the function changes are copied in each call."""
        for slot in sorted(self._constants):
            if self._roots[slot] not in self._changed:
                continue
            name = self._named(self._recording.constant(slot))
            self._lines.append(f"{slot!r} = {name}.clone()")

    def _prepare_to_undo(self):
        """What gives back what was changed before the last look at a value."""
        looks = [
            i
            for i, operation in enumerate(self._operations)
            if operation.tells and i >= self._first
        ]
        if not looks:
            return None
        before = self._operations[: looks[-1]]
        changed = {self._roots[s] for x in before for s in x.writes}
        lasting = sorted(changed & (self._outside - self._constants))
        undo = []
        for slot in lasting:
            copy = f"before{int(slot)}"
            self._lines.append(f"{copy} = {slot!r}.clone()")
            undo.append(f"{slot!r}.copy_({copy})")
        if any(x.draws and not x.kwargs.get("generator") for x in before):
            self._names["get"] = torch.get_rng_state
            self._names["put"] = torch.set_rng_state
            self._lines.append("chance = get()")
            undo.append("put(chance)")
        return undo

    def _last_uses(self):
        """The slots that nobody needs after each operation."""
        results = {x for x in self._results if type(x) is Slot}
        needed = results | self._outside
        made, last = set(), {}
        for i, operation in enumerate(self._operations):
            outputs = {x for x in operation.outputs if x is not None}
            made |= outputs
            for slot in {*operation.reads, *outputs}:
                if slot not in needed and slot in made:
                    last[slot] = i
        found = {}
        for slot, i in last.items():
            found.setdefault(i, []).append(slot)
        return found

    def _write(self, operation, undo):
        if operation.seed is not None:
            self._write_seed(operation)
        call = self._call(operation)
        outputs = [
            "_" if slot is None else repr(slot) for slot in operation.outputs
        ]
        if operation.passed:
            self._lines.append(f"{Told(operation.number)!r} = {call}")
        elif operation.value is not None:
            self._check(f"{call} != {self._value(operation.value)}", undo)
        elif set(outputs) <= {"_"}:
            self._lines.append(call)
        elif operation.several:
            self._lines.append(f"{', '.join(outputs)}, = {call}")
        else:
            self._lines.append(f"{outputs[0]} = {call}")
        if operation.shapes is not None:
            for slot, shape in zip(outputs, operation.shapes, strict=True):
                self._check(f"{slot}.shape != {shape!r}", undo)

    def _check(self, differs, undo):
        self._lines.append(f"if {differs}:")
        self._lines += [f"    {line}" for line in undo or ()]
        self._lines.append("    return MISS")

    def _write_seed(self, operation):
        generator = self._value(operation.kwargs["generator"])
        seed = f"{operation.seed!r} & {0xFFFFFFFF}"
        self._lines.append(f"{generator}.manual_seed({seed})")

    def _call(self, operation):
        # Without what `OpOverload` does around its call.
        function = self._named(operation.function._op)
        arguments = [self._value(x) for x in operation.args]
        arguments += [
            f"{name}={self._value(value)}"
            for name, value in operation.kwargs.items()
        ]
        return f"{function}({', '.join(arguments)})"

    def _value(self, value):
        """A value as code."""
        if isinstance(value, (list, tuple)):
            inside = "".join(f"{self._value(x)}, " for x in value)
            return f"[{inside}]" if isinstance(value, list) else f"({inside})"
        if type(value) in (Slot, Told, bool, int, type(None), str):
            return repr(value)
        return self._named(value)

    def _named(self, value):
        name = f"x{next(self._number)}"
        self._names[name] = value
        return name
