"""`LSTM` and `GRU`: Keras' recurrent layers by one fused kernel."""

import keras
from keras import ops

from keras_dl import backend
from keras_dl.layers.masks import zero_masked


class _FusedSequence:
    """Runs the whole sequence in one kernel, where one fits the arguments."""

    def call(
        self,
        sequences,
        initial_state=None,
        mask=None,
        training=False,
        sequences_mask=None,
    ):
        return super().call(
            sequences,
            initial_state=initial_state,
            mask=sequences_mask if mask is None else mask,
            training=training,
        )

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """What Keras' `RNN.call` runs: `(last output, outputs, states)`."""
        states = keras.tree.flatten(initial_state)
        mask = keras.tree.flatten(mask)[0] if mask is not None else None
        if mask is not None:
            mask = ops.cast(mask, "bool")
            # A masked step counts for nothing, also where it holds NaN.
            sequences = zero_masked(sequences, mask)
        if not self._fits_a_kernel() or not self._pays(sequences, mask):
            return super().inner_loop(sequences, states, mask, training)
        if backend.differentiated_twice():
            return keras.layers.RNN.inner_loop(
                self, sequences, states, mask, training
            )
        return self._fused(sequences, states, mask, training)

    def _fits_a_kernel(self):
        cell = self.cell
        return (
            self.use_cudnn == "auto"
            and cell.activation is keras.activations.tanh
            and cell.recurrent_activation is keras.activations.sigmoid
            and not self.recurrent_dropout
            and not self.unroll
            and getattr(cell, "reset_after", True)
            and (cell.use_bias or self._works_without_bias)
        )

    def _pays(self, sequences, mask):
        # With a mask always: what it means must not hang on the length.
        weights = self.cell.kernel.value, self.cell.recurrent_kernel.value
        return mask is not None or backend.recurrent_kernel_pays(
            sequences, weights
        )

    def _fused(self, x, states, mask, training):
        cell = self.cell
        if training and self.dropout:
            x = x * ops.expand_dims(cell.get_dropout_mask(x[:, 0, :]), 1)
        if self.go_backwards:
            x = ops.flip(x, 1)
            mask = None if mask is None else ops.flip(mask, 1)
        outputs, states = type(self)._kernel(
            ops.cast(x, cell.compute_dtype),
            states,
            ops.convert_to_tensor(cell.kernel),
            ops.convert_to_tensor(cell.recurrent_kernel),
            None if cell.bias is None else ops.convert_to_tensor(cell.bias),
            mask,
            training,
        )
        if self.zero_output_for_mask:
            outputs = zero_masked(outputs, mask)
        return outputs[:, -1], outputs, states


@keras.saving.register_keras_serializable("keras_dl")
class LSTM(_FusedSequence, keras.layers.LSTM):
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


@keras.saving.register_keras_serializable("keras_dl")
class GRU(_FusedSequence, keras.layers.GRU):
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


def fast_recurrent(model):
    """A copy of a Keras model with its `LSTM` and `GRU` layers replaced.

    The layers of Keras become those of `keras_dl.layers`, also inside nested
    functional and sequential models, `keras.layers.Bidirectional` and wrappers
    such as `keras.layers.TimeDistributed`, with the same names, arguments and
    weights: so the copy reads and writes the weight files of the original.
    Masks count in the copy as `LSTM` says. What stands inside nested
    subclassed models, layers of your own and `keras.layers.RNN` stays as it is.

    Args:
        model: A functional or sequential Keras model, built.

    Returns:
        The copy, compiled as the model is.

    Raises:
        ValueError: If the model is subclassed, or not built.

    Example:

    >>> model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(8)])
    >>> fast = keras_dl.layers.fast_recurrent(model)
    >>> type(fast.layers[0]) is keras_dl.layers.LSTM
    True
    >>> x = np.ones((2, 5, 3))
    >>> np.allclose(fast.predict(x, verbose=0), model.predict(x, verbose=0))
    True
    """
    if not isinstance(model, keras.Sequential) and not _is_functional(model):
        raise ValueError(
            "`model` must be a functional or sequential Keras model, whose "
            f"layers can be replaced. Received: model={model}"
        )
    if not model.built:
        raise ValueError(
            "`model` must be built, to copy its weights: call it on data "
            f"first. Received: model={model}, which is not built."
        )
    copy = _clone(model)
    copy.set_weights(model.get_weights())
    return copy


def _is_functional(model):
    # A class of Keras that has no public name.
    return type(model).__name__ == "Functional"


def _clone(model):
    return keras.models.clone_model(
        model, clone_function=_replaced, recursive=True
    )


def _replaced(layer):
    """The layer's clone, by our class if we have one for it."""
    ours = {keras.layers.LSTM: LSTM, keras.layers.GRU: GRU}
    if type(layer) in ours:
        return ours[type(layer)].from_config(layer.get_config())
    if isinstance(layer, keras.Sequential) or _is_functional(layer):
        return _clone(layer)
    parts = {}
    if isinstance(layer, keras.layers.Bidirectional):
        parts["layer"] = layer.forward_layer
        parts["backward_layer"] = layer.backward_layer
    elif isinstance(layer, keras.layers.Wrapper):
        parts["layer"] = layer.layer
    config = layer.get_config()
    for key, part in parts.items():
        config[key] = keras.saving.serialize_keras_object(_replaced(part))
    return type(layer).from_config(config)
