"""A multilayer perceptron with the head, loss and metrics of its task."""

import inspect
import numbers

import keras

from keras_dl.applications._portable import PortableModel
from keras_dl.checks import check_choice, check_rate

_ACTIVATIONS = {
    "binary": "sigmoid",
    "multiclass": "softmax",
    "multilabel": "sigmoid",
    "regression": "linear",
}


@keras.saving.register_keras_serializable("keras_dl")
class MLP(PortableModel):
    """Multilayer perceptron for classification and regression.

    Dense layers, one after the other, and a head that fits the task:

        h_0 = normalizer(x)
        h_i = dropout(activation(norm(W_i h_{i-1} + b_i)))
        logits = W h_n + b

    | task         | target `y`                    | loss, from logits        |
    |--------------|-------------------------------|--------------------------|
    | `binary`     | 0 or 1, `(n,)` or `(n, 1)`    | binary crossentropy      |
    | `multiclass` | class index, `(n,)`           | categorical crossentropy |
    | `multilabel` | 0 or 1, `(n, num_outputs)`    | binary crossentropy      |
    | `regression` | real, `(n, num_outputs)`      | mean squared error       |

    | task         | `predict`, and what metrics see | metrics        |
    |--------------|---------------------------------|----------------|
    | `binary`     | `sigmoid(logits)`: probability  | accuracy, AUC  |
    | `multiclass` | `softmax(logits)`: they sum to 1| accuracy       |
    | `multilabel` | `sigmoid(logits)`, each alone   | accuracy, AUC  |
    | `regression` | the value itself                | absolute error |

    **Logits or probabilities.** Calling the model gives logits, and the loss is
    computed from them: that is exact where probabilities round to 0 or 1, and
    the same on every backend. `predict` and `predict_on_batch` give
    probabilities, and so metrics receive probabilities too, whichever you pass.
    A loss that you pass receives logits: give it `from_logits=True`.

    **Shapes.** `(batch, ..., features)` to `(batch, ..., num_outputs)`: the
    layers act on the last axis. Integer inputs are taken as numbers.

    **Masking.** A mask on the inputs is passed on to the outputs, so that loss
    and metrics leave those positions out, and so do the statistics of
    `batch_norm`.

    **Precision.** Under `mixed_bfloat16` and `mixed_float16` the hidden layers
    compute in half precision and the head in `float32`. The normalizer follows
    its own policy, and is handed the inputs as they come: make it with
    `dtype="float32"` if a global policy is mixed.

    Args:
        units: Integers, the width of each hidden layer. With `()` the model is
            linear: logistic, softmax or linear regression.
        task: `"binary"`, `"multiclass"`, `"multilabel"` or `"regression"`.
        num_outputs: Number of classes, labels or values. Required for
            `multiclass` (2 or more) and `multilabel`; 1 for `binary`, and by
            default 1 for `regression`.
        activation: Activation of the hidden layers.
        dropout: Fraction of each hidden layer's outputs to drop, in [0, 1).
        batch_norm: Whether to put `keras.layers.BatchNormalization` before
            each activation.
        normalizer: Keras layer that the inputs go through first, saved with
            the model. `keras.layers.Normalization()` standardizes each feature
            once it has been adapted: call `adapt` before `fit`. It divides a
            feature that is constant in the training data by almost 0: for
            pixels take `Normalization(axis=None)`, one mean and variance for
            all, or `keras.layers.Rescaling(1 / 255)`.
        kernel_regularizer: Regularizer of every kernel, the head's included.
        **kwargs: Arguments of `keras.Model`, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, ..., features)`.
        training: Whether dropout and batch normalization are in training mode.

    Raises:
        ValueError: If an argument is not allowed, at once; and by `compile`,
            if a loss takes logits for probabilities.
        TypeError: If `normalizer` is not a Keras layer.

    Example:

    >>> data = keras_dl.datasets.load("digits")
    >>> model = MLP(
    ...     units=(128,),
    ...     num_outputs=10,
    ...     normalizer=keras.layers.Normalization(axis=None),
    ... )
    >>> model.adapt(data.train.x)
    >>> model.compile()
    >>> model.fit(data.train.batches(32, shuffle=True), epochs=10)
    >>> model.predict(data.test.x).shape
    (359, 10)

    Reference:
        Rumelhart, Hinton and Williams, "Learning representations by
        back-propagating errors", Nature 323, 1986. It uses sigmoid units and
        squared error throughout; batch normalization, dropout and the
        crossentropy heads are later.
    """

    def __init__(
        self,
        units=(64, 64),
        task="multiclass",
        num_outputs=None,
        activation="relu",
        dropout=0.0,
        batch_norm=False,
        normalizer=None,
        kernel_regularizer=None,
        **kwargs,
    ):
        # Inputs are not cast to half precision on entry: they may be far out
        # of its range before they are normalized. Each layer casts its own.
        super().__init__(autocast=False, **kwargs)
        self.units = _check_units(units)
        self.task = check_choice("task", task, _ACTIVATIONS)
        self.num_outputs = _check_num_outputs(num_outputs, task)
        self.activation = keras.activations.get(activation)
        self.dropout = check_rate("dropout", dropout)
        self.batch_norm = batch_norm
        self.normalizer = _check_normalizer(normalizer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.supports_masking = True

        self.hidden = []
        for width in self.units:
            self.hidden.extend(self._hidden_layers(width))
        self.head = keras.layers.Dense(
            self.num_outputs,
            kernel_regularizer=self.kernel_regularizer,
            dtype=self.variable_dtype,
            name="head",
        )

    def _hidden_layers(self, width):
        """Dense, then batch normalization, activation and dropout."""
        dtype = self.dtype_policy
        yield keras.layers.Dense(
            width,
            use_bias=not self.batch_norm,
            kernel_regularizer=self.kernel_regularizer,
            dtype=dtype,
        )
        if self.batch_norm:
            yield keras.layers.BatchNormalization(dtype=dtype)
        yield keras.layers.Activation(self.activation, dtype=dtype)
        if self.dropout:
            yield keras.layers.Dropout(self.dropout, dtype=dtype)

    def build(self, input_shape):
        _check_adapted(self.normalizer)
        first = [] if self.normalizer is None else [self.normalizer]
        shape = tuple(input_shape)
        for layer in [*first, *self.hidden, self.head]:
            if not layer.built:
                layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.num_outputs)

    def call(self, inputs, training=None):
        x = inputs
        if not keras.backend.is_float_dtype(x.dtype):
            x = keras.ops.cast(x, self.variable_dtype)
        if self.normalizer is not None:
            x = self.normalizer(x)
        for layer in self.hidden:
            x = layer(x)  # Keras hands `training` and the mask on.
        return self.head(x)

    def adapt(self, data):
        """Lets the normalizer learn its statistics: mean and variance.

        Args:
            data: The training inputs and no others: an array, or batches such
                as `data.train.batches(256)`, whose targets are passed over.

        Raises:
            ValueError: If the model has no normalizer that can be adapted.
        """
        if not hasattr(self.normalizer, "adapt"):
            raise ValueError(
                "`adapt` needs a model whose `normalizer` can be adapted, such "
                "as keras.layers.Normalization(). Received: "
                f"normalizer={self.normalizer}."
            )
        self.normalizer.adapt(data)
        # Compiled functions hold the old statistics as constants.
        self.train_function = None
        self.test_function = None
        self.predict_function = None

    def compile(self, optimizer="adam", loss=None, *, metrics=None, **kwargs):
        """Prepares for training, by default as the task asks for.

        Args:
            optimizer: Optimizer, or its name.
            loss: Loss of the logits. `None`: that of the task.
            metrics: List of metrics of the predictions (probabilities, for a
                classifier). `None`: those of the task; `[]`: none.
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If `loss` takes its input for probabilities.
        """
        if loss is None:
            loss = self._default_loss()
        elif self.task != "regression" and _takes_probabilities(loss):
            raise ValueError(
                "`loss` must take logits, which is what this model returns: "
                "make it with `from_logits=True`. Received: "
                f"loss={loss!r}."
            )
        if metrics is None:
            metrics = self._default_metrics()
        super().compile(
            optimizer=optimizer, loss=loss, metrics=metrics, **kwargs
        )

    def _default_loss(self):
        if self.task == "regression":
            return keras.losses.MeanSquaredError()
        if self.task == "multiclass":
            return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return keras.losses.BinaryCrossentropy(from_logits=True)

    def _default_metrics(self):
        if self.task == "regression":
            return [keras.metrics.MeanAbsoluteError(name="mae")]
        if self.task == "multiclass":
            return ["accuracy"]
        several = self.task == "multilabel"
        labels = self.num_outputs if several else None
        return [
            keras.metrics.BinaryAccuracy(name="accuracy"),
            keras.metrics.AUC(
                multi_label=several, num_labels=labels, name="auc"
            ),
        ]

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Updates the metrics, with predictions in place of logits."""
        predictions = self._predictions(y_pred)
        return super().compute_metrics(x, y, predictions, sample_weight)

    def predict(self, x, *args, **kwargs):
        """Predictions as a NumPy array: probabilities, or values.

        Args:
            x: Inputs, as `keras.Model.predict` takes them.
            *args: Further arguments of `keras.Model.predict`.
            **kwargs: Likewise.

        Returns:
            Array of shape `(n, ..., num_outputs)`: see the class.
        """
        logits = super().predict(x, *args, **kwargs)
        return keras.ops.convert_to_numpy(self._predictions(logits))

    def predict_on_batch(self, x):
        """Predictions for a single batch; see `predict`."""
        logits = super().predict_on_batch(x)
        return keras.ops.convert_to_numpy(self._predictions(logits))

    def _predictions(self, logits):
        return keras.activations.get(_ACTIVATIONS[self.task])(logits)

    def get_config(self):
        config = super().get_config()
        config.update(
            units=self.units,
            task=self.task,
            num_outputs=self.num_outputs,
            activation=keras.activations.serialize(self.activation),
            dropout=self.dropout,
            batch_norm=self.batch_norm,
            normalizer=keras.saving.serialize_keras_object(self.normalizer),
            kernel_regularizer=keras.regularizers.serialize(
                self.kernel_regularizer
            ),
        )
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        config["normalizer"] = keras.saving.deserialize_keras_object(
            config["normalizer"]
        )
        return super().from_config(config)


def _is_count(value, minimum=1):
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return whole and value >= minimum


def _check_units(units):
    if not isinstance(units, (list, tuple)) or not all(map(_is_count, units)):
        raise ValueError(
            "`units` must be a list or tuple of integers of at least 1. "
            f"Received: units={units!r}."
        )
    return tuple(map(int, units))


def _check_num_outputs(num_outputs, task):
    if num_outputs is None and task in ("binary", "regression"):
        return 1
    minimum = 2 if task == "multiclass" else 1
    allowed = _is_count(num_outputs, minimum)
    if not allowed or (task == "binary" and num_outputs != 1):
        rule = "1" if task == "binary" else f"an integer of at least {minimum}"
        raise ValueError(
            f"`num_outputs` must be {rule} for task={task!r}. "
            f"Received: num_outputs={num_outputs!r}."
        )
    return int(num_outputs)


def _check_normalizer(normalizer):
    if normalizer is not None and not isinstance(normalizer, keras.Layer):
        raise TypeError(
            "`normalizer` must be a Keras layer, such as "
            "keras.layers.Normalization(), or None. "
            f"Received: normalizer={normalizer!r}."
        )
    return normalizer


def _check_adapted(normalizer):
    # Keras keeps the statistics as constants, made when the layer is built:
    # made inside `fit` they would belong to a trace that is gone.
    if hasattr(normalizer, "adapt") and not normalizer.built:
        raise ValueError(
            "`normalizer` must know its statistics before the model is built: "
            "call `model.adapt(x)` with the training inputs first, or "
            "`normalizer.build((None, num_features))` if they were given to "
            f"it. Received: normalizer={normalizer}, which is not built."
        )


def _takes_probabilities(loss):
    """Whether a loss could take logits, but was made for probabilities."""
    loss = keras.losses.get(loss)
    if hasattr(loss, "from_logits"):
        return not loss.from_logits
    option = inspect.signature(loss).parameters.get("from_logits")
    return option is not None and option.default is False
