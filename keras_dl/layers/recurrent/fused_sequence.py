"""Recurrent layers whose whole sequence runs in one kernel."""

import keras
from keras import ops

from keras_dl import backend
from keras_dl.layers.masks import zero_masked
from keras_dl.layers.recurrent.states import states_of


class FusedSequence:
    """Runs the whole sequence in one kernel, where one fits the arguments."""

    @property
    def variables(self):
        """All variables: of a stateful layer the states too, no weights.

        Keras' own does not count them, and so loses them in steps on JAX.
        """
        return [*super().variables, *states_of(self)]

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
        if self.stateful:
            # On PyTorch the new state is written where the old one stands,
            # which the gradient still needs.
            states = [ops.copy(state) for state in states]
        mask = keras.tree.flatten(mask)[0] if mask is not None else None
        if mask is not None:
            mask = ops.cast(mask, "bool")
            # A masked step counts for nothing, also where it holds NaN.
            sequences = zero_masked(sequences, mask)
        if not self._fits_a_kernel() or not self._pays(sequences, mask):
            found = super().inner_loop(sequences, states, mask, training)
        elif backend.differentiated_twice() or backend.records_gradients():
            found = keras.layers.RNN.inner_loop(
                self, sequences, states, mask, training
            )
        else:
            return self._fused(sequences, states, mask, training)
        return self._from_the_state(found, states[0], mask)

    def _from_the_state(self, found, state, mask):
        """The kernel's results: before the first step that counts, the state.

        Keras' loops begin with zeros there, whatever the initial state is.
        """
        if mask is None or self.zero_output_for_mask:
            return found
        last, outputs, states = found
        if self.go_backwards:
            mask = ops.flip(mask, 1)
        begun = ops.expand_dims(ops.cumsum(ops.cast(mask, "int32"), 1) > 0, -1)
        last = ops.where(begun[:, -1], last, state)
        if self.return_sequences:
            outputs = ops.where(begun, outputs, ops.expand_dims(state, 1))
        return last, outputs, states

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
