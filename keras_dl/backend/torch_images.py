"""Operations on images, each by one of PyTorch's own.

Keras' are put together of several, with copies in between. Images whose
channels are last are seen through a view: nothing is moved.
"""

import torch
from torch.nn import functional

from keras_dl.backend import specification


def convolve(x, kernel, bias, strides, padding, dilation, channels_last):
    """What `keras.layers.Conv2D` computes, with the bias in the product."""
    x = _first(x) if channels_last else x
    kernel = _kernel_like(x, kernel)
    sides = (0, 0)
    if padding == "same":
        pairs = [
            _same(*each)
            for each in zip(
                x.shape[2:], kernel.shape[2:], strides, dilation, strict=True
            )
        ]
        if all(before == after for before, after in pairs):
            sides = tuple(before for before, _ in pairs)
        else:
            (top, bottom), (left, right) = pairs
            x = functional.pad(x, (left, right, top, bottom))
    groups = x.shape[1] // kernel.shape[1]
    x = functional.conv2d(x, kernel, bias, strides, sides, dilation, groups)
    return _last(x) if channels_last else x


def convolve_back(x, kernel, bias, strides, padding, channels_last):
    """What `keras.layers.Conv2DTranspose` computes, without dilation.

    Where one side loses more than the other, or strides are larger than the
    kernel, PyTorch's own operation gives something else: then by Keras'.
    """
    crops = [0, 0]
    over = [k - s for k, s in zip(kernel.shape, strides, strict=False)]
    same = padding == "same"
    if min(over) < 0 or (same and any(size % 2 for size in over)):
        rest = bias, strides, padding, channels_last
        return specification.convolve_back(x, kernel, *rest)
    if same:
        crops = [size // 2 for size in over]
    x = _first(x) if channels_last else x
    kernel = _kernel_like(x, kernel)
    x = functional.conv_transpose2d(x, kernel, bias, strides, crops)
    return _last(x) if channels_last else x


def normalize_instances(x, axis, gamma, beta, epsilon, dtype):
    """Each channel of each image to mean 0 and variance 1, then to these.

    In float32 or what is more exact, and then in `dtype`. By the normalization
    of layers: that of instances has wrong gradients in PyTorch 2.13 for one
    image, where what comes back has its channels last.
    """
    x = x if x.element_size() > 2 else x.float()
    x = x.movedim(axis, 1)
    x = functional.layer_norm(x, x.shape[2:], eps=epsilon)
    along = (-1, *[1] * (x.ndim - 2))
    if gamma is not None:
        x = x * gamma.view(along)
    if beta is not None:
        x = x + beta.view(along)
    return x.movedim(1, axis).to(getattr(torch, dtype))


def normalize_batch(x, axis, gamma, beta, epsilon, dtype):
    """Each channel to mean 0 and variance 1 over the batch, then to these.

    In float32 or what is more exact, and then in `dtype`.

    Returns:
        The result, and each channel's mean and variance, without gradients.
    """
    x = x if x.element_size() > 2 else x.float()
    gamma, beta = (w if w is None else w.to(x.dtype) for w in (gamma, beta))
    moved, mean, factor = torch.native_batch_norm(
        x.movedim(axis, 1), gamma, beta, None, None, True, 0.0, epsilon
    )
    # Where a channel is flat, rounding may take it below 0.
    variance = (factor.detach() ** -2 - epsilon).clamp_min(0.0)
    y = moved.movedim(1, axis).to(getattr(torch, dtype))
    return y, mean.detach(), variance


def pad(x, sides, channels_last, mode):
    """Images continued on four sides; `mode` is of PyTorch's `pad`."""
    (top, bottom), (left, right) = sides
    x = _first(x) if channels_last else x
    x = functional.pad(x, (left, right, top, bottom), mode)
    return _last(x) if channels_last else x


def _first(x):
    return x.permute(0, 3, 1, 2)


def _last(x):
    return x.permute(0, 2, 3, 1)


def _kernel_like(x, kernel):
    """In the memory layout of the images, or these are copied."""
    kernel = kernel.permute(3, 2, 0, 1)
    if x.is_contiguous():
        return kernel.contiguous()
    return kernel.contiguous(memory_format=torch.channels_last)


def _same(size, kernel, stride, dilation):
    """How much is added on both sides, the larger part behind."""
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2
