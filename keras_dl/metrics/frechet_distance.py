"""Frechet distance of the features of real and generated images."""

import keras
from keras import ops

from keras_dl.checks import check_integer
from keras_dl.metrics._parts.examples import example_weights
from keras_dl.metrics._parts.moments import Moments


@keras.saving.register_keras_serializable("keras_dl")
class FrechetDistance(keras.metrics.Metric):
    """Frechet distance of Gaussians fitted to real and generated features.

        |m_1 - m_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))

    with the means m and the unbiased covariances S of the features of all
    images since the last reset. With the features of an Inception network it
    is the Frechet inception distance (FID); this library brings no such
    network, and numbers of different feature models, or of different numbers
    of images, do not compare.

    **Shapes and units.** `real` and `fake` are two batches of what
    `feature_model` takes, which need not be of one size; either may be `None`.
    The features have shape `(batch, num_features)`. The result is 0 or more;
    it is NaN as long as one of the two has fewer than 2 examples, and once a
    feature was not finite. Give many more examples than features: with few,
    the distance comes out too large.

    To keep what was computed of the real images, reset `metric.fake` alone:
    `metric.fake.reset_state()`.

    **In a compiled step.** Keras asks for the result at each step of `fit` or
    `evaluate`, and it takes time that grows with the cube of the number of
    features: about a second for a thousand. With so many, update the metric in
    a loop or a callback instead. On TensorFlow, do not compile the model with
    `jit_compile=True`: XLA takes seconds for tens of features there.

    **Masking.** Weights count an example as often as they say; one of weight 0
    may be anything. `sample_weight` is that of the rows of `real` and `fake`.

    **Precision.** In float32, whatever the dtype of the features, but for what
    a product of matrices rounds off on a GPU. The trace of the root is the sum
    of the singular values of S_1^(1/2) S_2^(1/2): on a CPU it was off by less
    than a millionth of tr(S_1 + S_2), on TensorFlow by a hundred-thousandth.
    The usual way, by the eigenvalues of S_1 S_2, which are their squares,
    loses the small ones: in float32 it was off by some thousandths of the
    distance with fewer examples than features.

    Args:
        feature_model: Function, layer or model from images to features, which
            is called with `training=False` if it is one of Keras. `None` if
            `real` and `fake` hold features themselves.
        num_features: Number of features; may be left out if `feature_model`
            tells its `output_shape`.
        name: Name of the metric.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it.

    Raises:
        TypeError: If `feature_model` cannot be called.
        ValueError: If an argument is not allowed, the shapes do not fit, or
            both `real` and `fake` are `None`.

    Example: of each image the first two pixels are its features.

    >>> metric = FrechetDistance(lambda images: images[:, 0, :2, 0], 2)
    >>> images = np.random.RandomState(0).normal(size=(100, 8, 8, 1))
    >>> for batch in np.split(images, 5):
    ...     metric.update_state(real=batch)
    >>> metric.update_state(fake=images + 1.0)
    >>> metric.result()
    2.000

    **Saving.** The config of a metric has no place for weights: it leaves a
    feature model with weights out, and what is made from it asks for one.

    Reference:
        Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, "GANs Trained by
        a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
        NeurIPS 2017.
    """

    _direction = "down"  # Read by callbacks with mode="auto".

    def __init__(
        self,
        feature_model=None,
        num_features=None,
        name="frechet_distance",
        dtype=None,
    ):
        super().__init__(name=name, dtype=dtype)
        if feature_model is not None and not callable(feature_model):
            raise TypeError(
                "`feature_model` must be a function, a layer, a model or None. "
                f"Received: feature_model={feature_model!r}."
            )
        if num_features is None:
            num_features = _told_by(feature_model)
        self.feature_model = feature_model
        self.num_features = check_integer(
            "num_features", num_features, minimum=1
        )
        self.real = Moments(self.num_features, name="real")
        self.fake = Moments(self.num_features, name="fake")

    def update_state(self, real=None, fake=None, sample_weight=None):
        if real is None and fake is None:
            raise ValueError("`real` and `fake` must not both be None.")
        for name, moments, images in (
            ("real", self.real, real),
            ("fake", self.fake, fake),
        ):
            if images is not None:
                features = self._features(name, images)
                weights = example_weights(sample_weight, features)
                # What does not count may be NaN.
                counted = ops.not_equal(weights, 0.0)[:, None]
                nothing = ops.zeros_like(features)
                features = ops.where(counted, features, nothing)
                moments.update_state(features, weights)

    def _features(self, name, images):
        images = ops.convert_to_tensor(images)
        features = images
        if isinstance(self.feature_model, keras.Layer):
            features = self.feature_model(images, training=False)
        elif self.feature_model is not None:
            features = self.feature_model(images)
        features = ops.stop_gradient(ops.cast(features, "float32"))
        shape = tuple(features.shape)
        if len(shape) != 2 or shape[1] not in (None, self.num_features):
            given = self.feature_model is not None
            without = "" if given else ", without `feature_model`"
            raise ValueError(
                f"The features of `{name}` must have shape `(batch, "
                f"{self.num_features})`. Received: {shape}{without}."
            )
        return features

    def result(self):
        (real, s_real), (fake, s_fake) = self.real.result(), self.fake.result()
        finite = ops.all(ops.isfinite(s_real)) & ops.all(ops.isfinite(s_fake))
        defined = (self.real.weight > 1.0) & (self.fake.weight > 1.0) & finite
        roots_real, vectors_real = _root(s_real, self.real.count, finite)
        roots_fake, vectors_fake = _root(s_fake, self.fake.count, finite)
        # S_1^(1/2) S_2^(1/2), but for rotations.
        product = ops.matmul(ops.transpose(vectors_real), vectors_fake)
        product = roots_real[:, None] * product * roots_fake
        trace = ops.sum(ops.square(roots_real) + ops.square(roots_fake))
        trace = trace - 2.0 * ops.sum(ops.svd(product, compute_uv=False))
        means = ops.sum(ops.square(real - fake))
        distance = means + ops.maximum(trace, 0.0)
        return ops.where(defined, distance, float("nan"))

    def get_config(self):
        model = self.feature_model
        if getattr(model, "weights", None):
            model = None
        return {
            **super().get_config(),
            "feature_model": keras.saving.serialize_keras_object(model),
            "num_features": self.num_features,
        }

    @classmethod
    def from_config(cls, config):
        model = keras.saving.deserialize_keras_object(config["feature_model"])
        return cls(**{**config, "feature_model": model})


def _root(covariance, count, finite):
    """Roots of the eigenvalues of a covariance, and its eigenvectors."""
    # What is not finite would be an error of LAPACK.
    covariance = ops.where(finite, covariance, ops.zeros_like(covariance))
    values, vectors = ops.eigh(covariance)
    # The rank is below the number of examples, and the root of what rounding
    # makes of an eigenvalue of 0 is not small. They come in ascending order.
    number = covariance.shape[0]
    order = ops.cast(ops.arange(number), "float32")
    real = (order > number - count) & (values > 0.0)
    return ops.sqrt(ops.where(real, values, ops.zeros_like(values))), vectors


def _told_by(feature_model):
    """The number of features, if a model knows it."""
    shape = getattr(feature_model, "output_shape", None)
    number = shape[-1] if isinstance(shape, tuple) and shape else None
    if not isinstance(number, int):
        raise ValueError(
            "`num_features` must be given, unless `feature_model` is a built "
            "model whose `output_shape` has it. "
            f"Received: feature_model={feature_model!r}."
        )
    return number
