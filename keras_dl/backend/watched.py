"""What Python objects hold, looked at again later.

A program that was recorded from a function does not see what the function
would find in the attributes of models, layers, optimizers and metrics by now: a
layer that was frozen, a rate that was changed, another optimizer. `Watched`
tells whether anything that can be reached from some objects is another one.
"""

import contextlib
import functools
import itertools
import operator
import types

import keras
import numpy as np

_SCALARS = (bool, int, float, complex, str, bytes, type(None))
# Modules whose objects say nothing of what a function computes.
_FOREIGN = {
    "abc", "builtins", "collections", "enum", "jax", "logging", "numpy",
    "random", "tensorflow", "threading", "torch", "weakref",
}  # fmt: skip
# What Keras notes down for itself: what has happened, how to save, what was
# asked for, and the graphs of functional models.
_SKIPPED = {
    "_auto_config", "_build_shapes_dict", "_call_has_context_arg",
    "_compile_config", "_compiled_trainable_state", "_eval_epoch_iterator",
    "_inbound_nodes", "_losses", "_loss_ids", "_nodes", "_nodes_by_depth",
    "_non_persistent_buffers_set", "_operations_by_depth", "_outbound_nodes",
    "_torch_params", "_tracker", "build", "call_signature_parameters",
    "history", "predict_function", "quantize", "stop_evaluating",
    "stop_predicting", "stop_training", "test_function", "tracker",
    "train_function",
}  # fmt: skip
# What does not change after it was made.
_CONSTANT = keras.DTypePolicy, keras.Initializer, keras.InputSpec
_LONGEST = 2000  # Of containers that are looked through.


class Watched:
    """What can be reached from some objects, as it is now.

    Attributes of objects, entries of lists, dicts and closures are compared:
    numbers and strings by value, the rest by identity. Arrays and tensors that
    are changed in place are the same.

    Args:
        roots: List of objects.
        ignored: Pairs (id of a namespace, name) of what is not looked at.

    Attributes:
        variables: All Keras variables among it.
    """

    def __init__(self, roots, ignored=()):
        self._ignored = ignored
        self._seen, self._spaces, self._cells = {}, [], []
        self._lists, self._paths = [], []
        self.variables, self._empty = [], []
        ahead = [("", root) for root in roots]
        while ahead:
            path, value = ahead.pop()
            ahead += self._visit(path, value)
        del self._seen
        self._flatten()

    def _visit(self, path, value):
        """Notes down what a value holds; returns what is to be visited."""
        if isinstance(value, _SCALARS) or id(value) in self._seen:
            return []
        # Kept, so that its identity is nobody else's meanwhile.
        self._seen[id(value)] = value
        found = []
        if isinstance(value, keras.Variable):
            self.variables.append(value)
            return [(f"{path}.constraint", value.constraint)]
        if isinstance(value, dict):
            found += self._visit_space(path, value, "[{!r}]")
        elif isinstance(value, (list, tuple)):
            found += self._visit_list(path, value)
        elif isinstance(value, (set, frozenset)):
            found += [(path, x) for x in itertools.islice(value, _LONGEST)]
        elif isinstance(value, types.FunctionType):
            found += self._visit_function(path, value)
        elif isinstance(value, types.MethodType):
            found += [(path, value.__self__), (path, value.__func__)]
        elif isinstance(value, functools.partial):
            found += [(path, (value.func, value.args, value.keywords))]
        if _is_looked_into(value):
            found += self._visit_space(path, vars(value), ".{}")
        return found

    def _visit_space(self, path, space, form):
        if not space:
            self._empty.append(space)
            return []
        names = [
            name
            for name in itertools.islice(space, _LONGEST)
            if name not in _SKIPPED and (id(space), name) not in self._ignored
        ]
        if names:
            self._spaces.append(_Space(path + form, space, names))
        return [(path + form.format(name), space[name]) for name in names]

    def _visit_list(self, path, value):
        if isinstance(value, list):
            self._lists.append(value)
            self._paths.append(path)
        return [
            (f"{path}[{i}]", x)
            for i, x in enumerate(itertools.islice(value, _LONGEST))
        ]

    def _visit_function(self, path, function):
        cells = dict(
            zip(
                function.__code__.co_freevars,
                function.__closure__ or (),
                strict=True,
            )
        )
        found = [(path, (function.__defaults__, function.__kwdefaults__))]
        if cells:
            held = _held(cells)
            self._cells.append((cells, _Space("{}", held, list(held))))
            found += held.items()
        module = function.__globals__
        for name in function.__code__.co_names:
            value = module.get(name)
            if isinstance(value, (keras.Layer, keras.Variable)) or (
                isinstance(value, types.FunctionType)
                and value.__module__ == function.__module__
            ):
                found.append((name, value))
        return found

    def _flatten(self):
        """Puts all into a few long lists, which take no time to compare."""
        self._plain = [
            (x.space, len(x.space), x.get, x.values) for x in self._spaces
        ]
        others = [(x.space, name) for x in self._spaces for name in x.others]
        self._other_spaces = [space for space, _ in others]
        self._other_names = [name for _, name in others]
        self._others = list(
            map(operator.getitem, self._other_spaces, self._other_names)
        )
        self._lengths = list(map(len, self._lists))
        self._entries = list(itertools.chain.from_iterable(self._lists))
        self._values = list(map(_value_of, self.variables))
        self._flags = list(map(_trainable_of, self.variables))

    def same(self):
        """Whether everything is as it was."""
        try:
            return not any(self._empty) and self._compare()
        except KeyError:  # Something was deleted.
            return False

    def _compare(self):
        for space, length, get, values in self._plain:
            if len(space) != length or get(space) != values:
                return False
        chain = itertools.chain.from_iterable
        one = operator.is_
        return (
            all(map(one, map(_value_of, self.variables), self._values))
            and list(map(_trainable_of, self.variables)) == self._flags
            and all(
                map(
                    one,
                    map(
                        operator.getitem, self._other_spaces, self._other_names
                    ),
                    self._others,
                )
            )
            and list(map(len, self._lists)) == self._lengths
            and all(map(one, chain(self._lists), self._entries))
            and all(x.same(_held(cells)) for cells, x in self._cells)
        )

    def changes(self):
        """What is another one: dict by (id of its owner, name).

        The values are a text that names it, what it was and what it is.
        """
        found = {}
        for space in self._spaces:
            found |= space.changes(space.space)
        for cells, space in self._cells:
            found |= space.changes(_held(cells))
        ends = itertools.accumulate(self._lengths)
        for path, now, length, end in zip(
            self._paths, self._lists, self._lengths, ends, strict=True
        ):
            then = self._entries[end - length : end]
            if len(now) != length or not all(map(operator.is_, now, then)):
                found[id(now), None] = path, then, now
        for space in self._empty:
            if space:
                found[id(space), None] = "what was empty", {}, space
        return found | self._changed_variables()

    def _changed_variables(self):
        found = {}
        before = zip(self._values, self._flags, strict=True)
        for variable, then in zip(self.variables, before, strict=True):
            now = variable._value, variable.trainable
            names = "value", "trainable"
            for name, a, b in zip(names, then, now, strict=True):
                if a is not b:
                    path = f"{variable.path}.{name}"
                    found[id(variable), name] = path, a, b
        return found


