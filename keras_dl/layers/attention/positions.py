"""Positions for layers that know no order: sinusoids, and learned ones."""

import keras
import numpy as np
from keras import ops

from keras_dl.checks import check_choice, check_integer, check_positive


@keras.saving.register_keras_serializable("keras_dl")
class SinusoidPositions(keras.Layer):
    """Adds sines and cosines of the position to each vector.

        p[t, 2i] = sin(t / w_i),  p[t, 2i + 1] = cos(t / w_i)
        w_i = max_wavelength^(2i / d)

    **Shapes.** `(batch, time, d)` to the same, for any length; `d` is even.

    **Masking.** The mask is passed on.

    Args:
        max_wavelength: The longest of the wavelengths, over 2 pi.
        layout: `"interleaved"`: as above, sines and cosines in turn;
            `"halves"`: the sines first, then the cosines, with
            `w_i = max_wavelength^(i / (d/2 - 1))`.
        **kwargs: Arguments of `keras.Layer`.

    Call arguments:
        inputs: Tensor of shape `(batch, time, d)`.
        positions: Integer tensor `(batch or 1, time)`; 0, 1, 2, ... by default.

    Raises:
        ValueError: If `d` is odd, `max_wavelength` is not positive, or
            `layout` is not known.

    Example:

    >>> keras_dl.layers.SinusoidPositions()(np.zeros((1, 2, 4)))
    [[[0.000, 1.000, 0.000, 1.000], [0.841, 0.540, 0.010, 1.000]]]

    Reference:
        Vaswani et al., "Attention is all you need", 2017: interleaved. Its
        published code, tensor2tensor, has the halves.
    """

    def __init__(self, max_wavelength=10000, layout="interleaved", **kwargs):
        # Positions may come as floats, which half precision would round.
        super().__init__(autocast=False, **kwargs)
        self.max_wavelength = check_positive("max_wavelength", max_wavelength)
        self.layout = check_choice("layout", layout, ("interleaved", "halves"))
        self.supports_masking = True

    def build(self, input_shape):
        size = input_shape[-1]
        if size is None or size % 2:
            raise ValueError(
                "The last dimension of the inputs must be even, for pairs of "
                f"sine and cosine. Received: input_shape={input_shape}."
            )
        half = size // 2
        last = half if self.layout == "interleaved" else max(half - 1, 1)
        exponents = np.arange(half) / last
        self._rates = (1 / self.max_wavelength**exponents).astype("float32")
        self.built = True

    def call(self, inputs, positions=None):
        if positions is None:
            positions = ops.arange(ops.shape(inputs)[1])[None]
        angles = ops.expand_dims(ops.cast(positions, "float32"), -1)
        angles = angles * ops.convert_to_tensor(self._rates)
        waves = [ops.sin(angles), ops.cos(angles)]
        if self.layout == "halves":
            signal = ops.concatenate(waves, -1)
        else:
            signal = ops.stack(waves, -1)
            shape = ops.shape(signal)
            signal = ops.reshape(signal, (*shape[:2], inputs.shape[-1]))
        dtype = self.compute_dtype
        return ops.cast(inputs, dtype) + ops.cast(signal, dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "max_wavelength": self.max_wavelength,
            "layout": self.layout,
        }


@keras.saving.register_keras_serializable("keras_dl")
class LearnedPositions(keras.Layer):
    """Adds a trained vector for each position.

        y[t] = x[t] + P[t]

    **Shapes.** `(batch, time, d)` to the same; `time <= max_sequence_length`.

    **Masking.** The mask is passed on.

    Args:
        max_sequence_length: Number of positions.
        initializer: Initializer of the vectors.
        **kwargs: Arguments of `keras.Layer`.

    Call arguments:
        inputs: Tensor of shape `(batch, time, d)`.
        positions: Integer tensor `(batch or 1, time)`, below
            `max_sequence_length`; 0, 1, 2, ... by default. What is beyond it
            gives NaN on JAX, and an error of the framework elsewhere.

    Raises:
        ValueError: If the inputs are longer than `max_sequence_length`, and
            their length is known when the layer is traced; a dynamic length
            that is too long fails in the framework.

    Example:

    >>> keras_dl.layers.LearnedPositions(16)(np.zeros((1, 2, 4))).shape
    (1, 2, 4)

    Reference:
        Gehring et al., "Convolutional sequence to sequence learning", 2017;
        BERT's positions.
    """

    def __init__(self, max_sequence_length, initializer="uniform", **kwargs):
        # Positions may come as floats, which half precision would round.
        super().__init__(autocast=False, **kwargs)
        self.max_sequence_length = check_integer(
            "max_sequence_length", max_sequence_length, 1
        )
        self.initializer = keras.initializers.get(initializer)
        self.supports_masking = True

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            shape=(self.max_sequence_length, input_shape[-1]),
            initializer=self.initializer,
            name="embeddings",
        )
        self.built = True

    def call(self, inputs, positions=None):
        inputs = ops.cast(inputs, self.compute_dtype)
        vectors = ops.cast(self.embeddings, self.compute_dtype)
        if positions is not None:
            positions = ops.cast(positions, "int32")
            return inputs + ops.take(vectors, positions, axis=0)
        length = inputs.shape[1]
        if length is not None and length > self.max_sequence_length:
            raise ValueError(
                "The inputs are longer than there are positions: at most "
                f"max_sequence_length={self.max_sequence_length} steps are "
                f"allowed. Received: inputs of shape {tuple(inputs.shape)}."
            )
        return inputs + vectors[: ops.shape(inputs)[1]]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "max_sequence_length": self.max_sequence_length,
            "initializer": keras.initializers.serialize(self.initializer),
        }
