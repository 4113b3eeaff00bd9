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

    def compile_arguments(self):
        """The arguments `loss`, `metrics` and so on of `compile`, a dict."""
        if getattr(self.model, "compiled", False):
            keras_names.require(self.model, "_compile_config")
            given = self.model._compile_config.config
            return {
                "loss": self.model.loss,
                "loss_weights": given.get("loss_weights"),
                "metrics": _copies(given.get("metrics")),
                "weighted_metrics": _copies(given.get("weighted_metrics")),
            }
        if hasattr(self.model, "default_loss"):
            return {
                "loss": self.model.default_loss(),
                "weighted_metrics": self._ask("default_metrics", None),
            }
        return {}

    def predictions(self, outputs):
        """What outputs mean; see `SupervisedModel.predictions`."""
        return self._ask("predictions", outputs, outputs)

    def targets(self, y):
        """Of targets, or their weights, those that the model takes."""
        return self._ask("targets", y, y)

    def trained_variables(self):
        """The variables of the model that an optimizer updates."""
        if self.model is None:
            return []
        own = self.model.trainable_variables
        return self._ask("trained_variables", own)

    def check_arrays(self, x, y=None):
        """Refuses arrays that hold what cannot be."""
        self._ask("check_arrays", None, x, y)

    def check_loss(self, loss):
        """Refuses a loss that does not fit the model's outputs."""
        self._ask("check_loss", None, loss)

    def _ask(self, name, default, *arguments):
        method = getattr(self.model, name, None)
        return default if method is None else method(*arguments)


def _copies(metrics):
    """The same metrics, of a state of their own."""

    def copy(metric):
        if isinstance(metric, keras.metrics.Metric):
            return type(metric).from_config(metric.get_config())
        return metric

    return keras.tree.map_structure(copy, metrics)
