"""Updates by Keras' optimizers, in PyTorch's fused kernels and without copies.

Keras' own take a dozen passes over the weights, and copies of all of them.
These take what it takes to read and write each number about once. Numbers,
variables and files stay Keras': only the rounding of the last digit differs.

The kernel of Adam corrects the bias of its moments itself, and adds epsilon
behind that, where Keras adds it before. So it is told that infinitely many
updates were made, after which nothing is to be corrected, and given Keras'
corrected rate:

    alpha(t) = rate(t) sqrt(1 - beta_2^t) / (1 - beta_1^t)
    weight -= alpha(t) m / (sqrt(v) + epsilon)

What changes from update to update (rate, count, scale of the loss, averages'
momentum) stays in tensors, which nothing here reads: a graph that records an
update reads them when it runs. What may not be recorded are the branches of
accumulation, of `ema_overwrite_frequency` and of `LossScaleOptimizer`. All
attributes of the optimizer, the lists of variables and their tensors are read
in each call: nothing is kept between calls.

Weights are updated part by part, of about as many as a cache holds. So what
the passes of a part share is read once, and what is computed on the way
(clipped gradients, the steps of other optimizers) is never as large as all
weights, but at most as the largest variable.
"""

import contextlib
import functools
import math

import keras
import torch
from keras import optimizers

from keras_dl.backend import scope, specification

# Numbers in a part; a variable of more is a part of its own.
PART = 2**20
_DTYPES = (torch.float32, torch.float64)
_DEVICES = ("cpu", "cuda")


def apply(optimizer, gradients, variables):
    """What `optimizer.apply(gradients, variables)` does.

    Adam, AdamW, SGD and the others whose rules look at one variable at a time
    are updated as above, also in a `LossScaleOptimizer`, if variables are of
    one dtype, float32 or float64, and gradients dense and of that dtype. All
    others, classes derived from those, and what is called in a scope of Keras,
    are Keras' own business.
    """
    scaled = type(optimizer) is optimizers.LossScaleOptimizer
    own = optimizer.inner_optimizer if scaled else optimizer
    if not (optimizer.built and _is_ours(own, gradients, variables)):
        type(optimizer).apply(optimizer, gradients, variables)
    elif scaled:
        _take_scaled_step(optimizer, gradients, variables)
    else:
        _take_step(optimizer, gradients, variables, optimizer.loss_scale_factor)


@contextlib.contextmanager
def fused_updates(optimizer):
    """Inside it `optimizer.apply` is `apply`: for a step that Keras wrote.

    Gradients, which Keras keeps until the next step, are freed behind it.
    """
    optimizer.apply = functools.partial(apply, optimizer)
    try:
        yield
    finally:
        del optimizer.apply
        for variable in optimizer._trainable_variables:
            variable._value.grad = None


def update(optimizer, gradients, variables):
    """Weight decay and update alone, without what `apply` does around them."""
    if _is_ours(optimizer, gradients, variables):
        _update(optimizer, gradients, variables)
    else:
        specification.update(optimizer, gradients, variables)


def _is_ours(optimizer, gradients, variables):
    """Whether all is as the functions below expect it."""
    if type(optimizer) not in _RULES or not optimizer.built:
        return False
    if not variables or len(set(map(id, variables))) < len(variables):
        return False
    first = variables[0]._value
    return (
        first.dtype in _DTYPES
        and first.device.type in _DEVICES
        and all(map(_fits, gradients, variables, [first] * len(variables)))
        and optimizer._trainable_variables_indices.keys()
        >= set(map(id, variables))
        and not scope.is_open()
    )


def _fits(gradient, variable, first):
    weight = variable._value
    return (
        isinstance(gradient, torch.Tensor)
        and gradient.dtype == weight.dtype == first.dtype
        and gradient.device == weight.device == first.device
        and gradient.shape == weight.shape
        and gradient.layout is torch.strided
        and not variable.overwrite_with_gradient
    )


def _take_step(optimizer, gradients, variables, scale):
    """`BaseOptimizer.apply`, for gradients of `scale` times their size."""
    if not optimizer.gradient_accumulation_steps:
        _update(optimizer, gradients, variables, scale)
    else:
        _accumulate(optimizer, gradients, variables, scale)
    if optimizer.use_ema:
        _average(optimizer)
    for variable in variables:
        if variable.constraint is not None:
            variable.assign(variable.constraint(variable))
    optimizer._iterations._value.add_(1)


