"""Gradients of PyTorch, which can be differentiated where somebody may.

A write to a Keras variable changes its tensor in place, which a gradient may
need as it was: the state of a recurrent layer, a kernel that is normalized.
So inside a differentiated function writes are kept in a `Scope`, as on JAX,
and reach the variables when the gradients are there.
"""

import contextlib

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_map_only

from keras_dl.backend.nesting import differentiated
from keras_dl.backend.scope import Scope, assign


def value_and_gradients(fn, tensors):
    """Evaluates `fn(tensors) -> (value, aux)` and d value / d tensors.

    Returns:
        `((value, aux), gradients)`; a gradient is `None` where `value` does
        not depend on the tensor.
    """
    with taken_once_more() as nested:
        tensors = [fresh(tensor) for tensor in tensors]
        with _writes_afterwards(Scope(), nested):
            value, aux = fn(tensors)
            return _gradients(value, aux, tensors, nested)


def variable_gradients(fn, variables):
    """Like `value_and_gradients`, of `fn()` by the variables that it reads."""
    with taken_once_more() as nested:
        sources = [variable.value for variable in variables]
        if not nested and all(s.requires_grad for s in sources):
            scope = Scope(own=variables)
        else:
            # Fresh views, so that what an outer function computed from the
            # same variables is a constant here.
            sources = [fresh(source) for source in sources]
            scope = Scope(zip(variables, sources, strict=True))
        with _writes_afterwards(scope, nested):
            value, aux = fn()
            return _gradients(value, aux, sources, nested)


@contextlib.contextmanager
def _writes_afterwards(scope, nested):
    """A scope that hands its writes on when all is computed, gradients too."""
    with scope:
        yield
    writes = scope.writes()
    if not nested:
        writes = [(variable, value.detach()) for variable, value in writes]
    assign(writes)


@contextlib.contextmanager
def taken_once_more():
    """Records operations; yields whether gradients may be differentiated.

    They may inside of another gradient, and where PyTorch records anyway, as
    in Keras' own step; not in our steps and compiled functions, where nothing
    is recorded but what is differentiated inside.
    """
    recorded = torch.is_grad_enabled()
    with differentiated(by_others=recorded) as nested, torch.enable_grad():
        if nested:
            # Fused attention has no second derivative, plain has.
            with sdpa_kernel(SDPBackend.MATH):
                yield True
        else:
            yield False


def fresh(tensor):
    """The tensor, so that only what is computed from this one counts."""
    if tensor.requires_grad:
        return tensor.view_as(tensor)
    return tensor.detach().requires_grad_()


def _gradients(value, aux, sources, nested):
    # Of what depends on nothing outside nobody takes a second derivative.
    differentiable = nested and _reaches_outside(value, sources)
    if value.requires_grad:
        gradients = torch.autograd.grad(
            value, sources, create_graph=differentiable, allow_unused=True
        )
    else:
        gradients = [None] * len(sources)
    if not nested:
        value, aux = _detach(value), _detach(aux)
    elif not differentiable:
        value = value.detach()
        aux = tree_map_only(
            torch.Tensor,
            lambda t: t if _reaches_outside(t, sources) else t.detach(),
            aux,
        )
    return (value, aux), list(gradients)


def _reaches_outside(value, sources):
    """Whether a tensor depends on one that requires a gradient elsewhere."""
    own = {id(source) for source in sources}
    seen, open_ends = set(), [value.grad_fn]
    while open_ends:
        node = open_ends.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None and id(leaf) not in own:
            return True
        open_ends += [parent for parent, _ in node.next_functions]
    return False


def _detach(structure):
    # The common cases by hand: the general function costs more than a
    # small layer.
    if structure is None:
        return None
    if isinstance(structure, torch.Tensor):
        return structure.detach()
    if type(structure) is tuple:
        return tuple(map(_detach, structure))
    return tree_map_only(torch.Tensor, torch.Tensor.detach, structure)
