"""Epoch means of what a step returns."""

import keras
from keras import ops


class LogMeans(keras.metrics.Metric):
    """Running means of a dict of scalars, weighted by batch size.

    The names are learnt from the first update, so a step declares nothing.
    All sums live in one vector: one update a step, however many logs.

    Args:
        capacity: Integer, how many logs fit.
        name: String.
    """

    def __init__(self, capacity=64, name="log_means"):
        super().__init__(name=name)
        self.capacity = capacity
        self.names = None
        # The last entry is the sum of the weights.
        self.sums = self.add_variable((capacity + 1,), "zeros", name="sums")

    def update_state(self, logs, sample_weight=1.0):
        """Adds one step's logs, and fixes their names on the first call."""
        if self.names is None:
            self._learn(list(logs))
        if set(logs) != set(self.names):
            raise ValueError(
                "A step must return the same logs each time. It returned "
                f"{sorted(self.names)} before, and {sorted(logs)} now."
            )
        weight = ops.cast(sample_weight, "float32")
        values = [
            ops.cast(ops.convert_to_tensor(logs[name]), "float32")
            for name in self.names
        ]
        values = ops.stack([*values, ops.ones(())]) * weight
        unused = self.capacity - len(self.names)
        self.sums.assign_add(
            ops.concatenate([values[:-1], ops.zeros((unused,)), values[-1:]])
        )

    def _learn(self, names):
        if len(names) > self.capacity:
            raise ValueError(
                f"A step can return {self.capacity} logs at most. "
                f"Received: {len(names)}"
            )
        self.names = names

    def means(self):
        """The means so far, as a dict of scalar tensors."""
        if not self.names:
            return {}
        sums = ops.convert_to_tensor(self.sums)
        means = ops.unstack(sums[: len(self.names)] / sums[-1])
        return dict(zip(self.names, means, strict=True))

    def result(self):
        """The means, or nothing if there was no update since the reset."""
        empty = float(ops.convert_to_numpy(self.sums)[-1]) == 0.0
        return {} if empty else self.means()
