"""What TensorFlow differentiates once only, differentiable to any order.

Some of its functions have a first derivative that is right and whose own
derivative is wrong or missing: `tf.nn.moments` holds the mean constant within
the variance, the gradient of a resized image has none (zeros, for bilinear
ones), nor has that of softsign. Layers of Keras and of users call them. So they
are exchanged for the time in which something is differentiated twice; their
values are the same.
"""

import contextlib
import threading

import tensorflow as tf

_lock = threading.Lock()
_open = 0


@contextlib.contextmanager
def exact_operations():
    """Within it all of TensorFlow's functions have a second derivative."""
    _exchange(+1)
    try:
        yield
    finally:
        _exchange(-1)


def _exchange(change):
    # Replicas trace in threads of their own: the last one puts them back.
    global _open
    with _lock:
        before, _open = _open > 0, _open + change
        if before != (_open > 0):
            for room, name, own, exact in _FUNCTIONS:
                setattr(room, name, exact if _open else own)


def _moments(x, axes, shift=None, keepdims=False, name=None):
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), axes, keepdims=keepdims)
    return (mean if keepdims else tf.squeeze(mean, axes)), variance


def _softsign(features, name=None):
    return features / (1 + tf.abs(features))


def _resize(
    images,
    size,
    method="bilinear",
    preserve_aspect_ratio=False,
    antialias=False,
    name=None,
):
    """Both axes by matrices, which resize the images of a single pixel."""

    def resize(images, height, width):
        return _OWN_RESIZE(images, (height, width), method, antialias=antialias)

    if method == "nearest" or preserve_aspect_ratio or images.dtype.is_integer:
        return _OWN_RESIZE(
            images, size, method, preserve_aspect_ratio, antialias
        )
    height, width = (
        images.shape[axis] or tf.shape(images)[axis] for axis in (-3, -2)
    )
    rows = resize(tf.eye(height)[:, :, None, None], size[0], 1)[..., 0, 0]
    columns = resize(tf.eye(width)[:, None, :, None], 1, size[1])[:, 0, :, 0]
    images = tf.cast(images, rows.dtype)
    return tf.einsum("...hwc,hi,wj->...ijc", images, rows, columns)


_OWN_RESIZE = tf.image.resize
_FUNCTIONS = (
    (tf.nn, "moments", tf.nn.moments, _moments),
    (tf.nn, "softsign", tf.nn.softsign, _softsign),
    (tf.image, "resize", _OWN_RESIZE, _resize),
)
