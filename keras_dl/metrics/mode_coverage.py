"""How many modes of known data a generator covers."""

import keras
import numpy as np
from keras import ops

from keras_dl.checks import check_positive
from keras_dl.metrics._parts.examples import example_weights
from keras_dl.metrics._parts.sums import Sums


@keras.saving.register_keras_serializable("keras_dl")
class ModeCoverage(Sums):
    """Modes covered by samples, their quality, and how uneven they are.

    A sample belongs to the mode whose centre is nearest, and is of high
    quality if it is nearer to it than `distance * std`.

        modes = number of modes with a sample of high quality
        quality = share of the samples that are of high quality
        reverse_kl = sum_k h_k log(h_k K) = log K - H(h)

    where h is the histogram over the K modes of the samples of high quality,
    and H its entropy: `reverse_kl` is 0 if all modes have as many of them, and
    log K if one mode has all. Quality alone does not tell a collapse: samples
    of a single mode can all be good.

    **Shapes and units.** `samples` has shape `(batch, dimensions)`. The result
    is a dictionary of the three numbers, over all samples since the last
    reset; `reverse_kl` is in nats, and NaN as long as no sample is of high
    quality. Papers draw 2500 samples. It is no metric for `compile`, which
    compares targets and predictions: make it an attribute of a trainer and
    update it in `evaluation_step`, or call it in a loop. Callbacks that
    monitor one of the three need a `mode`.

    **Masking.** A sample does not count if its `sample_weight` is 0. One that
    is NaN or infinite counts, and is not of high quality.

    **Precision.** Computed in float32, whatever the dtype of `samples`.

    Args:
        modes: Centres of the modes, of shape `(modes, dimensions)`.
        std: Standard deviation of a mode.
        distance: How many standard deviations from its centre a sample of
            high quality may be.
        name: Name of the metric.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example:

    >>> points, centres = keras_dl.datasets.ring_of_gaussians(2500, std=0.02)
    >>> metric = ModeCoverage(centres, std=0.02)
    >>> metric.update_state(points[points[:, 0] > 0.5])
    >>> metric.result()["modes"]
    3.0

    Reference:
        Srivastava, Valkov, Russell, Gutmann and Sutton, "VEEGAN: Reducing Mode
        Collapse in GANs using Implicit Variational Learning", NeurIPS 2017.
        Lin, Khetan, Fanti and Oh, "PacGAN: The power of two samples in
        generative adversarial networks", NeurIPS 2018.
    """

    def __init__(
        self, modes, std, distance=3.0, name="mode_coverage", dtype=None
    ):
        modes = _centres(modes)
        super().__init__((len(modes) + 1,), name=name, dtype=dtype)
        self.modes = modes
        self.std = check_positive("std", std)
        self.distance = check_positive("distance", distance)

    def update_state(self, samples, sample_weight=None):
        samples = ops.cast(ops.convert_to_tensor(samples), "float32")
        self._check(samples)
        weights = example_weights(sample_weight, samples)
        # Not by a product of matrices, which would lose what a small `std`
        # leaves of the distance.
        apart = samples[:, None] - ops.convert_to_tensor(self.modes)
        squares = ops.sum(ops.square(apart), axis=-1)
        near = squares < (self.distance * self.std) ** 2
        nearest = ops.argmin(squares, axis=-1)
        nearest = ops.one_hot(nearest, len(self.modes), dtype="float32")
        good = nearest * ops.cast(near, "float32")
        counts = ops.sum(good * weights[:, None], axis=0)
        every = ops.sum(weights)[None]
        self.add_to_sums(ops.concatenate([counts, every]))

    def result(self):
        """A dictionary of `"modes"`, `"quality"` and `"reverse_kl"`."""
        sums = ops.convert_to_tensor(self.sums)
        counts, good = sums[:-1], ops.sum(sums[:-1])
        shares = ops.divide_no_nan(counts, good)
        logs = ops.log(ops.where(shares > 0, shares, ops.ones_like(shares)))
        uneven = np.log(len(self.modes)) + ops.sum(shares * logs)
        return {
            "modes": ops.sum(ops.cast(counts > 0, "float32")),
            "quality": ops.divide_no_nan(good, sums[-1]),
            "reverse_kl": ops.where(
                good > 0, ops.maximum(uneven, 0.0), float("nan")
            ),
        }

    def _check(self, samples):
        given, dimensions = tuple(samples.shape), self.modes.shape[1]
        if len(given) != 2 or given[1] not in (None, dimensions):
            raise ValueError(
                f"`samples` must have shape `(batch, {dimensions})`, as "
                f"`modes` has. Received: samples.shape={given}."
            )

    def get_config(self):
        return {
            **super().get_config(),
            "modes": self.modes.tolist(),
            "std": self.std,
            "distance": self.distance,
        }


def _centres(modes):
    modes = np.array(ops.convert_to_numpy(modes), "float32")
    if modes.ndim != 2 or not modes.size or not np.isfinite(modes).all():
        raise ValueError(
            "`modes` must hold finite centres, of shape `(modes, dimensions)`. "
            f"Received: modes of shape {modes.shape}."
        )
    return modes
