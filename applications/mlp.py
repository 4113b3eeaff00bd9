"""A multilayer perceptron with the head, loss and metrics of its task."""

import keras

from keras_dl.applications.bases.supervised import ModelByTask, check_units, run
from keras_dl.checks import check_rate
from keras_dl.layers import BatchNormalization


@keras.saving.register_keras_serializable("keras_dl")
class MLP(ModelByTask):
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
        batch_norm: Whether to put `keras_dl.layers.BatchNormalization` before
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
    >>> batches = data.train.batches(32, shuffle=True)
    >>> history = model.fit(batches, epochs=2, verbose=0)
    >>> model.predict(data.test.x, verbose=0).shape
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
        self._set_task(task, num_outputs, normalizer)
        self.units = check_units("units", units)
        self.activation = keras.activations.get(activation)
        self.dropout = check_rate("dropout", dropout)
        self.batch_norm = batch_norm
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
            yield BatchNormalization(dtype=dtype)
        yield keras.layers.Activation(self.activation, dtype=dtype)
        if self.dropout:
            yield keras.layers.Dropout(self.dropout, dtype=dtype)

    def build(self, input_shape):
        self._build_chain(input_shape, [*self.hidden, self.head])
        self.built = True

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.num_outputs)

    def call(self, inputs, training=None):
        x = run(self.hidden, self._normalized(inputs, training), training)
        return self.head(x)

    def layer_chains(self):
        """Paths of layers that follow one another, each read by the next."""
        return [[*(f"hidden/{i}" for i in range(len(self.hidden))), "head"]]

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "dropout": self.dropout,
            "batch_norm": self.batch_norm,
            "kernel_regularizer": keras.regularizers.serialize(
                self.kernel_regularizer
            ),
        }
