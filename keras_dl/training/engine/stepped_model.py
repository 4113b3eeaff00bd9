"""The part of `Trainer` that meets Keras: steps under `fit`, logs, files."""

import contextlib
import dataclasses
import threading

import keras
import numpy as np
from keras import ops

from keras_dl import backend
from keras_dl.backend import keras_names
from keras_dl.layers.recurrent.states import states_of
from keras_dl.models.class_weight import ClassWeightedModel
from keras_dl.models.partly_trained import PartlyTrainedModel
from keras_dl.models.restored import RestoredModel
from keras_dl.models.serialization import ConfiguredModel
from keras_dl.training.engine.log_means import LogMeans
from keras_dl.training.engine.step_checks import (
    arranged,
    batch_size,
    check_logs,
    check_structure,
    names_of,
    normalize_data,
)

# Overridden below.
keras_names.require(keras.Model, "_symbolic_build", "_flatten_metrics_in_order")
# The key of the seed generators' states among the saved variables.
_SEEDS = "seed_states"


@dataclasses.dataclass
class Compiled:
    """What a compiled trainer remembers (Keras would track plain dicts)."""

    # As `compile` was asked for.
    jit_compile: object
    # Variables by the name of the optimizer that updates them.
    variables: dict = dataclasses.field(default_factory=dict)
    # The losses minimized in the step that runs now.
    minimized: list = dataclasses.field(default_factory=list)
    # The logs that are minimized losses, checked after the first step.
    loss_names: tuple = ()
    first_step_passed: bool = False
    # The names of metrics, whose results are logged as they are.
    metric_names: set | None = None


class _Step(threading.local):
    """Whether a step runs now, in this thread: replicas have one each."""

    runs = False


