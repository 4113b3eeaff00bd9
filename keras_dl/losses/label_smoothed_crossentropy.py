"""Crossentropy with label smoothing, per real token."""

import keras
from keras import ops

from keras_dl import tokens
from keras_dl.checks import check_choice, check_fraction

_DISTRIBUTIONS = ("uniform", "others")
_MEANS = ("sum_over_batch_size", "mean")


@keras.saving.register_keras_serializable("keras_dl")
class LabelSmoothedCrossentropy(keras.losses.Loss):
    """Crossentropy of classes, with label smoothing and padding.

    With `p = softmax(logits)` over V classes, target t and e =
    `label_smoothing`:

        uniform: (1 - e) (-log p_t) + e / V sum_v (-log p_v)
        others:  (1 - e) (-log p_t) + e / (V - 1) sum_{v != t} (-log p_v)

    Both are the crossentropy with a smoothed target: `"uniform"` gives each
    class e / V, so that the target has 1 - e + e / V; `"others"` takes e away
    from the target and shares it among the wrong classes. They are the same
    family: `"others"` with e is `"uniform"` with e V / (V - 1).

    **Shapes and units.** `y_true` has shape `(batch, ...)` or
    `(batch, ..., 1)`, `y_pred` `(batch, ..., V)`; the loss is in nats. No
    tensor of the size of the logits is made for the targets: the value follows
    from the logit of the target, the log-sum-exp and the mean of the logits.

    **Probabilities as targets**, such as one-hot ones, have the shape of
    `y_pred`: with q_v in the place of one class the first term is
    (1 - e) sum_v q_v (-log p_v), and of `"others"` e V / (V - 1) is shared
    among all. Where all of them are 0, the one-hot form of what is no class,
    a position does not count if there is an `ignore_class`.

    **Masking.** A position does not count if its target is `ignore_class`, if
    the mask that Keras attaches to `y_pred` says so, or if its
    `sample_weight` is 0: it adds nothing to the sum, nothing to the number of
    positions, and has no gradient, even where its logits are NaN or infinite.
    The reductions `"sum_over_batch_size"` and `"mean"` divide the weighted sum
    by the number of positions that count, `"mean_with_sample_weight"` by the
    sum of their weights. Where none counts the loss is 0. `sample_weight` has
    shape `(batch,)`, or that of `y_true`.

    **Targets that are no class**, below 0 or from V on, and not
    `ignore_class`, or probabilities that do not sum to 1: the loss there is
    NaN, and so is the mean, on every backend; the gradient there is 0.

    **Precision.** Computed in float32, or float64 with `dtype="float64"`,
    whatever the dtype of `y_pred`.

    Args:
        label_smoothing: The probability e that is taken from the target, in
            [0, 1). With 0 a logit may be minus infinity, if it is not that of
            the target.
        distribution: `"uniform"` or `"others"`: who gets it.
        ignore_class: Class index whose positions do not count, such as that
            of padding, several in a tuple, or `None`. It need not be a class:
            -100 is allowed.
        from_logits: Whether `y_pred` holds logits; else probabilities, which
            are normalized and taken for at least `keras.config.epsilon()`.
        reduction: As `keras.losses.Loss` takes it.
        name: Name of the loss.
        dtype: Dtype of the computation; half precision becomes float32.

    Call arguments:
        y_true: Class indices, or probabilities.
        y_pred: Logits or probabilities.
        sample_weight: Weights of rows or positions.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example:

    >>> logits = np.array([[2.0, 1.0, 0.0, -1.0, 0.5]])
    >>> LabelSmoothedCrossentropy(0.1)([0], logits)
    0.7244

    In training, with 0 as the padding:

    >>> loss = LabelSmoothedCrossentropy(label_smoothing=0.1, ignore_class=0)
    >>> model = keras.Sequential([keras.layers.Dense(5)])
    >>> model.compile(optimizer="adam", loss=loss)
    >>> history = model.fit(logits, np.array([3]), verbose=0)

    Reference:
        Szegedy et al., "Rethinking the Inception Architecture for Computer
        Vision", 2015 (`"uniform"`). Vaswani et al., "Attention Is All You
        Need", 2017, uses e = 0.1.

    Where it differs: `"uniform"` is the `label_smoothing` of Keras and of
    PyTorch, `"others"` that of fairseq and, but for the entropy of the
    smoothed target, a constant that it subtracts, of tensor2tensor.
    `keras.losses.CategoricalCrossentropy` smooths one-hot targets only, and
    `keras.losses.SparseCategoricalCrossentropy` does not smooth. Keras counts
    positions of weight 0 in its mean; here they do not count.
    """

    _target_kind = "classes"  # Read by keras_dl.models.target_fit.

    def __init__(
        self,
        label_smoothing=0.0,
        distribution="uniform",
        ignore_class=None,
        from_logits=True,
        reduction="sum_over_batch_size",
        name="label_smoothed_crossentropy",
        dtype=None,
    ):
        super().__init__(
            name=name, reduction=reduction, dtype=_full_precision(dtype)
        )
        self.label_smoothing = check_fraction(
            "label_smoothing", label_smoothing, "the probability to share"
        )
        self.distribution = check_choice(
            "distribution", distribution, _DISTRIBUTIONS
        )
        self.ignore_class = tokens.check_ignore_class(ignore_class)
        self.from_logits = bool(from_logits)

    def __call__(self, y_true, y_pred, sample_weight=None):
        if not hasattr(y_pred, "shape"):
            y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.convert_to_tensor(y_true)
        classes = tokens.likeliest_classes(y_true, y_pred, self.ignore_class)
        weights = tokens.token_weights(
            classes, y_pred, sample_weight, self.ignore_class
        )
        y_pred = ops.cast(y_pred, self.dtype)
        if not tokens.are_probabilities(y_true, y_pred):
            y_true = classes
        y_true, y_pred = tokens.only_real(weights, y_true, y_pred)
        if weights is not None and self.reduction in _MEANS:
            weights = weights * _positions_per_real_one(weights)
        return super().__call__(y_true, y_pred, sample_weight=weights)

    def call(self, y_true, y_pred):
        if tokens.are_probabilities(y_true, y_pred):
            return self._losses(y_true, y_pred)
        y_true = tokens.class_indices(y_true, y_pred)
        losses = self._losses(y_true, y_pred)
        return tokens.nan_if_no_class(losses, y_true, y_pred)

    def _losses(self, y_true, y_pred):
        every = tokens.log_probabilities(y_pred, self.from_logits)
        soft = tokens.are_probabilities(y_true, y_pred)
        of_target = tokens.expected if soft else tokens.of_target
        likelihood = of_target(every, y_true)
        if not self.label_smoothing:
            return -likelihood
        average = ops.mean(every, axis=-1)
        smoothing = self._share_of_all(y_pred.shape[-1])
        return -(1 - smoothing) * likelihood - smoothing * average

    def _share_of_all(self, num_classes):
        """What is shared among all classes, the target included."""
        if self.distribution == "uniform":
            return self.label_smoothing
        if num_classes < 2:
            raise ValueError(
                '`distribution="others"` needs at least 2 classes. Received: '
                f"y_pred with {num_classes}."
            )
        return self.label_smoothing * num_classes / (num_classes - 1)

    def get_config(self):
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
            "distribution": self.distribution,
            "ignore_class": self.ignore_class,
            "from_logits": self.from_logits,
            "dtype": self.dtype,
        }


def _positions_per_real_one(weights):
    """Makes of Keras' mean over all positions one over those that count."""
    ones = ops.ones_like(weights)
    real = ops.cast(ops.not_equal(weights, 0.0), weights.dtype)
    return ops.divide_no_nan(ops.sum(ones), ops.sum(real))


def _full_precision(dtype):
    policy = keras.dtype_policies.get(dtype or keras.config.floatx())
    return "float64" if policy.compute_dtype == "float64" else "float32"
