"""Clustered weights: a few values for each matrix."""

import keras
import numpy as np
from keras import ops

from keras_dl.checks import check_choice, check_integer
from keras_dl.models import WeightReading

GRADIENTS = ("centroids", "identity")


@keras.saving.register_keras_serializable("keras_dl")
class ClusteredWeights(WeightReading):
    """Weights that read as the nearest of a few values.

        w' = c_k,  k = argmin_j |w - c_j|,  2^bits values c for each variable

    The values are the centres of k-means (scikit-learn's) of the weights that
    the trainer meets, from evenly spaced ones. A reading of weights for
    `keras_dl.training.SupervisedTrainer`; `finish()` leaves at most `2^bits`
    different numbers in each variable, which a file can store as indices.
    Weights that are 0, as they were pruned, stay 0: one of the values.

    Args:
        bits: Number of bits of an index, 1 to 8.
        gradient: `"centroids"`: weights stay in their clusters, whose values
            train: each gets the sum of the gradients of its weights;
            `"identity"`: values stay, and weights train as if they were read
            as they are (straight-through), and change clusters.
        paths: Regular expressions: which variables. By default all kernels.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed, or a path matches nothing.
        ImportError: By `attach`, if scikit-learn is not installed.

    Example:

    >>> model = keras_dl.applications.MLP((8,), num_outputs=3)
    >>> model.build((None, 4))
    >>> trainer = keras_dl.training.SupervisedTrainer(
    ...     model, readings=ClusteredWeights(bits=2)
    ... )
    >>> trainer.compile("sgd")
    >>> x, y = np.ones((6, 4), "float32"), np.array([0, 1, 2] * 2)
    >>> history = trainer.fit(x, y, verbose=0)
    >>> model = trainer.finish()
    >>> len(np.unique(ops.convert_to_numpy(model.head.kernel)))
    4

    Reference:
        Han, Mao and Dally, "Deep compression", 2016.
    """

    def __init__(self, bits=4, gradient="centroids", paths=None, **kwargs):
        super().__init__(paths, **kwargs)
        self.bits = check_integer("bits", bits, 1, 8)
        self.gradient = check_choice("gradient", gradient, GRADIENTS)
        self.centroids, self.codes = {}, {}

    def attach(self, model):
        super().attach(model)
        learns = self.gradient == "centroids"
        for i, (path, variable) in enumerate(self.of_variables.items()):
            if path in self.centroids:
                continue
            centres, codes = _clusters(variable, 2**self.bits)
            self.centroids[path] = self._keep(f"centroids_{i}", centres, learns)
            if learns:
                self.codes[path] = self._keep(f"codes_{i}", codes, False)

    def _keep(self, name, values, trainable):
        return self.add_weight(
            shape=values.shape,
            dtype=None if trainable else str(values.dtype),
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(
                values, dtype
            ),
            trainable=trainable,
            name=name,
        )

    def read(self, path, value):
        centres = ops.cast(self.centroids[path], value.dtype)
        zero = ops.equal(value, 0)
        if self.gradient == "centroids":
            codes = ops.convert_to_tensor(self.codes[path])
            found = ops.take(centres, ops.cast(codes, "int32"), axis=0)
            # A gradient of 0, not none at all, for the weights themselves.
            found = found + 0.0 * value
        else:
            middles = (centres[1:] + centres[:-1]) / 2
            codes = ops.searchsorted(middles, ops.reshape(value, (-1,)))
            nearest = ops.reshape(ops.take(centres, codes, axis=0), value.shape)
            # The very centres: sums of differences would be rounded.
            straight = value - ops.stop_gradient(value)
            found = ops.stop_gradient(nearest) + straight
        return ops.where(zero, ops.zeros_like(found), found)

    def get_config(self):
        own = {"bits": self.bits, "gradient": self.gradient}
        return super().get_config() | own


def _clusters(variable, number):
    """Centres of k-means, in ascending order, and the nearest of each weight.

    Weights of 0 are left out, and have one of the values for themselves.
    """
    from sklearn.cluster import KMeans

    weights = ops.convert_to_numpy(variable).astype("float32")
    others = weights[weights != 0]
    number -= int(others.size < weights.size)
    number = max(min(number, len(np.unique(others))), 1)
    if not others.size:
        return np.zeros(1, "float32"), np.zeros(weights.shape, "uint8")
    start = np.linspace(others.min(), others.max(), number)[:, None]
    means = KMeans(number, init=start, n_init=1).fit(others[:, None])
    centres = np.sort(means.cluster_centers_[:, 0]).astype("float32")
    middles = (centres[1:] + centres[:-1]) / 2
    return centres, np.searchsorted(middles, weights).astype("uint8")
