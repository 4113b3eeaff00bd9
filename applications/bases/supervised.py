"""Loss, metrics and predictions that follow from a model's task."""

import functools
import inspect
import numbers

import keras
import numpy as np

from keras_dl.applications.bases.label_auc import LabelAUC
from keras_dl.checks import check_choice
from keras_dl.models import TargetKind
from keras_dl.models.ranges import check_classes, check_finite
from keras_dl.models.supervised_model import (
    SupervisedModel,
    check_takes_logits,
)

_ACTIVATIONS = {
    "binary": "sigmoid",
    "multiclass": "softmax",
    "multilabel": "sigmoid",
    "regression": "linear",
}
_TARGETS = {
    "binary": "labels",
    "multiclass": "classes",
    "multilabel": "labels",
    "regression": "numbers",
}


class ModelByTask(SupervisedModel):
    """A model whose `task` says what its logits mean.

    `normalizer` is a layer that the inputs go through first. The class
    docstring of `keras_dl.applications.MLP` has the table of tasks.
    """

    def _set_task(self, task, num_outputs, normalizer):
        self.task = check_choice("task", task, _ACTIVATIONS)
        self.num_outputs = _check_num_outputs(num_outputs, task)
        self.normalizer = _check_normalizer(normalizer)

    def _normalized(self, inputs, training=None):
        """The inputs as numbers, through the normalizer if there is one."""
        x = inputs
        if not keras.backend.is_float_dtype(x.dtype):
            x = keras.ops.cast(x, self.variable_dtype)
        if self.normalizer is None:
            return x
        return run([self.normalizer], x, training)

    def _build_chain(self, shape, layers):
        """Builds layers that stand one after the other, the normalizer first.

        Returns:
            The shape that comes out.
        """
        _check_adapted(self.normalizer)
        first = [] if self.normalizer is None else [self.normalizer]
        shape = tuple(shape)
        for layer in [*first, *layers]:
            if not layer.built:
                layer.build(shape)
            shape = layer.compute_output_shape(shape)
        return shape

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

    def check_loss(self, loss):
        if self.task != "regression":
            check_takes_logits(loss)

    def target_kind(self):
        kind = _TARGETS[self.task]
        return TargetKind(kind, num_classes=self.num_outputs)

    def default_loss(self):
        if self.task == "regression":
            return keras.losses.MeanSquaredError()
        if self.task == "multiclass":
            return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return keras.losses.BinaryCrossentropy(from_logits=True)

    def default_metrics(self):
        if self.task == "regression":
            return [keras.metrics.MeanAbsoluteError(name="mae")]
        if self.task == "multiclass":
            return ["accuracy"]
        several = self.task == "multilabel"
        labels = self.num_outputs if several else None
        return [
            keras.metrics.BinaryAccuracy(name="accuracy"),
            LabelAUC(multi_label=several, num_labels=labels, name="auc"),
        ]

    def check_arrays(self, x, y=None, sample_weight=None):
        if not isinstance(y, np.ndarray):
            return
        if self.task != "multiclass":
            check_finite("y", y, sample_weight)
        elif y.ndim == 1 or y.shape[-1] == 1:
            # Of any weight: Keras' loss looks at all of them.
            check_classes("y", y, self.num_outputs)

    def predictions(self, outputs):
        return keras.activations.get(_ACTIVATIONS[self.task])(outputs)

    def get_config(self):
        return {
            **super().get_config(),
            "task": self.task,
            "num_outputs": self.num_outputs,
            "normalizer": keras.saving.serialize_keras_object(self.normalizer),
        }


def run(layers, x, training):
    """Runs layers, one after the other.

    They are told of `training`: Keras does so by itself only where a model is
    called, and its steps on JAX do not call it.
    """
    for layer in layers:
        x = layer(x, training=training) if _trains(type(layer)) else layer(x)
    return x


@functools.cache
def _trains(layer_class):
    return "training" in inspect.signature(layer_class.call).parameters


def check_units(name, units):
    """Widths of layers as a tuple of integers of at least 1."""
    if not isinstance(units, (list, tuple)) or not all(map(_is_count, units)):
        raise ValueError(
            f"`{name}` must be a list or tuple of integers of at least 1. "
            f"Received: {name}={units!r}."
        )
    return tuple(map(int, units))


def _is_count(value, minimum=1):
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return whole and value >= minimum


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
