"""What any model is trained on: as it was compiled, or as it says."""

import keras

from keras_dl.backend import keras_names


class Task:
    """What a method asks of a model that it is to train.

    A model that was compiled trains as it was compiled, with copies of its
    metrics. Another one may say by methods what it trains on, as
    `SupervisedModel` does; where it says nothing this is left open.

    Args:
        model: A Keras layer or model, or `None`: a task of nothing.
    """

    def __init__(self, model):
        self.model = model

    def loss(self):
        """The arguments of `compile` about the loss, a dict."""
        if self._is_compiled():
            given = self._compile_config()
            weights = given.get("loss_weights")
            return {"loss": self.model.loss, "loss_weights": weights}
        loss = self._ask("default_loss", None)
        return {} if loss is None else {"loss": loss}

    def metrics(self):
        """The arguments of `compile` about the metrics, a dict."""
        if self._is_compiled():
            given = self._compile_config()
            names = "metrics", "weighted_metrics"
            return {name: _copies(given.get(name)) for name in names}
        return {"weighted_metrics": self._ask("default_metrics", None)}

    def _is_compiled(self):
        return getattr(self.model, "compiled", False)

    def _compile_config(self):
        keras_names.require(self.model, "_compile_config")
        return self.model._compile_config.config

    def predictions(self, outputs):
        """What outputs mean; see `SupervisedModel.predictions`."""
        return self._ask("predictions", outputs, outputs)

    def targets(self, y):
        """Of targets, or their weights, those that the model takes."""
        return self._ask("targets", y, y)

    def target_kind(self):
        """What targets are, a `TargetKind`, or `None`."""
        return self._ask("target_kind", None)

    def untrained_variables(self):
        """The variables of the model that no optimizer updates."""
        if self.model is None:
            return []
        trained = set(map(id, self.model.trainable_variables))
        return [v for v in self.model.variables if id(v) not in trained]

    def check_arrays(self, x, y=None, sample_weight=None):
        """Refuses arrays that hold what cannot be."""
        self._ask("check_arrays", None, x, y, sample_weight)

    def check_loss(self, loss):
        """Refuses a loss that does not fit the model's outputs."""
        self._ask("check_loss", None, loss)

    def _ask(self, name, default, *arguments):
        method = getattr(self.model, name, None)
        return default if method is None else method(*arguments)


def _copies(metrics):
    """The same metrics, of a state of their own."""

    def copy(metric):
        if not isinstance(metric, keras.metrics.Metric):
            return metric
        try:
            return type(metric).from_config(metric.get_config())
        except Exception as error:  # Whatever a class of the user says.
            raise ValueError(
                f"The metric {metric.name!r} of the model cannot be copied by "
                "its config: give `metrics` to `compile`."
            ) from error

    return keras.tree.map_structure(copy, metrics)
