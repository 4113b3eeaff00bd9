"""What a task puts on an encoder: the base of all heads."""

import keras

from keras_dl.checks import check_label_names, check_rate
from keras_dl.layers import Dense
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.metrics import TokenAccuracy
from keras_dl.models.ranges import check_classes, check_ids

NO_TARGET = (-1, -100)  # Where a token has no target: ours, and PyTorch's.


class Head(keras.Layer):
    """A task's own layers, with its loss and its metrics.

    A head is given to `keras_dl.applications.TaskModel`, which makes its
    variables by `attach`, and hands it what the encoder found.

    A subclass writes `attach` and `call`, `default_loss`, `default_metrics`
    and `target_kind`, and `check_targets` where not every number is one.
    `inputs` names what it reads beside the encoder's own inputs, `optional`
    what of these it can do without, `position_inputs` which are places in the
    text; `flattens` says that a row of inputs is several texts, `reads_pooled`
    that the pooled output is needed, and `looks_up_tokens` that it looks up
    tokens of its own in the encoder's embedding.

    **Predictions.** What `predict` gives, and metrics get: those logits, unless
    a head says otherwise by `predictions`. `returns_logits` says that losses
    must take logits.

    **Loss.** A mean over what counts in the batch, from logits.

    **Labels.** A head whose outputs have names calls `_set_labels`; then
    `label_names` may be set, too, where a file does not say them.

    Args:
        **kwargs: Arguments of `keras.Layer`.

    Call arguments:
        outputs: What the encoder returned, a dict.
        inputs: The inputs of the model, a dict; with `"padding_mask"`.
        encoder: The encoder.
        training: Whether dropout is active.
    """

    inputs = ()
    optional = ()
    position_inputs = ()
    flattens = False
    reads_pooled = False
    looks_up_tokens = False
    returns_logits = True

    def __init__(self, **kwargs):
        # Positions may come as floats, which half precision would round.
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True  # Each reads the mask in its own way.
        self._num_labels, self._label_names = 0, None

    @property
    def num_labels(self):
        """Number of labels, of a head whose outputs are those of labels."""
        return self._num_labels

    @property
    def label_names(self):
        """Names of the labels by their indices; `None` where unknown."""
        return self._label_names

    @label_names.setter
    def label_names(self, names):
        self._label_names = check_label_names(
            "label_names", names, self._num_labels
        )

    def _set_labels(self, number, names):
        self._num_labels, self.label_names = number, names

    def compute_mask(self, inputs, mask=None):
        return None

    def attach(self, encoder):
        """Makes the variables, of the encoder's sizes."""
        raise NotImplementedError

    def call(self, outputs, inputs, encoder, training=None):
        raise NotImplementedError

    def check_arrays(self, inputs, encoder):
        """Refuses arrays among the inputs that hold ids that do not exist."""
        length = inputs["token_ids"].shape[-1]
        for name in self.position_inputs:
            check_ids(name, inputs.get(name), 0, length)

    def check_targets(self, name, y, inputs, encoder, sample_weight=None):
        """Refuses targets that there are not, where they are arrays.

        Args:
            name: What to call them in the error.
            y: The targets.
            inputs: The inputs of the model, a dict.
            encoder: The encoder.
            sample_weight: Their weights; what has none is not looked at.
        """

    def target_kind(self):
        """What targets are, a `keras_dl.models.TargetKind`, or `None`."""
        return None

    def default_loss(self):
        """The loss of the task."""
        raise NotImplementedError

    def default_metrics(self):
        """The metrics of the task."""
        return []

    def predictions(self, outputs):
        """What logits mean: see `keras_dl.models.SupervisedModel`."""
        return outputs

    def _dense(self, encoder, size, units, name, **kwargs):
        """A dense layer on vectors of a size, with variables, as `encoder`'s.

        The last one computes in full precision: its outputs are logits.
        """
        dense = Dense(
            units,
            kernel_initializer=encoder.initializer(),
            name=name,
            **kwargs,
        )
        dense.build((None, size))
        return dense


class PooledHead(Head):
    """A head that reads the pooled output: `W drop(pooled) + b`."""

    reads_pooled = True

    def __init__(self, units, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self._units = units
        self.dropout = check_rate("dropout", dropout)
        self._drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def attach(self, encoder):
        if not encoder.pools:
            raise ValueError(
                f"{type(self).__name__} needs an encoder with a pooler. "
                f"Received: {encoder.name!r}, which has none (pooler=None); "
                "make or load it with one."
            )
        self.logits = self._dense(
            encoder, encoder.pooled_dim, self._units, "logits", dtype="float32"
        )
        self.built = True

    def call(self, outputs, inputs, encoder, training=None):
        return self.logits(
            self._drop(outputs["pooled_output"], training=training)
        )

    def get_config(self):
        return {**super().get_config(), "dropout": self.dropout}


class PooledChoice(PooledHead):
    """A pooled head whose outputs are logits of one choice of several."""

    def number_of_choices(self, inputs):
        """How many there are, of the inputs of the model, a dict."""
        raise NotImplementedError

    def default_loss(self):
        return LabelSmoothedCrossentropy()

    def predictions(self, outputs):
        return keras.ops.softmax(outputs)

    def default_metrics(self):
        return [TokenAccuracy(name="accuracy")]

    def check_targets(self, name, y, inputs, encoder, sample_weight=None):
        if y.ndim == 1 or y.shape[-1] == 1:
            number = self.number_of_choices(inputs)
            check_classes(name, y, number, sample_weight)
