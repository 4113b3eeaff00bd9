"""`SupervisedModel`: a model that knows what it is trained on."""

import inspect

import keras

from keras_dl import backend
from keras_dl.checks import check_counts_updates
from keras_dl.models.checked_data import run_checked
from keras_dl.models.class_weight import ClassWeightedModel
from keras_dl.models.partly_trained import PartlyTrainedModel
from keras_dl.models.restored import RestoredModel
from keras_dl.models.serialization import ConfiguredModel
from keras_dl.models.target_fit import TargetFit


class SupervisedModel(
    RestoredModel, PartlyTrainedModel, ClassWeightedModel, ConfiguredModel
):
    """A Keras model with the loss, metrics and predictions of its task.

    The base of the models of `keras_dl.applications`, and of your own that are
    to be trained by every method: under plain `fit`, and by whatever takes a
    model, such as `keras_dl.training.SupervisedTrainer`, which ask it for

    | method                | says                                             |
    |-----------------------|--------------------------------------------------|
    | `default_loss()`      | the loss of what a call returns                  |
    | `default_metrics()`   | the metrics of its predictions                   |
    | `predictions(outputs)`| what outputs mean: probabilities or values       |
    | `targets(y)`          | of targets, or their weights, those it takes     |
    | `target_kind()`       | what they are: a class, labels, numbers          |
    | `untrained_variables()`| what no optimizer updates                       |
    | `check_arrays(x, y, w)`| refuses data that hold what cannot be           |
    | `feature_paths()`     | names of features: `keras_dl.models.taps`        |
    | `embedding_paths()`   | look-ups of tokens: `keras_dl.models.embed`      |
    | `layer_chains()`      | paths of layers, each read by the next alone:    |
    |                       | `keras_dl.compression.remove_units`              |

    Each has a default but the first.

    **Logits or probabilities: one rule.** Calling a model gives logits, and
    losses take logits: exact where probabilities round to 0 or 1. `predict`
    and `predict_on_batch` give `predictions`, and metrics get what `predict`
    gives. Predictions are probabilities wherever classes are told apart (of an
    example, a choice or a token that is tagged) and the value itself in a
    regression. Where one of a whole vocabulary or a position in a text is
    chosen they are the logits: a search follows, which adds up their
    logarithms, and small probabilities would round to 0. `predict_logits` gives
    what a call returns, of any model.

    **Default metrics** see sample weights, as the loss does: they are Keras'
    `weighted_metrics`.

    Args:
        **kwargs: Arguments of `keras.Model`.

    Example: a model with a loss of its own.

    >>> @keras.saving.register_keras_serializable("my_package")
    ... class Counter(keras_dl.models.SupervisedModel):
    ...     def __init__(self, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.head = keras.layers.Dense(1)
    ...
    ...     def call(self, inputs):
    ...         return self.head(inputs)
    ...
    ...     def default_loss(self):
    ...         return keras.losses.Poisson(reduction="sum_over_batch_size")
    ...
    ...     def predictions(self, outputs):
    ...         return ops.maximum(outputs, 0.0)
    >>> model = Counter()
    >>> model.compile("sgd")
    >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    >>> model.predict(np.ones((4, 2)), verbose=0).shape
    (4, 1)
    """

    _target_fit = TargetFit(None)

    def default_loss(self):
        """The loss of what a call returns; of several outputs a dict."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement `default_loss(self)`."
        )

    def default_metrics(self):
        """Metrics of the predictions: a list; of several outputs a dict."""
        return []

    def predictions(self, outputs):
        """What outputs mean: probabilities or values; see the class."""
        return outputs

    def check_arrays(self, x, y=None, sample_weight=None):
        """Refuses arrays that hold what cannot be, such as unknown ids.

        `fit`, `evaluate` and `predict` ask it of all data, whole or in batches,
        before a step has seen them; see `keras_dl.models.check_ids`.
        """

    def check_loss(self, loss):
        """Refuses a loss that does not fit the outputs; see `takes_logits`."""

    def train_step(self, *args):
        """As `keras.Model.train_step`; see `backend.fused_updates`."""
        with backend.fused_updates(self.optimizer):
            return super().train_step(*args)

    def compile(
        self,
        optimizer="adam",
        loss=None,
        *,
        metrics=None,
        weighted_metrics=None,
        **kwargs,
    ):
        """Prepares for training, by default as the task asks for.

        Args:
            optimizer: Optimizer, or its name.
            loss: Loss of the logits; that of the task by default.
            metrics: Metrics of the predictions, which see no sample weights.
            weighted_metrics: Metrics of the predictions, which do. Those of
                the task by default, if there are no `metrics` either;
                `metrics=[]`: none.
            **kwargs: Further arguments of `keras.Model.compile`, such as
                `loss_weights`.

        Raises:
            ValueError: If `loss` takes its input for probabilities, or it or
                a metric is for targets of another kind.
        """
        check_counts_updates(keras.optimizers.get(optimizer))
        if loss is None:
            loss = self.default_loss()
        else:
            self.check_loss(loss)
        if metrics is None and weighted_metrics is None:
            weighted_metrics = self.default_metrics()
        self._target_fit = TargetFit(
            self.target_kind(), loss, metrics, weighted_metrics
        )
        super().compile(
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            **kwargs,
        )

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        """The compiled loss, of the targets that the model takes.

        Raises:
            ValueError: If there are none, or none that fit the loss.
        """
        self._need_targets(y)
        y, weights = self.targets(y), self.targets(sample_weight)
        self._target_fit.check(y, y_pred)
        weights = self._target_fit.weights(weights, y_pred)
        return super().compute_loss(x, y, y_pred, weights, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Updates the metrics, with predictions in place of outputs."""
        self._need_targets(y)
        y, weights = self.targets(y), self.targets(sample_weight)
        self._target_fit.check(y, y_pred)
        return super().compute_metrics(x, y, self.predictions(y_pred), weights)

    def _need_targets(self, y):
        if y is None:
            raise ValueError(
                f"{type(self).__name__} is trained on targets: give `y`, or "
                "batches `(x, y)`. Received: y=None."
            )

    def _check_data(self, x, y=None, sample_weight=None):
        """Refuses arrays, in the words of the model and of its targets."""
        self.check_arrays(x, y, sample_weight)
        if y is not None:
            self._target_fit.check_arrays(self.targets(y))

    def fit(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.fit`, with a check of what the data hold.

        `class_weight`, a dict by class indices or by names of labels, weighs
        each target that has a class, and may stand beside `sample_weight`.
        """
        return self._checked(super().fit, x, y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.evaluate`, with a check of what the data hold."""
        return self._checked(super().evaluate, x, y, *args, **kwargs)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        """As `keras.Model.train_on_batch`, with a check of what arrays hold."""
        return self._checked(super().train_on_batch, x, y, *args, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        """As `keras.Model.test_on_batch`, with a check of what arrays hold."""
        return self._checked(super().test_on_batch, x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """Predictions as NumPy arrays; see the class.

        Args:
            x: Inputs, as `keras.Model.predict` takes them.
            *args: Further arguments of `keras.Model.predict`.
            **kwargs: Likewise.

        Returns:
            An array, or a dict of them.
        """
        return self._as_predictions(self.predict_logits(x, *args, **kwargs))

    def predict_logits(self, x, *args, **kwargs):
        """As `predict`, but what a call returns."""
        return self._checked(super().predict, x, *args, **kwargs)

    def predict_on_batch(self, x):
        """Predictions for a single batch; see `predict`."""
        outputs = self._checked(super().predict_on_batch, x)
        return self._as_predictions(outputs)

    def _checked(self, run, *args, **kwargs):
        return run_checked(self._check_data, run, *args, **kwargs)

    def _as_predictions(self, outputs):
        return keras.tree.map_structure(
            keras.ops.convert_to_numpy, self.predictions(outputs)
        )


def check_takes_logits(loss):
    """Refuses a loss that could take logits, but was made for probabilities.

    Args:
        loss: A loss, or what `keras.losses.get` makes one of.

    Raises:
        ValueError: If it has `from_logits=False`.
    """
    found = keras.losses.get(loss)
    if hasattr(found, "from_logits"):
        wrong = not found.from_logits
    else:
        option = inspect.signature(found).parameters.get("from_logits")
        wrong = option is not None and option.default is False
    if wrong:
        raise ValueError(
            "`loss` must take logits, which is what this model returns: make "
            f"it with `from_logits=True`. Received: loss={loss!r}."
        )
