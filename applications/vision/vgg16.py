"""VGG16: thirteen small convolutions, for images of any size."""

import pathlib

import keras
from keras import ops

from keras_dl import autodiff
from keras_dl.applications.bases.supervised import ModelByTask, check_units, run
from keras_dl.applications.vision.imagenet_pixels import ImageNetPixels
from keras_dl.checks import check_integer, check_rate
from keras_dl.layers import BatchNormalization, Conv2D, Dense
from keras_dl.models import features

# Filters, as a multiple of `base`, and number of convolutions of each block.
_BLOCKS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
_SMALLEST = 2 ** len(_BLOCKS)  # Each block halves height and width.


@keras.saving.register_keras_serializable("keras_dl")
class VGG16(ModelByTask):
    """The convolutional network of 16 layers with weights, of Oxford's VGG.

        x_0 = normalizer(images)
        x_b = maxpool(relu(conv(... relu(conv(x_{b-1})) ...)))   b = 1, ..., 5
        h = dropout(relu(W ... dropout(relu(W flat(x_5) + b)) ... + b))
        logits = W h + b

    All convolutions are 3 x 3 with stride 1 and zero padding; blocks have 64,
    128, 256, 512 and 512 filters and halve height and width. With images of
    224 x 224 x 3 and 1000 classes that makes 138,357,544 parameters. Layers
    have the names that they have in keras.applications.

    What logits, `predict`, loss and metrics are follows from `task`, as
    `keras_dl.applications.MLP` says: calling the model gives logits, `predict`
    probabilities.

    **Smaller images.** Any height and width of at least 32 will do. With
    32 x 32 (CIFAR) the dense layers are all that is too wide:
    `dense_units=(512,)` is common, with `batch_norm=True`, without which deep
    networks are hard to train from scratch. `dense_units=()` goes from the last
    block to the logits. For few small images a narrow network may do: `base=8`
    has an eighth of the filters.

    **Weights of keras.applications.** `load_keras_weights` reads the files.
    They expect pixels as `keras.applications.vgg16.preprocess_input` gives
    them, from RGB values of 0 to 255; `normalizer="imagenet"` does that
    inside the model.

    **Features.** `keras_dl.models.features(model, images, ["block3_conv3"])`
    gives the activations of layers by name, those with the ReLU.
    `class_activation` shows where in an image the evidence for a class is.

    **Shapes.** `(batch, height, width, channels)` to `(batch, num_outputs)`;
    height, width and channels are those of the first batch.

    **Precision.** Under `mixed_bfloat16` and `mixed_float16` all but the logits
    is computed in half precision. The normalizer follows its own policy.

    Args:
        num_outputs: Number of classes, labels or values.
        task: `"multiclass"`, `"multilabel"`, `"binary"` or `"regression"`.
        dense_units: Integers, the widths of the dense layers `fc1`, `fc2`, ...
            below the logits.
        dropout: Fraction of the outputs of each of these to drop, in [0, 1).
        batch_norm: Whether each convolution and dense layer is followed by
            `keras_dl.layers.BatchNormalization`, before its ReLU. Its momentum
            of 0.9 follows trainings of a few hundred updates, too.
        base: Filters of the first block.
        kernel_initializer: Initializer of every kernel; `"he_normal"` helps
            narrow networks without batch normalization to begin.
        normalizer: Keras layer that the images go through first, saved with
            the model, such as `keras.layers.Rescaling(1 / 255)`; or
            `"imagenet"`, as above.
        kernel_regularizer: Regularizer of every kernel.
        **kwargs: Arguments of `keras.Model`, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, height, width, channels)`.
        training: Whether dropout and batch normalization are in training mode.

    Raises:
        ValueError: If an argument is not allowed, at once; and by the first
            call, if images are smaller than 32 x 32, or are no images.
        TypeError: If `normalizer` is not a Keras layer.

    Example:

    >>> images = np.random.uniform(size=(8, 32, 32, 3))
    >>> labels = np.arange(8)
    >>> model = VGG16(10, dense_units=(16,), batch_norm=True, base=4)
    >>> model.compile(keras.optimizers.SGD(0.01, momentum=0.9))
    >>> history = model.fit(images, labels, verbose=0)
    >>> model.predict(images, verbose=0).shape
    (8, 10)

    Reference:
        Simonyan and Zisserman, "Very deep convolutional networks for
        large-scale image recognition", 2015: configuration D, with dropout 0.5
        and weight decay 5e-4. Weights begin as Keras' layers do (Glorot and
        Bengio), which the paper found to work as well as its own way of
        training shallower networks first. Batch normalization is later.
    """

    def __init__(
        self,
        num_outputs=1000,
        task="multiclass",
        dense_units=(4096, 4096),
        dropout=0.5,
        batch_norm=False,
        base=64,
        kernel_initializer="glorot_uniform",
        normalizer=None,
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        if normalizer == "imagenet":
            normalizer = ImageNetPixels(dtype=self.dtype_policy)
        self._set_task(task, num_outputs, normalizer)
        self.dense_units = check_units("dense_units", dense_units)
        self.dropout = check_rate("dropout", dropout)
        self.batch_norm = batch_norm
        self.base = check_integer("base", base, 1)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.chain = [*self._blocks(), *self._top()]

    def _blocks(self):
        for b, (factor, count) in enumerate(_BLOCKS, 1):
            for i in range(1, count + 1):
                yield from self._weighted(
                    Conv2D,
                    f"block{b}_conv{i}",
                    filters=factor * self.base,
                    kernel_size=3,
                    padding="same",
                    data_format="channels_last",
                )
            yield keras.layers.MaxPooling2D(
                2,
                data_format="channels_last",
                dtype=self.dtype_policy,
                name=f"block{b}_pool",
            )

    def _top(self):
        yield keras.layers.Flatten(
            data_format="channels_last",
            dtype=self.dtype_policy,
            name="flatten",
        )
        for i, units in enumerate(self.dense_units, 1):
            yield from self._weighted(Dense, f"fc{i}", units=units)
            if self.dropout:
                yield keras.layers.Dropout(
                    self.dropout, dtype=self.dtype_policy, name=f"fc{i}_drop"
                )
        yield Dense(
            self.num_outputs,
            kernel_initializer=self.kernel_initializer.clone(),
            kernel_regularizer=self.kernel_regularizer,
            dtype=self.variable_dtype,
            name="predictions",
        )

    def _weighted(self, layer, name, **kwargs):
        """A layer with weights and its ReLU, whose output has its name."""
        shared = {"dtype": self.dtype_policy}
        activation = None if self.batch_norm else "relu"
        yield layer(
            **kwargs,
            **shared,
            activation=activation,
            use_bias=not self.batch_norm,
            kernel_initializer=self.kernel_initializer.clone(),
            kernel_regularizer=self.kernel_regularizer,
            name=f"{name}_linear" if self.batch_norm else name,
        )
        if self.batch_norm:
            yield BatchNormalization(
                momentum=0.9, **shared, name=f"{name}_norm"
            )
            yield keras.layers.Activation("relu", **shared, name=name)

    def build(self, input_shape):
        _check_images(input_shape)
        self._image_shape = tuple(input_shape[1:])
        self._build_chain(input_shape, self.chain)
        self.built = True

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_outputs)

    def call(self, inputs, training=None):
        return run(self.chain, self._normalized(inputs, training), training)

    def layer_chains(self):
        """Paths of layers that follow one another, each read by the next."""
        return [[f"chain/{i}" for i in range(len(self.chain))]]

    def after(self, x, name, training=False):
        """Logits from the output of the layer of that name.

        With `keras_dl.models.features` it makes the model in two halves.

        Args:
            x: What `features` gives for `name`, `(batch, ...)`.
            name: Name of the layer.
            training: Whether dropout and batch normalization are in training
                mode.

        Raises:
            ValueError: If there is no such layer.
        """
        self._check_name(name)
        names = [layer.name for layer in self.chain]
        return run(self.chain[names.index(name) + 1 :], x, training)

    def class_activation(self, inputs, classes=None, name="block5_conv3"):
        """Shows where in images the evidence for a class is: Grad-CAM.

            a_k = mean over height and width of d logit_class / d A_k
            map = relu(sum_k a_k A_k) / its maximum

        `A_k` are the channels of the layer's output. The maps are made as
        large as the images, bilinearly. `draw_class_activation` draws them.

        Args:
            inputs: Images `(batch, height, width, channels)`.
            classes: Number of a class for each image; by default those with
                the largest logits.
            name: Name of the layer, one before `flatten`.

        Returns:
            Array `(batch, height, width)` of numbers of 0 to 1; all 0 where
            nothing speaks for the class.

        Raises:
            ValueError: If there is no such layer, or no such class.

        Reference:
            Selvaraju et al., "Grad-CAM: Visual explanations from deep networks
            via gradient-based localization", 2017.
        """
        self._check_name(name)
        inputs = ops.convert_to_tensor(inputs)
        found = features(self, inputs, [name], stop=True)[name]
        if len(found.shape) != 4:
            raise ValueError(
                "`name` must be that of a layer before 'flatten'. "
                f"Received: name={name!r}."
            )
        if classes is None:
            classes = ops.argmax(self.after(found, name), axis=-1)
        classes = ops.convert_to_numpy(classes)
        if classes.shape != (inputs.shape[0],) or not (
            classes.min() >= 0 and classes.max() < self.num_outputs
        ):
            raise ValueError(
                "`classes` must be a number of 0 to "
                f"{self.num_outputs - 1} for each of {inputs.shape[0]} images. "
                f"Received: classes={classes}."
            )
        chosen = ops.one_hot(classes, self.num_outputs)
        slopes = autodiff.grad(lambda x: ops.sum(chosen * self.after(x, name)))(
            found
        )
        shares = ops.mean(slopes, axis=(1, 2), keepdims=True)
        maps = ops.relu(ops.sum(shares * found, axis=-1, keepdims=True))
        maps = ops.image.resize(
            maps, inputs.shape[1:3], data_format="channels_last"
        )[..., 0]
        largest = ops.max(maps, axis=(1, 2), keepdims=True)
        maps = maps / ops.where(largest > 0, largest, ops.ones_like(largest))
        return ops.convert_to_numpy(maps)

    def _check_name(self, name):
        known = [layer.name for layer in self.chain]
        if name not in known:
            raise ValueError(
                f"`name` must be that of a layer, one of {known}. "
                f"Received: name={name!r}."
            )

    def load_keras_weights(self, source, top=True):
        """Takes the weights of a VGG16 of keras.applications.

        Args:
            source: Path of a file of its weights (`.h5` as published, or
                `.weights.h5`), or the model itself.
            top: Whether it has, and this model shall have, the dense layers
                too. `False`: those of this model stay as they are.

        Raises:
            ValueError: If this model is not built, has batch normalization,
                or if a weight has another shape: then nothing is loaded.
            FileNotFoundError: If there is no such file.
        """
        if not self.built or self.batch_norm:
            raise ValueError(
                "`load_keras_weights` needs a model that is built, by a call "
                "or `build((None, 224, 224, 3))`, and has no batch "
                f"normalization. Received: built={self.built}, "
                f"batch_norm={self.batch_norm}."
            )
        if not isinstance(source, keras.Model):
            source = self._read_by_keras(source, top)
        own = {layer.name: layer for layer in self.chain if layer.weights}
        theirs = {layer.name: layer for layer in source.layers}
        if not top:
            own = {name: x for name, x in own.items() if "conv" in name}
        pairs = []
        for name, layer in own.items():
            if name not in theirs:
                raise ValueError(
                    f"`source` must have the layers {list(own)}. It lacks "
                    f"{name!r}."
                )
            values = theirs[name].get_weights()
            shapes = [tuple(variable.shape) for variable in layer.weights]
            given = [value.shape for value in values]
            if shapes != given:
                raise ValueError(
                    f"`source` must fit this model, whose {name!r} has weights "
                    f"of the shapes {shapes}. Received: {given}."
                )
            pairs += zip(layer.weights, values, strict=True)
        for variable, value in pairs:
            variable.assign(value)

    def _read_by_keras(self, path, top):
        """The model of keras.applications with the weights of a file."""
        if not pathlib.Path(path).is_file():
            raise FileNotFoundError(f"`source` is no file: {path}")
        model = keras.applications.VGG16(
            include_top=top,
            weights=None,
            classes=self.num_outputs,
            classifier_activation=None,
            input_shape=self._image_shape,
        )
        model.load_weights(path)
        return model

    def get_config(self):
        return {
            **super().get_config(),
            "dense_units": self.dense_units,
            "dropout": self.dropout,
            "batch_norm": self.batch_norm,
            "base": self.base,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
            "kernel_regularizer": keras.regularizers.serialize(
                self.kernel_regularizer
            ),
        }


def _check_images(shape):
    sides = shape[1:3]
    if len(shape) != 4 or any(s is None or s < _SMALLEST for s in sides):
        raise ValueError(
            "`inputs` must be images (batch, height, width, channels) of at "
            f"least {_SMALLEST} x {_SMALLEST}. Received: shape={tuple(shape)}."
        )
