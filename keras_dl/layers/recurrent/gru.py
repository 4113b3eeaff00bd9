"""`GRU`: Keras' recurrent layer by one fused kernel."""

import keras

from keras_dl import backend
from keras_dl.layers.recurrent.fused_sequence import FusedSequence


@keras.saving.register_keras_serializable("keras_dl")
class GRU(FusedSequence, keras.layers.GRU):
    """Gated recurrent unit: Keras' layer, computed by one fused kernel.

        z, r = sigmoid(W x_t + b + U h_{t-1} + b')  update and reset gate
        n = tanh(W_n x_t + b_n + r (U_n h_{t-1} + b'_n))
        h_t = z h_{t-1} + (1 - z) n

    As for `keras_dl.layers.LSTM`, arguments, variables and results are those
    of the layer of Keras, here `keras.layers.GRU`, and only the way it is
    computed differs. `reset_after=False` (the reset gate before the product,
    as the paper has it) and `use_bias=False` run Keras' plain loop.

    **Shapes.** `(batch, time, features)` to `(batch, units)`, or
    `(batch, time, units)` with `return_sequences`; with `return_state` the
    last state, `(batch, units)`, follows.

    **Stateful.** As in `LSTM`: the state goes on from batch to batch in
    training too, where Keras' own fails on PyTorch and loses it on JAX.

    **Masking.** A masked step changes nothing, whatever it holds; see `LSTM`.

    Args:
        units: Size of the state and of the output.
        **kwargs: As `keras.layers.GRU`; `use_cudnn` as in `LSTM`.

    Call arguments:
        sequences: Tensor of shape `(batch, time, features)`.
        initial_state: The state to begin with; zeros by default.
        mask, sequences_mask: As in `LSTM`.
        training: Whether `dropout` is active.

    Raises:
        ValueError: As `keras.layers.GRU`.

    Example:

    >>> layer = keras_dl.layers.GRU(8)
    >>> layer(np.ones((2, 5, 3))).shape
    (2, 8)

    Reference:
        Cho et al., "Learning phrase representations using RNN
        encoder-decoder for statistical machine translation", 2014. It applies
        the reset gate before the product (`reset_after=False`); the default
        is the variant that cuDNN computes.
    """

    _kernel = staticmethod(backend.gru)
    _works_without_bias = False
