"""Perplexity over an epoch."""

import keras
from keras import ops

from keras_dl import tokens
from keras_dl.metrics._parts.ratio import Ratio


@keras.saving.register_keras_serializable("keras_dl")
class Perplexity(Ratio):
    """Perplexity: how many classes a prediction is as uncertain as.

        exp(sum_i w_i (-log p_i[t_i]) / sum_i w_i)

    over all tokens i since the last reset: not the mean of the perplexities
    of the batches, which is larger.

    **Shapes and units.** `y_true` holds class indices of shape `(batch, ...)`
    or `(batch, ..., 1)`, `y_pred` has shape `(batch, ..., V)`. The result lies
    between 1, when every target is certain, and infinity; V is guessing. It is
    0 as long as there was no real token.

    **Masking.** A token does not count if its target is `ignore_class`, if the
    mask that Keras attaches to `y_pred` says so, or if its `sample_weight` is
    0, whatever its logits are. A target that is no class, and not
    `ignore_class`, makes the result NaN.

    **Precision.** Computed in float32, whatever the dtype of `y_pred`; the
    sums over the epoch keep what float32 would round off.

    Args:
        from_logits: Whether `y_pred` holds logits; else probabilities.
        ignore_class: Class index whose positions do not count, such as that
            of padding, several in a tuple, or `None`.
        name: Name of the metric.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example:

    >>> metric = Perplexity(ignore_class=0)
    >>> metric.update_state([[1, 2, 0]], np.zeros((1, 3, 4)))
    >>> metric.result()
    4.0

    In training:

    >>> model = keras.Sequential([keras.layers.Embedding(4, 4)])
    >>> loss = keras_dl.losses.LabelSmoothedCrossentropy(ignore_class=0)
    >>> model.compile(loss=loss, metrics=[Perplexity(ignore_class=0)])
    >>> ids = np.array([[3, 1, 2, 0]])
    >>> history = model.fit(ids[:, :-1], ids[:, 1:], verbose=0)
    >>> sorted(history.history)
    ['loss', 'perplexity']

    Reference:
        Jelinek, Mercer, Bahl and Baker, "Perplexity - a measure of the
        difficulty of speech recognition tasks", 1977.
    """

    _direction = "down"  # Read by callbacks with mode="auto".

    def __init__(
        self,
        from_logits=True,
        ignore_class=None,
        name="perplexity",
        dtype=None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.from_logits = bool(from_logits)
        self.ignore_class = tokens.check_ignore_class(ignore_class)

    def update_state(self, y_true, y_pred, sample_weight=None):
        if not hasattr(y_pred, "shape"):
            y_pred = ops.convert_to_tensor(y_pred)
        y_true = tokens.class_indices(y_true, y_pred)
        weights = tokens.token_weights(
            y_true, y_pred, sample_weight, self.ignore_class
        )
        y_true, y_pred = tokens.only_real(
            weights, y_true, tokens.at_least_float32(y_pred)
        )
        every = tokens.log_probabilities(y_pred, self.from_logits)
        likelihood = tokens.of_target(every, y_true)
        likelihood = tokens.nan_if_no_class(likelihood, y_true, y_pred)
        if weights is None:
            weights = ops.ones_like(likelihood)
        weights = ops.cast(weights, likelihood.dtype)
        self.add(-ops.sum(weights * likelihood), ops.sum(weights))

    def result(self):
        mean = self.ratio()
        nothing = ops.zeros_like(mean)
        return ops.where(self.is_empty(), nothing, ops.exp(mean))

    def get_config(self):
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
        }
