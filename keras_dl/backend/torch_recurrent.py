"""LSTM and GRU over whole sequences by PyTorch's fused kernels.

They are oneDNN's on CPU and cuDNN's on GPU. None of them knows masks: with a
mask, the real steps of each row go first, in their order, and what the kernel
gives for them goes back to where they stood.
"""

import torch
from torch.fx.experimental.proxy_tensor import get_proxy_mode

_WEIGHTS_PER_STEP = 75_000  # Transposed in the time of one step, about.
_IN_CACHE = 400_000  # So few weights are read again and again at no cost.
_SHUT = 1e4  # The logistic function is 1 here, and 0 at its negative.


def pays(x, weights):
    """Whether the kernels are faster than Keras' loop of single steps.

    They want the weights transposed, and their gradient transposed back. On
    CPU that costs more than a few steps, as of a model that generates.
    """
    if x.device.type != "cpu":
        return True
    size = sum(w.numel() for w in weights)
    batch, steps = x.shape[:2]
    if torch.is_grad_enabled():
        return size < _IN_CACHE or steps >= (12 if batch > 1 else 24)
    return steps * _WEIGHTS_PER_STEP > size


def records_gradients():
    """Whether a graph is recorded, with derivatives of what is computed.

    It has no place for the workspace of oneDNN's kernels.
    """
    return torch.is_grad_enabled() and get_proxy_mode() is not None


def lstm(x, states, kernel, recurrent_kernel, bias, mask, training):
    """`(outputs, [h, c])`; see `keras_dl.layers.LSTM`.

    The gates come in the order input, forget, cell, output, as PyTorch's.
    """
    units = recurrent_kernel.shape[0]
    if bias is None:
        bias = kernel.new_zeros(4 * units)
    if mask is None:
        outputs, h, c = _lstm(x, states, kernel, recurrent_kernel, bias)
        return outputs, [h, c]
    order = _real_first(mask)
    # One more feature shuts the input gate and opens the forget gate behind
    # the last real step, so that c comes through exactly.
    padding = (~mask).gather(1, order).unsqueeze(-1)
    x = torch.cat([_pick(x, order), padding.to(x.dtype)], dim=-1)
    gates = kernel.new_zeros(1, 4 * units)
    gates[:, :units], gates[:, units : 2 * units] = -_SHUT, _SHUT
    kernel = torch.cat([kernel, gates])
    outputs, _, c = _lstm(x, states, kernel, recurrent_kernel, bias)
    outputs = _put_back(outputs, mask, states[0])
    return outputs, [outputs[:, -1], c]


def gru(x, states, kernel, recurrent_kernel, bias, mask, training):
    """`(outputs, [h])`; see `keras_dl.layers.GRU`.

    Keras orders the gates update, reset, new; PyTorch reset, update, new.
    """
    units = recurrent_kernel.shape[0]
    # Transposed views: on CPU products with them are as fast, or faster.
    weights = [
        _reordered(kernel, units).T,
        _reordered(recurrent_kernel, units).T,
        *(_reordered(part, units) for part in bias),
    ]
    first = states[0].unsqueeze(0).contiguous()
    if mask is None:
        outputs, h = torch.gru(x, first, weights, *_options())
        return outputs, [h.squeeze(0)]
    x = _pick(x, _real_first(mask))
    outputs, _ = torch.gru(x, first, weights, *_options())
    outputs = _put_back(outputs, mask, states[0])
    return outputs, [outputs[:, -1]]


def _lstm(x, states, kernel, recurrent_kernel, bias):
    weights = [
        kernel.T.contiguous(),
        recurrent_kernel.T.contiguous(),
        bias,
        torch.zeros_like(bias),
    ]
    states = [state.unsqueeze(0).contiguous() for state in states]
    outputs, h, c = torch.lstm(x, states, weights, *_options())
    return outputs, h.squeeze(0), c.squeeze(0)


def _options():
    """Biases; one layer; no dropout; training; one direction; batch first."""
    return True, 1, 0.0, torch.is_grad_enabled(), False, True


def _real_first(mask):
    """For each row the numbers of its steps, those that are masked last."""
    return torch.argsort(mask, dim=1, descending=True, stable=True)


def _put_back(outputs, mask, first):
    """Shows at each step what the last real one up to it gave, or `first`."""
    seen = mask.cumsum(1)
    latest = _pick(outputs, (seen - 1).clamp(min=0))
    return torch.where(seen.unsqueeze(-1) > 0, latest, first.unsqueeze(1))


def _pick(sequence, steps):
    """For each row, its steps in the given order."""
    steps = steps.unsqueeze(-1).expand(-1, -1, sequence.shape[-1])
    return sequence.gather(1, steps)


def _reordered(weights, units):
    update, reset, new = weights.split(units, -1)
    return torch.cat([reset, update, new], -1)
