"""Which positions of a batch of sequences count, and how likely they are."""

import numbers

import keras
from keras import ops

from keras_dl import backend


def check_ignore_class(ignore_class):
    """Returns `ignore_class` if it is an integer, several, or `None`."""
    if ignore_class is None:
        return None
    several = isinstance(ignore_class, (list, tuple))
    given = ignore_class if several else [ignore_class]
    if not all(map(_is_whole, given)):
        raise ValueError(
            "`ignore_class` must be an integer, the index of the class whose "
            "positions do not count, several in a tuple, or None. "
            f"Received: ignore_class={ignore_class!r}."
        )
    return tuple(map(int, ignore_class)) if several else int(ignore_class)


def _is_whole(number):
    return isinstance(number, numbers.Integral) and not isinstance(number, bool)


def as_indices(numbers):
    """Numbers as class indices; what is no whole number is no class: -2^30.

    A cast alone would make a class of 0.7, and on some backends of NaN.
    """
    numbers = ops.convert_to_tensor(numbers)
    if not keras.backend.is_float_dtype(numbers.dtype):
        return ops.cast(numbers, "int32")
    numbers = ops.cast(numbers, "float32")
    # Neither NaN nor infinity is smaller.
    whole = ops.logical_and(
        ops.equal(ops.floor(numbers), numbers), ops.abs(numbers) < 2.0**30
    )
    indices = ops.cast(ops.where(whole, numbers, 0.0), "int32")
    return ops.where(whole, indices, -(2**30))


def class_indices(y_true, y_pred):
    """The targets as integers, of the shape of `y_pred` less its classes."""
    y_true = as_indices(y_true)
    same_rank = len(y_true.shape) == len(y_pred.shape)
    if same_rank and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, axis=-1)
    if len(y_true.shape) != len(y_pred.shape) - 1:
        raise ValueError(
            "`y_true` must hold class indices, of the shape of `y_pred` "
            "without its last axis, the classes; a loss and an accuracy take "
            "probabilities of its shape as well. Received: "
            f"y_true.shape={tuple(y_true.shape)}, "
            f"y_pred.shape={tuple(y_pred.shape)}."
        )
    return y_true


def are_probabilities(y_true, y_pred):
    """Whether targets are a number for each class, such as one-hot ones."""
    true, predicted = y_true.shape, y_pred.shape
    same_rank = len(true) == len(predicted) > 1
    return same_rank and true[-1] == predicted[-1] != 1


def likeliest_classes(y_true, y_pred, ignore_class=None):
    """Targets as class indices, of probabilities the likeliest class.

    Where all probabilities are 0, as in the one-hot form of what is no class,
    that is `ignore_class`, or -1 if there is none.
    """
    y_true = ops.convert_to_tensor(y_true)
    if not are_probabilities(y_true, y_pred):
        return class_indices(y_true, y_pred)
    none = -1 if ignore_class is None else ignore_class
    none = none[0] if isinstance(none, tuple) else none
    found = ops.cast(ops.argmax(y_true, axis=-1), "int32")
    return ops.where(ops.any(ops.not_equal(y_true, 0), -1), found, none)


def at_least_float32(y_pred):
    """`y_pred`, in float32 if it is in half precision or in integers."""
    y_pred = ops.convert_to_tensor(y_pred)
    if keras.backend.standardize_dtype(y_pred.dtype) == "float64":
        return y_pred
    return ops.cast(y_pred, "float32")


def token_weights(y_true, y_pred, sample_weight=None, ignore_class=None):
    """The weight of each position.

    Args:
        y_true: Class indices.
        y_pred: Predictions as they came, with the mask that they carry.
        sample_weight: Weights of rows or of positions, or `None`.
        ignore_class: The class whose positions do not count, several in a
            tuple, or `None`.

    Returns:
        A float32 tensor of the shape of `y_true`, 0 where a position does not
        count; or `None` if every position counts, and as much as any other.
    """
    ones = ops.ones_like(y_true, dtype="float32")
    weights = _keras_mask(y_pred, ones)
    several = isinstance(ignore_class, tuple)
    for ignored in ignore_class if several else (ignore_class,):
        if ignored is not None:
            real = ops.not_equal(y_true, ignored)
            weights = weights * ops.cast(real, "float32")
    if sample_weight is not None:
        given = like_rank(sample_weight, y_true)
        # Not a product alone: the weight of what does not count may be NaN.
        real = ops.not_equal(weights, 0.0)
        weights = ops.where(real, weights * given, ops.zeros_like(weights))
    return None if weights is ones else weights


