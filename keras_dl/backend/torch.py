"""The PyTorch adapter: gradients by `torch.autograd.grad`.

A training step runs without recording; only a differentiated function
records, so what a step computes outside of one is a constant, as on the
other backends. Graphs for higher orders are kept inside another
differentiated function, and where PyTorch records anyway, as in Keras' step.
"""

import functools

import torch
from torch.utils._pytree import tree_map_only

from keras_dl.backend import (
    scope,
    torch_gradients,
    torch_images,
    torch_networks,
    torch_optimizers,
    torch_recurrent,
)
from keras_dl.backend.torch_recorded import Recorded

name = "torch"
value_and_gradients = torch_gradients.value_and_gradients
variable_gradients = torch_gradients.variable_gradients
call = torch_networks.call
run_network = torch_networks.run
lstm = torch_recurrent.lstm
gru = torch_recurrent.gru
recurrent_kernel_pays = torch_recurrent.pays
records_gradients = torch_recurrent.records_gradients
fused_updates = torch_optimizers.fused_updates
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


def compiled(function, variables=()):
    """As the operations that it comes to, recorded."""
    return Recorded(function)


def recorded_step(model, function, name):
    """A step of a model, from its second call of the same shapes recorded."""
    if model.run_eagerly or model.jit_compile:
        return function
    return Recorded(
        function,
        model,
        differentiable=False,
        cuda_graphs=model.cuda_graphs,
        name=name,
    )


def compiled_loop(body, variables=()):
    """`while now[0]: now = body(*now)`, of which the body is compiled."""
    step = Recorded(body, in_place=True)

    def loop(*now):
        # Copies of its own, which it may write to.
        now = tree_map_only(torch.Tensor, torch.clone, now)
        step.follow()
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
        torch_optimizers.apply(optimizer, gradients, variables)


def update(optimizer, gradients, variables):
    """The weight decay and update of `apply_gradients` alone."""
    with torch.no_grad():
        torch_optimizers.update(optimizer, gradients, variables)


def run_if(condition, function, variables):
    """Runs `function()`, which writes to `variables`, if a condition holds."""
    if condition:
        function()


def own_step():
    """Nothing is recorded but what is differentiated inside."""
    return torch.no_grad()


def run_step(trainer, step, data):
    """Runs the stateful `step(data)` as Keras' PyTorch trainer expects."""
    with own_step():
        return step(data)
