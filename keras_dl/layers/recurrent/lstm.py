"""`LSTM`: Keras' recurrent layer by one fused kernel."""

import keras

from keras_dl import backend
from keras_dl.layers.recurrent.fused_sequence import FusedSequence


@keras.saving.register_keras_serializable("keras_dl")
class LSTM(FusedSequence, keras.layers.LSTM):
    """Long short-term memory: Keras' layer, computed by one fused kernel.

        i, f, o = sigmoid(W x_t + U h_{t-1} + b)    input, forget, output gate
        g = tanh(W x_t + U h_{t-1} + b)             candidate
        c_t = f c_{t-1} + i g;   h_t = o tanh(c_t)

    Arguments, variables, initial values and results are those of
    `keras.layers.LSTM`, and so weights go back and forth (see
    `fast_recurrent`). Only the way it is computed differs. On PyTorch it runs
    in oneDNN's or cuDNN's kernel, also with a mask; on JAX and TensorFlow in a
    compiled loop, before which the inputs of all steps are projected in one
    product (on CPU only those of less than 128 rows), and whose gradient
    gathers the weights' part in one product behind it. On TensorFlow a
    gradient outside `keras_dl.grad` and not in training mode runs the loop
    once more. There the loop is compiled by XLA once for each shape of inputs:
    sequences of many lengths belong in buckets
    (`keras_dl.datasets.BucketedBatches`). Inside a second-order gradient
    (`keras_dl.grad` in `keras_dl.grad`), with other activations, with
    `recurrent_dropout`, `unroll=True` or `use_cudnn=False`, and on PyTorch's
    CPU for few steps with many weights, it runs Keras' own plain loop. Two
    nested `tf.GradientTape`s of TensorFlow's own cannot cross the compiled
    loop (`UnimplementedError`): use `keras_dl.grad`, or `use_cudnn=False`.

    **Shapes.** `(batch, time, features)` to `(batch, units)`, or
    `(batch, time, units)` with `return_sequences`; with `return_state` the
    last `h` and `c`, `(batch, units)` each, follow.

    **Masking.** A masked step changes nothing, whatever it holds, NaN too: the
    state passes it, and its output is that of the step before, or `h` of the
    initial state (there Keras has zeros, except on JAX); with
    `zero_output_for_mask`, which `keras.layers.Bidirectional` sets, its output
    is zero. The mask may have any pattern. It comes along also when an
    `initial_state` is given, where Keras loses it. With `go_backwards` (and so
    in `keras.layers.Bidirectional`) the reversed sequence of right-padded rows
    begins with their padding, and so with nothing.

    **Stateful.** With `stateful=True` the last state of a batch is the first of
    the next, in training too: gradients end there (truncated backpropagation
    through time). Keras' own layer loses the state on JAX, between steps of
    `fit` and `predict`, and cannot be trained on PyTorch.

    Args:
        units: Size of the state and of the output.
        **kwargs: As `keras.layers.LSTM`. `use_cudnn`: `"auto"` as described;
            `True` or `False` leave the choice of the kernel to Keras.

    Call arguments:
        sequences: Tensor of shape `(batch, time, features)`.
        initial_state: List of `h` and `c`; zeros by default.
        mask, sequences_mask: Boolean tensor of shape `(batch, time)`, true
            for real steps, by one of the two names, as Keras fills them in.
        training: Whether `dropout` is active.

    Raises:
        ValueError: As `keras.layers.LSTM`.

    Example:

    >>> layer = keras_dl.layers.LSTM(8, return_sequences=True)
    >>> layer(np.ones((2, 5, 3))).shape
    (2, 5, 8)

    Reference:
        Hochreiter and Schmidhuber, "Long short-term memory", Neural
        Computation 9, 1997. The forget gate is of Gers, Schmidhuber and
        Cummins, 2000. There are no peephole connections.
    """

    _kernel = staticmethod(backend.lstm)
    _works_without_bias = True
