"""Distance of images as a network sees them."""

import keras
from keras import ops

from keras_dl.checks import check_positive
from keras_dl.models import features, taps


@keras.saving.register_keras_serializable("keras_dl")
class PerceptualLoss(keras.losses.Loss):
    """Mean square of the difference of features, not of pixels.

        loss = scale * mean over layers of E (f_l(y) - f_l(y'))^2

    **Shapes.** Images `(batch, height, width, channels)`, and a loss for each
    of them.

    **Weights.** The network is frozen. A trainer such as
    `keras_dl.training.ImageToImageGAN` saves its weights; where the loss stands
    alone they are for its user to keep.

    Args:
        model: Any built Keras model, such as `keras_dl.applications.VGG16` or
            one of keras.applications.
        layers: Names of its layers, or other paths of
            `keras_dl.models.features`: what they make of the images is
            compared. By default it is the outputs of the model.
        preprocess: Optional Keras layer that makes of the images what the model
            expects, such as `keras.layers.Rescaling(127.5, 127.5)` from -1 to
            1.
        scale: Factor. SRGAN has 0.006, 1/12.75 squared, for features of VGG.
        reduction, name, dtype: As in `keras.losses.Loss`.

    Raises:
        ValueError: If `model` is not a built Keras model, or has no such
            layers.

    Example: features of a small network; SRGAN takes `"block5_conv4"` of
    VGG19 as it is trained on ImageNet.

    >>> vgg = keras_dl.applications.VGG16(10, dense_units=(8,), base=4)
    >>> images = np.random.uniform(size=(2, 32, 32, 3))
    >>> vgg.build(images.shape)
    >>> loss = PerceptualLoss(vgg, ["block5_conv3"], scale=0.006)
    >>> loss(images, images)
    0.0

    Reference:
        Johnson, Alahi and Fei-Fei, "Perceptual losses for real-time style
        transfer and super-resolution", 2016; Ledig et al., "Photo-realistic
        single image super-resolution using a generative adversarial network",
        2017, with VGG19.
    """

    def __init__(
        self,
        model,
        layers=None,
        preprocess=None,
        scale=1.0,
        reduction="sum_over_batch_size",
        name="perceptual_loss",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not isinstance(model, keras.Model) or not model.built:
            raise ValueError(
                "`model` must be a Keras model that is built. "
                f"Received: {model!r}"
            )
        self.layers = None if layers is None else list(layers)
        if self.layers is not None:
            _check_layers(model, self.layers)
        model.trainable = False
        self.model = model
        self.preprocess = preprocess
        self.scale = check_positive("scale", scale)

    def call(self, y_true, y_pred):
        parts = []
        pairs = zip(self._features(y_true), self._features(y_pred), strict=True)
        for true, predicted in pairs:
            difference = ops.cast(true, self.dtype)
            difference = difference - ops.cast(predicted, self.dtype)
            axes = tuple(range(1, len(difference.shape)))
            parts.append(ops.mean(ops.square(difference), axis=axes))
        return self.scale * sum(parts) / len(parts)

    def _features(self, images):
        if self.preprocess is not None:
            images = self.preprocess(images)
        if self.layers is None:
            return keras.tree.flatten(self.model(images, training=False))
        found = features(self.model, images, self.layers, stop=True)
        return keras.tree.flatten([found[path] for path in self.layers])

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "model": serialize(self.model),
            "layers": self.layers,
            "preprocess": serialize(self.preprocess),
            "scale": self.scale,
        }

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        return cls(
            **{
                **config,
                "model": deserialize(config["model"]),
                "preprocess": deserialize(config["preprocess"]),
            }
        )


def _check_layers(model, paths):
    try:
        with taps(model, paths):
            pass
        wrong = "" if paths else "none."
    except ValueError as error:
        wrong = f"{paths}. {error}"
    if wrong:
        raise ValueError(
            f"`layers` must name layers of the model. Received: {wrong}"
        )