class SteppedModel(
    RestoredModel, PartlyTrainedModel, ClassWeightedModel, ConfiguredModel
):
    """A Keras model that trains and evaluates by plain stateful steps.

    It runs `training_step` and `evaluation_step` of its subclass as Keras'
    trainer of the backend expects, turns what they return into means over the
    epoch, counts as built when its networks are, keeps its values when a step
    fails, and saves seeds beside weights.
    """

    expects = None

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._training_means = LogMeans(name="training_means")
        self._evaluation_means = LogMeans(name="evaluation_means")
        self._step = _Step()

    def train_step(self, *args):
        *state, data = args
        step = self._logged(self.training_step, self._training_means)
        return backend.run_step(self, step, *state, self._weigh(data))

    def test_step(self, *args):
        step = self._logged(self.evaluation_step, self._evaluation_means)
        return backend.run_step(self, step, *args)

    def predict_step(self, *args):
        *state, data = args
        return super().predict_step(*state, (self._inputs_of(data),))

    def _inputs_of(self, data):
        """What of a batch `predict` passes on: what `x` is, or holds alone."""
        data = arranged(data, ("x", "y?", "sample_weight?"))
        return data[0] if isinstance(data, tuple) else data

    def _logged(self, step, means):
        """Wraps a step so that its logs become means over the epoch."""

        def logged(data):
            data = normalize_data(data, self.expects)
            if self.expects is not None:
                check_structure(data, self.expects, type(self).__name__)
            self._compiled.minimized = []
            with self._step_scope():
                logs = step(data)
                check_logs(logs, step)
                metric_names = self._metric_names()
                plain = {
                    name: backend.unscale(value)
                    for name, value in logs.items()
                    if name not in metric_names
                }
                means.update_state(plain, batch_size(data))
                means.metric_names = [k for k in logs if k in metric_names]
            if self._compiled.minimized:
                self._compiled.loss_names = names_of(
                    self._compiled.minimized, plain
                )
            self._compiled.minimized = []
            return {**logs, **means.means()}

        return logged

    @contextlib.contextmanager
    def _step_scope(self):
        self._step.runs = True
        try:
            yield
        finally:
            self._step.runs = False

    @property
    def metrics(self):
        # Keras' own mean of "the" loss has no place in a step like ours.
        return [m for m in super().metrics if m is not self._loss_tracker]

    def _own_metrics(self):
        return [m for m in self.metrics if not isinstance(m, LogMeans)]

    def _metric_names(self):
        if self._compiled.metric_names is None:
            names = {metric.name for metric in self._own_metrics()}
            self._compiled.metric_names = names | set(self._metric_results())
        return self._compiled.metric_names

    def _metric_results(self):
        results = {}
        for metric in self._own_metrics():
            if not getattr(metric, "built", True):
                continue
            result = metric.result()
            named = isinstance(result, dict)
            results.update(result if named else {metric.name: result})
        return results

    def get_metrics_result(self):
        results = self._metric_results()
        if self._step.runs:
            return results
        logs = {}
        for means in (self._training_means, self._evaluation_means):
            current = means.result()
            if current:
                logs.update(current)
                logs.update({k: results[k] for k in means.metric_names})
        return logs

    def _flatten_metrics_in_order(self, logs):
        """As Keras' lists of logs: the loss comes first."""
        if "loss" not in logs or len(logs) == 1:
            return super()._flatten_metrics_in_order(logs)
        others = {name: value for name, value in logs.items() if name != "loss"}
        found = super()._flatten_metrics_in_order(others)
        return [logs["loss"], *(found if isinstance(found, list) else [found])]

    def _check_training_logs(self, logs):
        """Refuses a training that starts with a loss that is not a number."""
        if self._compiled.first_step_passed:
            return
        self._compiled.first_step_passed = True
        bad = [
            name
            for name in self._compiled.loss_names
            if not bool(ops.convert_to_numpy(ops.isfinite(logs[name])))
        ]
        if bad:
            raise ValueError(
                f"The loss {bad} of {type(self).__name__} is not finite in "
                "the very first step. Look for NaN or infinity in the data, "
                "and for a logarithm or a division by zero in the loss; "
                "`compile(run_eagerly=True)` lets you inspect it."
            )

    def _symbolic_build(self, *args, **kwargs):
        # The data of a step need not be the input of `call`, with which Keras
        # would build: networks that are built already are enough.
        self._count_as_built()
        with self._step_scope():
            super()._symbolic_build(*args, **kwargs)

    def _count_as_built(self):
        parts = self._flatten_layers(include_self=False)
        if self.weights and all(part.built for part in parts):
            self.built = True
            self._change_as_saved()

    @property
    def variables(self):
        """All variables, the states of Keras' stateful layers too.

        Keras does not count these, and so loses them in steps on JAX.
        """
        found = {id(v): v for v in super().variables}
        for layer in self._flatten_layers(include_self=False):
            found.update((id(state), state) for state in states_of(layer))
        return list(found.values())

    def _seed_states(self):
        """The states of all seed generators, which Keras does not save."""
        weights = set(map(id, self.non_trainable_weights))
        return [
            variable
            for variable in self.non_trainable_variables
            # What a stateful layer remembers of the last batch is no seed.
            if id(variable) not in weights
            and not keras.backend.is_float_dtype(variable.dtype)
        ]

    def save_own_variables(self, store):
        """Saves the trainer's own variables and all seeds of its layers."""
        super().save_own_variables(store)
        states = [ops.convert_to_numpy(s) for s in self._seed_states()]
        if states:
            store[_SEEDS] = np.stack(states)

    def load_own_variables(self, store):
        names = list(store.keys())
        own = {name: store[name] for name in names}
        saved = own.pop(_SEEDS, None)
        states = self._seed_states()
        if saved is not None and len(saved) != len(states):
            raise ValueError(
                f"{type(self).__name__} {self.name!r} has {len(states)} seed "
                f"generators; the file holds {len(saved)}."
            )
        super().load_own_variables(own)
        if saved is not None:
            for state, value in zip(states, np.array(saved), strict=True):
                state.assign(value)

    def save_weights(self, filepath, overwrite=True, **kwargs):
        """As `keras.Model.save_weights`."""
        self._count_as_built()
        super().save_weights(filepath, overwrite, **kwargs)

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """As `keras.Model.load_weights`, but all or nothing.

        A file that does not fit, in a layer or in an optimizer, leaves the
        trainer as it was. The state of optimizers is read where the file has
        it and the trainer is compiled, whether it has trained yet or not.
        """
        self._build_optimizer()
        variables = [*self.variables, *self._optimizer_state()]
        before = [np.array(ops.convert_to_numpy(v)) for v in variables]
        try:
            super().load_weights(filepath, skip_mismatch, **kwargs)
        except Exception:
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)
            raise

    def _build_optimizer(self):
        """Makes its variables, where those that it updates are there."""
        self._count_as_built()
        optimizer = getattr(self, "optimizer", None)
        if self.built and optimizer is not None and not optimizer.built:
            optimizer.build(self.trainable_variables)

    def _optimizer_state(self):
        optimizer = getattr(self, "optimizer", None)
        return [] if optimizer is None else optimizer.variables
