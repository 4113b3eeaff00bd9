"""`Dense` as one product of matrices, whose kernel adds the bias."""

import keras
from keras import ops

from keras_dl import backend
from keras_dl.layers.stands_in import StandsIn


@keras.saving.register_keras_serializable("keras_dl")
class Dense(StandsIn, keras.layers.Dense):
    """Keras' dense layer, as one product of matrices.

        y = activation(x W + b)

    Keras adds the bias to the finished product, which on PyTorch reads and
    writes all of it once more; there this layer uses `torch.addmm`, as
    `torch.nn.Linear` does. On JAX, inputs of more than two axes are made
    matrices first, of which XLA makes faster products on CPU. Arguments,
    variables, weight files, low-rank updates (`enable_lora`) and `quantize`
    are Keras' own. Quantized, it runs Keras' code.

    **Shapes.** `(..., inputs)` to `(..., units)`.

    **Masking.** The mask is passed on.

    Args:
        units: Size of the output.
        **kwargs: Arguments of `keras.layers.Dense`.

    Raises:
        ValueError: As `keras.layers.Dense`.

    Example:

    >>> keras_dl.layers.Dense(4, activation="relu")(np.ones((2, 3))).shape
    (2, 4)
    """

    def call(self, inputs, training=None):
        bias = None if self.bias is None else ops.convert_to_tensor(self.bias)
        x = backend.linear(inputs, ops.convert_to_tensor(self.kernel), bias)
        return x if self.activation is None else self.activation(x)
