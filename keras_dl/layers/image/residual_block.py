"""The residual block of generators of images."""

import keras

from keras_dl import backend
from keras_dl.checks import (
    check_choice,
    check_integer,
    check_positive,
    check_rate,
    check_seed,
)
from keras_dl.layers.batch_normalization import BatchNormalization
from keras_dl.layers.image.axes import (
    channel_axis,
    check_data_format,
    check_images,
    space_axes,
)
from keras_dl.layers.image.convolution import Conv2D
from keras_dl.layers.image.instance_normalization import InstanceNormalization
from keras_dl.layers.image.padding import ReflectionPadding2D


@keras.saving.register_keras_serializable("keras_dl")
class ResidualBlock(keras.Layer):
    """Two convolutions and a way past them.

        y = x + norm(conv(drop(activation(norm(conv(x))))))

    With `normalization="batch", activation="prelu"` it is SRGAN's, with
    `normalization="instance", padding="reflect"` CycleGAN's.

    **Shapes.** `(batch, height, width, filters)` to the same; height and width
    may be dynamic.

    Args:
        filters: Number of channels, of the inputs too.
        kernel_size: Size of both kernels; odd if `padding` is `"reflect"`.
        normalization: `"batch"`: `BatchNormalization`, with a
            momentum of 0.9; `"instance"`: `InstanceNormalization` without
            weights; or `None`.
        activation: Activation between the convolutions; `"prelu"`: a ReLU
            whose slope below 0 is learned for each channel, from 0.25.
        padding: `"same"`, with zeros, or `"reflect"`.
        dropout: Share to drop between the convolutions.
        use_bias: Whether the convolutions have biases. Before a normalization
            they have no effect.
        epsilon: Added to the variances by the normalization.
        kernel_initializer: Initializer of the kernels.
        seed: Seed of the dropout.
        data_format: `"channels_last"` or `"channels_first"`; Keras' own
            setting by default.
        **kwargs: Arguments of `keras.Layer`.

    Call arguments:
        inputs: Tensor of shape `(batch, height, width, filters)`.
        training: Whether dropout and batch normalization are in training mode.

    Raises:
        ValueError: If an argument is not allowed, or the inputs have another
            number of channels.

    Example:

    >>> block = keras_dl.layers.ResidualBlock(64, activation="prelu")
    >>> block(np.ones((1, 24, 24, 64))).shape
    (1, 24, 24, 64)

    Reference:
        Ledig et al., "Photo-realistic single image super-resolution using a
        generative adversarial network", 2017; Zhu et al., "Unpaired
        image-to-image translation using cycle-consistent adversarial
        networks", 2017. He et al., "Delving deep into rectifiers", 2015, has
        the learned slope.
    """

    def __init__(
        self,
        filters,
        kernel_size=3,
        normalization="batch",
        activation="relu",
        padding="same",
        dropout=0.0,
        use_bias=True,
        epsilon=1e-5,
        kernel_initializer="glorot_uniform",
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = check_integer("filters", filters, 1)
        self.kernel_size = check_integer("kernel_size", kernel_size, 1)
        self.normalization = normalization
        if normalization not in ("batch", "instance", None):
            raise ValueError(
                "`normalization` must be 'batch', 'instance' or None. "
                f"Received: normalization={normalization!r}."
            )
        if activation != "prelu":
            activation = keras.activations.get(activation)
        self.activation = activation
        self.padding = check_choice("padding", padding, ("reflect", "same"))
        if self.padding == "reflect" and self.kernel_size % 2 == 0:
            raise ValueError(
                "`kernel_size` must be odd with padding='reflect'. "
                f"Received: kernel_size={kernel_size}."
            )
        self.dropout = check_rate("dropout", dropout)
        self.use_bias = use_bias
        self.epsilon = check_positive("epsilon", epsilon)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = None if seed is None else check_seed(seed)
        self.data_format = check_data_format(data_format)
        self.chain = [*self._conv(1), *self._between(), *self._conv(2)]

    def _conv(self, number):
        """Padding, convolution and normalization."""
        reflect, shared = self.padding == "reflect", self._shared()
        if reflect and self.kernel_size > 1:
            yield ReflectionPadding2D(
                self.kernel_size // 2, self.data_format, **shared
            )
        yield Conv2D(
            self.filters,
            self.kernel_size,
            padding="valid" if reflect else "same",
            data_format=self.data_format,
            use_bias=self.use_bias,
            kernel_initializer=self.kernel_initializer.clone(),
            name=f"conv{number}",
            **shared,
        )
        axis = channel_axis(self.data_format)
        if self.normalization == "batch":
            yield BatchNormalization(
                axis=axis,
                momentum=0.9,
                epsilon=self.epsilon,
                name=f"norm{number}",
                **shared,
            )
        if self.normalization == "instance":
            yield InstanceNormalization(
                axis, self.epsilon, center=False, scale=False, **shared
            )

    def _between(self):
        if self.activation == "prelu":
            yield keras.layers.PReLU(
                alpha_initializer=keras.initializers.Constant(0.25),
                shared_axes=space_axes(self.data_format),
                name="prelu",
                **self._shared(),
            )
        else:
            yield keras.layers.Activation(self.activation, **self._shared())
        if self.dropout:
            yield keras.layers.Dropout(
                self.dropout, seed=self.seed, **self._shared()
            )

    def _shared(self):
        return {"dtype": self.dtype_policy}

    def build(self, input_shape):
        check_images(input_shape)
        channels = input_shape[channel_axis(self.data_format)]
        if channels != self.filters:
            raise ValueError(
                f"The inputs must have filters={self.filters} channels, for "
                f"the sum. Received: input_shape={tuple(input_shape)}."
            )
        shape = input_shape
        for layer in self.chain:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def call(self, inputs, training=None):
        modal = (BatchNormalization, keras.layers.Dropout)
        x = inputs
        for layer in self.chain:
            told = {"training": training} if isinstance(layer, modal) else {}
            x = backend.call(layer, x, **told)
        return inputs + x

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        activation = self.activation
        if activation != "prelu":
            activation = keras.activations.serialize(activation)
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "normalization": self.normalization,
            "activation": activation,
            "padding": self.padding,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "epsilon": self.epsilon,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
            "seed": self.seed,
            "data_format": self.data_format,
        }
