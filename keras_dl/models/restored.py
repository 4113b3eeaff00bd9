"""Models that keep their values when a step, or its data, fails."""

import keras

from keras_dl import backend


class RestoredModel(keras.Model):
    """A Keras model that is as it was before the step that fails.

    On JAX Keras moves the values out of the variables while it runs over data;
    an error would leave the model without them.

    What was compiled for variables that are gone, as layers in the model were
    replaced, is compiled anew; an optimizer of such variables is refused.

    Its steps are recorded on PyTorch; see docs/speed.md.

    Class attributes:
        cuda_graphs: Whether recorded steps become graphs of CUDA where they
            can. Untried, and so off.
    """

    cuda_graphs = False

    def make_train_function(self, force=False):
        self._forget_other_variables()
        self._check_optimizer()
        before = self.train_function
        super().make_train_function(force)
        if self.train_function is not before:
            self.train_function = backend.restore_on_error(
                self,
                self._without_python("train_function"),
                self._check_training_logs,
            )

    def make_test_function(self, force=False):
        self._forget_other_variables()
        before = self.test_function
        super().make_test_function(force)
        if self.test_function is not before:
            self.test_function = backend.restore_on_error(
                self, self._without_python("test_function")
            )

    def make_predict_function(self, force=False):
        self._forget_other_variables()
        before = self.predict_function
        function = super().make_predict_function(force)
        if self.predict_function is not before:
            function = backend.restore_on_error(
                self, self._without_python("predict_function")
            )
            self.predict_function = function
        return function

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # On TensorFlow Keras builds a model while it traces its first step: if
        # that fails, variables are left that hold nothing.
        if self._distribute_strategy is None:
            self._symbolic_build(iterator=iterator, data_batch=data_batch)
        else:
            super()._maybe_symbolic_build(iterator, data_batch)

    def _without_python(self, name):
        """What Keras calls with a batch, faster where the backend has that."""
        return backend.recorded_step(
            self, getattr(self, name), f"{type(self).__name__}.{name}"
        )

    def _forget_other_variables(self):
        """Drops compiled functions of variables that the model has no more."""
        now = frozenset(map(id, self.variables))
        if vars(self).setdefault("_compiled_for", now) != now:
            self.train_function = self.test_function = None
            self.predict_function = None
            vars(self)["_compiled_for"] = now

    def _check_optimizer(self):
        """Refuses an optimizer that has the variables of replaced layers."""
        optimizer = self.optimizer
        if optimizer is None or not optimizer.built:
            return
        held = set(map(id, self.variables))
        known = getattr(optimizer, "_trainable_variables", ())
        gone = [v.path for v in known if id(v) not in held]
        if gone:
            raise ValueError(
                f"The variables of {self.name!r} are others than when it was "
                "compiled, as layers were replaced: call `compile` again. Gone "
                f"are {gone[:4]}."
            )

    def _check_training_logs(self, logs):
        """Raises an error where the logs of a step are those of a failure."""
