"""The PyTorch adapter: gradients by `torch.autograd.grad`.

A training step runs without recording; only a differentiated function
records, so what a step computes outside of one is a constant, as on the
other backends. Graphs for higher orders are kept only inside another
differentiated function, or where Keras' own step differentiates.
"""

import contextlib
import functools

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_map_only

from keras_dl.backend import (
    scope,
    torch_images,
    torch_networks,
    torch_recurrent,
)
from keras_dl.backend.nesting import differentiated
from keras_dl.backend.scope import substituted
from keras_dl.backend.torch_graph import Recorded

name = "torch"
call = torch_networks.call
run_network = torch_networks.run
lstm = torch_recurrent.lstm
gru = torch_recurrent.gru
recurrent_kernel_pays = torch_recurrent.pays
records_gradients = torch_recurrent.records_gradients
convolve = torch_images.convolve
convolve_back = torch_images.convolve_back
normalize_batch = torch_images.normalize_batch
normalize_instances = torch_images.normalize_instances
pad = torch_images.pad


def scan(step, carry, xs):
    """`step(carry, x) -> (carry, y)` over the first axis, results stacked."""
    results = []
    for now in zip(*(x.unbind(0) for x in xs), strict=True):
        carry, ys = step(carry, now)
        results.append(ys)
    return carry, tuple(map(torch.stack, zip(*results, strict=True)))


def value_and_gradients(fn, tensors):
    """Evaluates `fn(tensors) -> (value, aux)` and d value / d tensors.

    Returns:
        `((value, aux), gradients)`; a gradient is `None` where `value` does
        not depend on the tensor.
    """
    with _differentiated() as nested:
        tensors = [_fresh(tensor) for tensor in tensors]
        value, aux = fn(tensors)
        return _gradients(value, aux, tensors, nested)


def variable_gradients(fn, variables):
    """Like `value_and_gradients`, of `fn()` by the variables that it reads."""
    with _differentiated() as nested:
        sources = [variable.value for variable in variables]
        if not nested and all(s.requires_grad for s in sources):
            value, aux = fn()
        else:
            # Fresh views, so that what an outer function computed from the
            # same variables is a constant here.
            sources = [_fresh(source) for source in sources]
            with substituted(zip(variables, sources, strict=True)):
                value, aux = fn()
        return _gradients(value, aux, sources, nested)


def _gradients(value, aux, sources, nested):
    if value.requires_grad:
        gradients = torch.autograd.grad(
            value, sources, create_graph=nested, allow_unused=True
        )
    else:
        gradients = [None] * len(sources)
    if not nested:
        value, aux = _detach(value), _detach(aux)
    return (value, aux), list(gradients)


@contextlib.contextmanager
def _differentiated():
    """Records operations; yields whether this lies inside another one."""
    with torch.enable_grad(), differentiated() as nested:
        if nested:
            # Fused attention has no second derivative, plain has.
            with sdpa_kernel(SDPBackend.MATH):
                yield True
        else:
            yield False


def _fresh(tensor):
    if tensor.requires_grad:
        return tensor.view_as(tensor)
    return tensor.detach().requires_grad_()


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


def compiled(function, variables=()):
    """As the operations that it comes to, recorded."""
    return Recorded(function)


def compiled_loop(body, variables=()):
    """`while now[0]: now = body(*now)`, of which the body is compiled."""
    step = Recorded(body, in_place=True)

    def loop(*now):
        # Copies of its own, which it may write to.
        now = tree_map_only(torch.Tensor, torch.clone, now)
        step.follow_weights()
        while now[0]:
            now = step.run(*now)
        return now

    return loop


def write_at(whole, part, index):
    """`whole`, `(batch, time, ...)`, with `part` written from step `index`."""
    steps = torch.arange(part.shape[1], device=whole.device) + index
    return whole.index_copy(1, steps, part)


def exchange_rows(variable, index, change):
    """Writes `change(rows)` to rows of a variable; returns the old ones.

    Nothing else is written, but inside of a scope.
    """
    value, index = variable.value, index.long()
    old = value.index_select(0, index)
    with torch.no_grad():
        if scope.is_open():
            variable.assign(value.index_copy(0, index, change(old)))
        else:
            value.index_copy_(0, index, change(old))
    return old


def fused_attention(dtype):
    """`attend(q, k, v, mask)` by one kernel, heads on axis 2."""
    return _attend


def _attend(q, k, v, mask=None):
    """PyTorch's own, without the copies that Keras' function makes of all."""
    if mask is not None:
        # Not infinite, so that who may see nothing gets a mean and not NaN.
        mask = torch.where(mask, 0.0, 0.7 * torch.finfo(q.dtype).min)
        mask = mask.to(q.dtype)
    heads = torch.nn.functional.scaled_dot_product_attention(
        *(x.transpose(1, 2) for x in (q, k, v)), attn_mask=mask
    )
    return heads.transpose(1, 2)


def linear(x, kernel, bias=None):
    """`x kernel + bias`, in one pass over the result."""
    if _multiplies_slowly(x.device.type, x.dtype):
        # The products of halves are exact in float32: the sum is rounded once,
        # as where the processor multiplies them, and up to 40 times as fast.
        wide = [t if t is None else t.float() for t in (x, kernel, bias)]
        return linear(*wide).to(x.dtype)
    if bias is None:
        return torch.matmul(x, kernel)
    rows = torch.addmm(bias, x.reshape(-1, x.shape[-1]), kernel)
    return rows.view(*x.shape[:-1], kernel.shape[1])


@functools.cache
def _multiplies_slowly(device, dtype):
    """Whether this is a processor without products of numbers of a half."""
    if device != "cpu":
        return False
    if dtype == torch.bfloat16:
        return not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return (
        dtype == torch.float16
        and not torch.ops.mkldnn._is_mkldnn_fp16_supported()
    )


def gather_last(x, index):
    """`x[..., index]`, whose gradient is written in one pass.

    The gradient of `gather` is added up, in three.
    """
    rows = x.reshape(-1, x.shape[-1]), index.reshape(-1).long()
    picked = torch.nn.functional.nll_loss(*rows, reduction="none")
    return -picked.view(index.shape)


def segment_sum(values, segments, number):
    """The sum of the values of each of a number of segments.

    Keras' own is slow here, and fails where it builds a model on the device
    `meta`, after which the metrics before it are of no use.
    """
    return values.new_zeros(number).index_add(0, segments.long(), values)


def apply_gradients(optimizer, gradients, variables):
    """Applies `gradients` to `variables` by `optimizer`."""
    with torch.no_grad():
        optimizer.apply(gradients, variables)


def run_if(condition, function, variables):
    """Runs `function()`, which writes to `variables`, if a condition holds."""
    if condition:
        function()


def run_step(trainer, step, data):
    """Runs the stateful `step(data)` as Keras' PyTorch trainer expects."""
    with torch.no_grad():
        return step(data)