def only_real(weights, y_true, y_pred):
    """Puts harmless values where the weight is 0, so that no NaN can pass.

    A NaN that is multiplied by 0 is still one, and so is its gradient: what
    does not count has to be replaced before anything is computed from it.
    """
    if weights is None:
        return y_true, y_pred
    real = ops.not_equal(weights, 0.0)
    each = ops.expand_dims(real, -1)
    ones = ops.ones_like(y_pred)
    if are_probabilities(y_true, y_pred):
        class_0 = ops.one_hot(ops.zeros_like(real, "int32"), y_true.shape[-1])
        y_true = ops.where(each, y_true, ops.cast(class_0, y_true.dtype))
    else:
        y_true = ops.where(real, y_true, ops.zeros_like(y_true))
    return y_true, ops.where(each, y_pred, ones)


def log_probabilities(y_pred, from_logits=True):
    """The logarithm of the probability of each class, at each position.

    Args:
        y_pred: Logits or probabilities, in float32 at least.
        from_logits: Which of the two.
    """
    if from_logits:
        return ops.log_softmax(y_pred, axis=-1)
    return safe_log(y_pred) - safe_log(ops.sum(y_pred, axis=-1, keepdims=True))


def of_target(log_probabilities, y_true):
    """Those of the targets, as `class_indices` gives these.

    Where the target is no class, that of some class (see `nan_if_no_class`).
    """
    index = _nearest_class(y_true, log_probabilities)
    return backend.gather_last(log_probabilities, index)


def nan_if_no_class(values, y_true, y_pred):
    """`values`, NaN without a gradient where the target is not a class."""
    known = ops.equal(_nearest_class(y_true, y_pred), y_true)
    return ops.where(known, values, float("nan"))


def expected(log_probabilities, y_true):
    """Their mean over classes of the given probabilities.

    NaN where these do not sum to 1: a target of several classes is none.
    """
    y_true = ops.cast(y_true, log_probabilities.dtype)
    # The logarithm of a class that cannot be may be minus infinity.
    some = ops.not_equal(y_true, 0)
    finite = ops.where(some, log_probabilities, 0.0)
    total = ops.sum(y_true, -1)
    sound = ops.logical_and(
        ops.abs(total - 1.0) < 0.01, ops.min(y_true, -1) >= 0.0
    )
    return ops.where(sound, ops.sum(y_true * finite, -1), float("nan"))


def _nearest_class(y_true, y_pred):
    return ops.clip(y_true, 0, y_pred.shape[-1] - 1)


def safe_log(probabilities):
    """The logarithm of at least `keras.config.epsilon()`."""
    return ops.log(ops.maximum(probabilities, keras.config.epsilon()))


class _WithMask(keras.losses.Loss):
    """Gives `y_true` back, after Keras has applied the mask of `y_pred`.

    Keras has no public function that reads the mask of a tensor, and on JAX
    a traced tensor does not carry it as an attribute.
    """

    def __init__(self, dtype):
        super().__init__(name="with_mask", reduction="none", dtype=dtype)

    def call(self, y_true, y_pred):
        return y_true


def _keras_mask(y_pred, ones):
    """`ones`, with 0 at masked positions; itself if there is no mask."""
    dtype = getattr(y_pred, "dtype", None)
    half = dtype is not None and keras.backend.standardize_dtype(dtype) in (
        "float16",
        "bfloat16",
    )
    # In the dtype of the predictions nothing has to be cast.
    if not half:
        return _WithMask("float32")(ones, y_pred)
    plain = ops.cast(ones, dtype)
    masked = _WithMask(keras.backend.standardize_dtype(dtype))(plain, y_pred)
    return ones if masked is plain else ops.cast(masked, "float32")


def like_rank(sample_weight, y_true):
    """Weights with as many axes as the targets, to be broadcast."""
    weights = ops.cast(ops.convert_to_tensor(sample_weight), "float32")
    rank = len(y_true.shape)
    if len(weights.shape) == rank + 1 and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, -1)
    while 0 < len(weights.shape) < rank:
        weights = ops.expand_dims(weights, -1)
    check_weights_fit(weights, y_true)
    return weights


def check_weights_fit(weights, y_true):
    """Raises ValueError if weights cannot be broadcast to the targets."""
    given, true = tuple(weights.shape), tuple(y_true.shape)
    pairs = zip(given, true, strict=False)
    fits = all(a in (1, None, b) or b is None for a, b in pairs)
    if len(given) > len(true) or not fits:
        raise ValueError(
            "`sample_weight` must have a weight for each row or each position "
            f"of `y_true`. Received: sample_weight.shape={given}, "
            f"y_true.shape={true}."
        )