def _take_scaled_step(optimizer, gradients, variables):
    """`LossScaleOptimizer.apply`: skips gradients that are not finite."""
    largest = torch._foreach_norm(gradients, math.inf)
    if not torch.stack(largest).isfinite().all():
        optimizer._stateful_handle_non_finite_grads()
        return
    inner, scale = optimizer.inner_optimizer, optimizer.dynamic_scale
    before = scale._value.to(gradients[0].dtype)
    _take_step(
        inner, gradients, variables, before * (inner.loss_scale_factor or 1.0)
    )
    if optimizer.step_counter == optimizer.dynamic_growth_steps - 1:
        optimizer.step_counter.assign(0)
        scale.assign(scale * 2.0)
    else:
        optimizer.step_counter.assign_add(1)


def _accumulate(optimizer, gradients, variables, scale):
    """Adds gradients up, in place; each so many times, updates by the mean."""
    count = optimizer.gradient_accumulation_steps
    sums = _slot(optimizer, optimizer._accumulated_gradients, variables)
    for part in _parts(gradients):
        some = _unscaled([gradients[i] for i in part], scale)
        torch._foreach_add_([sums[i] for i in part], some)
    if (optimizer._iterations._value + 1) % count == 0:
        torch._foreach_div_(sums, count)
        _update(optimizer, sums, variables)
        optimizer._backend_reset_gradient_accumulators()


def _average(optimizer):
    """The moving averages of all weights, of which the first is a copy."""
    averages = optimizer._model_variables_moving_average
    pairs = zip(optimizer._trainable_variables, averages, strict=True)
    pairs = [(v._value, a._value) for v, a in pairs if a is not None]
    later = _tensor(optimizer.iterations) != 0
    weights, averages = zip(*pairs, strict=True)
    kept = later.to(weights[0].dtype) * optimizer.ema_momentum
    for part in _parts(weights):
        some = [averages[i] for i in part]
        torch._foreach_mul_(some, kept)
        _subtract(some, [weights[i] for i in part], kept - 1)
    every = optimizer.ema_overwrite_frequency
    if every and (_tensor(optimizer.iterations) + 1) % every == 0:
        optimizer._overwrite_model_variables_with_average_value(
            optimizer._trainable_variables
        )


def _update(optimizer, gradients, variables, scale=None):
    """Unscales, clips, decays weights and updates."""
    weights = [variable._value for variable in variables]
    rate = _rate(optimizer, weights[0].dtype)
    clip = _clipping(optimizer, gradients, scale)
    rule = _RULES[type(optimizer)](optimizer, rate, variables)
    decayed = _decayed(optimizer, variables)
    if any(decayed):
        # As precise as Keras' own: the rate is not cast.
        kept = 1 - optimizer.weight_decay * _tensor(optimizer.learning_rate)
    for part in _parts(weights):
        some = clip(_unscaled([gradients[i] for i in part], scale))
        decays = [weights[i] for i in part if decayed[i]]
        if decays:
            torch._foreach_mul_(decays, kept)
        rule([weights[i] for i in part], some, part)


def _rate(optimizer, dtype):
    rate = _tensor(optimizer.learning_rate)
    if isinstance(rate, torch.Tensor) and rate.dtype == dtype:
        return rate
    return keras.ops.cast(rate, dtype)


def _tensor(value):
    return value._value if isinstance(value, keras.Variable) else value


def _decayed(optimizer, variables):
    if optimizer.weight_decay is None:
        return [False] * len(variables)
    return list(map(optimizer._use_weight_decay, variables))


def _parts(tensors):
    """Splits a list: lists of places of tensors that are updated together."""
    parts, size = [], math.inf
    for place, tensor in enumerate(tensors):
        size += tensor.numel()
        if size > PART:
            parts.append([])
            size = tensor.numel()
        parts[-1].append(place)
    return parts


def _unscaled(gradients, scale):
    return gradients if scale is None else torch._foreach_div(gradients, scale)


def _clipping(optimizer, gradients, scale):
    """What clips some of the gradients, as Keras does, after unscaling."""
    one, whole = optimizer.clipnorm, optimizer.global_clipnorm
    limit = optimizer.clipvalue
    if one and one > 0:
        return lambda some: _clip_each(some, one)
    if whole and whole > 0:
        norm = torch.stack(torch._foreach_norm(gradients)).norm()
        norm = norm if scale is None else norm / scale
        factor = whole * torch.clamp(1.0 / norm, max=1.0 / whole)
        # Where the norm is not finite, all gradients are NaN.
        factor = factor + (norm - norm)
        return lambda some: torch._foreach_mul(some, factor)
    if limit and limit > 0:
        return lambda some: [torch.clamp(g, -limit, limit) for g in some]
    return lambda some: some


