"""Models that keep their values when a step, or its data, fails."""

import keras

from keras_dl import backend


class RestoredModel(keras.Model):
    """A Keras model that is as it was before the step that fails.

    On JAX Keras moves the values out of the variables while it runs over data;
    an error would leave the model without them.

    Its steps are recorded on PyTorch; see docs/speed.md.

    Class attributes:
        cuda_graphs: Whether recorded steps become graphs of CUDA where they
            can. Untried, and so off.
    """

    cuda_graphs = False

    def make_train_function(self, force=False):
        before = self.train_function
        super().make_train_function(force)
        if self.train_function is not before:
            self.train_function = backend.restore_on_error(
                self,
                self._without_python("train_function"),
                self._check_training_logs,
            )

    def make_test_function(self, force=False):
        before = self.test_function
        super().make_test_function(force)
        if self.test_function is not before:
            self.test_function = backend.restore_on_error(
                self, self._without_python("test_function")
            )

    def make_predict_function(self, force=False):
        before = self.predict_function
        function = super().make_predict_function(force)
        if self.predict_function is not before:
            function = backend.restore_on_error(
                self, self._without_python("predict_function")
            )
            self.predict_function = function
        return function

    def _without_python(self, name):
        """What Keras calls with a batch, faster where the backend has that."""
        return backend.recorded_step(
            self, getattr(self, name), f"{type(self).__name__}.{name}"
        )

    def _check_training_logs(self, logs):
        """Raises an error where the logs of a step are those of a failure."""