_value_of = operator.attrgetter("_value")
_trainable_of = operator.attrgetter("trainable")


def _is_looked_into(value):
    kind = type(value)
    top = (kind.__module__ or "").partition(".")[0]
    if isinstance(value, (type, types.ModuleType, types.FunctionType)):
        return False
    if isinstance(value, (keras.KerasTensor, *_CONSTANT)) or top in _FOREIGN:
        return False
    return hasattr(value, "__dict__")


class _Space:
    """Attributes of an object, or entries of a dict.

    Args:
        form: How an entry is named.
        space: The dict.
        names: Which entries are looked at.
    """

    def __init__(self, form, space, names):
        self.space, self._form, self._names = space, form, _named(space)
        # Tensors and the like cannot be compared by `==`.
        self.plain = [x for x in names if _is_compared(space[x])]
        self.others = [x for x in names if not _is_compared(space[x])]
        self.get = _getter(self.plain)
        self.values = self.get(space)
        self._other_values = [space[x] for x in self.others]

    def same(self, space):
        return not self.changes(space)

    def changes(self, space):
        found = {}
        names = [*self.plain, *self.others]
        values = [*self.values, *self._other_values]
        for name, then in zip(names, values, strict=True):
            now = space.get(name, _GONE)
            if now is not then and not _equal(now, then):
                found[id(self.space), name] = self._form.format(name), then, now
        if (names := _named(space)) != self._names:
            form = self._form.format("...")
            found[id(self.space), None] = form, self._names, names
        return found


def _named(space):
    """The names in a dict that say something."""
    return {name for name in space if name not in _SKIPPED}


def _held(cells):
    """What the cells of a function hold, by name."""
    found = {}
    for name, cell in cells.items():
        with contextlib.suppress(ValueError):  # Nothing was put into it yet.
            found[name] = cell.cell_contents
    return found


_GONE = object()


def _getter(names):
    """Function of a dict: the tuple of some of its values."""
    if not names:
        return lambda space: ()
    if len(names) == 1:
        (name,) = names
        return lambda space: (space[name],)
    return operator.itemgetter(*names)


def _is_compared(value):
    """Whether `==` tells whether this is another one."""
    if isinstance(value, tuple):
        return all(map(_is_compared, value))
    return isinstance(value, _SCALARS) or type(value).__eq__ is object.__eq__


def _equal(a, b):
    return _is_compared(a) and _is_compared(b) and type(a) is type(b) and a == b


def counts(then, now):
    """Whether a number became another one."""
    number = (int, float, np.number)
    return (
        isinstance(then, number)
        and isinstance(now, number)
        and not isinstance(now, bool)
    )