def _clip_each(gradients, limit):
    norms = torch._foreach_norm(gradients)
    factors = torch._foreach_div(norms, limit)
    torch._foreach_clamp_min_(factors, 1.0)
    return torch._foreach_div(gradients, factors)


# Rules: of an optimizer, its rate and variables, a function that updates a part
# of the weights by their gradients.


def _adam(optimizer, rate, variables):
    beta_1, beta_2 = optimizer.beta_1, optimizer.beta_2
    slots = [optimizer._momentums, optimizer._velocities]
    if optimizer.amsgrad:
        slots.append(optimizer._velocity_hats)
    slots = [_slot(optimizer, slot, variables) for slot in slots]
    step = (_tensor(optimizer.iterations) + 1).to(rate.dtype)
    alpha = torch.sqrt(torch.rsub(torch.pow(beta_2, step), 1)) * rate
    alpha = alpha / torch.rsub(torch.pow(beta_1, step), 1)
    count = _infinity(rate.device)
    own = _keras_own(optimizer, rate, variables)

    def update(weights, gradients, part):
        mine = [[slot[i] for i in part] for slot in slots]
        if not _contiguous(weights, *mine):
            own(weights, gradients, part)
            return
        torch._fused_adam_(
            weights,
            [gradient.contiguous() for gradient in gradients],
            *mine,
            *[[]] * (3 - len(mine)),
            [count] * len(weights),
            lr=alpha,
            beta1=beta_1,
            beta2=beta_2,
            weight_decay=0.0,
            eps=optimizer.epsilon,
            amsgrad=optimizer.amsgrad,
            maximize=False,
        )

    return update


def _sgd(optimizer, rate, variables):
    momentum = optimizer.momentum
    if not momentum:
        return lambda weights, gradients, part: _subtract(
            weights, gradients, rate
        )
    slot = _slot(optimizer, optimizer.momentums, variables)

    def update(weights, gradients, part):
        velocities = [slot[i] for i in part]
        torch._foreach_mul_(velocities, momentum)
        _subtract(velocities, gradients, rate)
        if optimizer.nesterov:
            _subtract(weights, gradients, rate)
            torch._foreach_add_(weights, velocities, alpha=momentum)
        else:
            torch._foreach_add_(weights, velocities)

    return update


def _keras_own(optimizer, rate, variables):
    """Keras' own rule, for a part at a time."""

    def update(weights, gradients, part):
        some = [variables[i] for i in part]
        optimizer._backend_update_step(gradients, some, rate)

    return update


# Keras makes its own subclasses on PyTorch. Not `Nadam`: what it counts, it
# counts once an update, not once a part.
_RULES = {
    type(kind.__new__(kind)): rule
    for kind, rule in {
        optimizers.Adadelta: _keras_own,
        optimizers.Adagrad: _keras_own,
        optimizers.Adam: _adam,
        optimizers.Adamax: _keras_own,
        optimizers.AdamW: _adam,
        optimizers.Lion: _keras_own,
        optimizers.RMSprop: _keras_own,
        optimizers.SGD: _sgd,
    }.items()
}


def _slot(optimizer, slot, variables):
    """What an optimizer keeps in `slot` for variables, as tensors."""
    index = optimizer._get_variable_index
    return [slot[index(variable)]._value for variable in variables]


def _subtract(weights, gradients, rate):
    """`weights -= rate * gradients`, in one pass and by a rate in a tensor."""
    alike = all(weight.dtype == rate.dtype for weight in weights)
    if alike and _contiguous(weights):
        torch._fused_sgd_(
            weights,
            [gradient.contiguous() for gradient in gradients],
            [],
            weight_decay=0.0,
            momentum=0.0,
            lr=rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )
    else:
        torch._foreach_sub_(weights, torch._foreach_mul(gradients, rate))


def _contiguous(*lists):
    """Whether fused kernels, which see no strides, may run."""
    return all(tensor.is_contiguous() for some in lists for tensor in some)


@functools.cache
def _infinity(device):
    return torch.tensor(math.inf, device=device)
