"""Activations that Keras has, but not by a name that can be saved."""

import keras


@keras.saving.register_keras_serializable("keras_dl")
def gelu_tanh(x):
    """The Gaussian error linear unit, approximated by tanh.

        y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))

    `keras.activations.gelu` with `approximate=True`, as a function of its own,
    which a layer can take for its `activation` and save. The code of BERT and
    ALBERT computes it so; `"gelu"` is exact.

    **Shapes.** Any; the output has the shape of the input.

    Args:
        x: Tensor of floats.

    Returns:
        Tensor of the same shape and dtype.

    Example:

    >>> layer = keras_dl.layers.Dense(4, activation=keras_dl.layers.gelu_tanh)
    >>> layer(np.ones((2, 3))).shape
    (2, 4)
    >>> gelu_tanh(ops.array([-1.0, 0.0, 1.0]))
    [-0.1588, 0.0000, 0.8412]

    Reference:
        Hendrycks and Gimpel, "Gaussian error linear units", 2016.
    """
    return keras.activations.gelu(x, approximate=True)
