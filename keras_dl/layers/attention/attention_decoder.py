"""`AttentionDecoder`: a recurrent decoder that attends in every step."""

import keras
from keras import ops

from keras_dl import backend
from keras_dl.checks import (
    check_choice,
    check_integer,
    check_rate,
    check_seed,
)
from keras_dl.layers.attention.attention import Attention
from keras_dl.layers.dense import Dense
from keras_dl.layers.masks import padding_mask, zero_masked


@keras.saving.register_keras_serializable("keras_dl")
class AttentionDecoder(keras.Layer):
    """LSTM decoder with attention on a memory inside its loop.

        order="luong":     h_t = LSTM([x_t; a_{t-1}], h_{t-1})
                           c_t = attend(h_t, memory)
                           a_t = tanh(W [c_t; h_t])
        order="bahdanau":  c_t = attend(h_{t-1}, memory)
                           h_t = LSTM([x_t; c_t], h_{t-1})
                           a_t = tanh(W [c_t; h_t])

    and the output at each step is the attentional vector `a_t`. The inputs of
    all steps are projected in one product, and the memory once; the loop does
    the rest.

    In training the true targets are the inputs (teacher forcing). To
    generate, call it with one step at a time, and hand it the states that it
    returned.

    **Shapes.** Inputs `(batch, time, e)` and memory `(batch, keys, m)` to
    `(batch, time, units)`; weights `(batch, time, keys)`; states `h`, `c` and
    the attentional vector, `(batch, units)` each.

    **Masking.** Masked parts of the memory count for nothing, whatever they
    hold, NaN too. A masked step of the inputs leaves the states as they are,
    and its output is that of the step before; its weights are returned as
    computed. The inputs' mask is passed on.

    Args:
        units: Size of the states and of the output.
        score: Score function of the attention: see `Attention`. `dot` needs a
            memory of size `units`.
        order: Whether to attend with the new state, `"luong"` (with input
            feeding), or with the one before, `"bahdanau"`.
        dropout: Share of the inputs to drop in training.
        return_state: Whether to return the last states, after the outputs.
        seed: Seed of the dropout.
        **kwargs: Arguments of `keras.Layer`.

    Call arguments:
        inputs: Tensor of shape `(batch, time, e)`.
        memory: Tensor of shape `(batch, keys, m)`.
        initial_state: `h` and `c`, or all three states; zeros by default.
        inputs_mask, memory_mask: Boolean masks; they come along.
        return_attention_scores: Whether to return the weights, last.
        training: Whether dropout is active.

    Raises:
        ValueError: If an argument is not allowed, the states do not fit, or
            the inputs have no steps.

    Example:

    >>> decoder = keras_dl.layers.AttentionDecoder(8, score="general")
    >>> decoder(np.ones((2, 3, 4)), np.ones((2, 5, 6))).shape
    (2, 3, 8)

    Reference:
        Luong, Pham and Manning, "Effective approaches to attention-based
        neural machine translation", 2015; Bahdanau, Cho and Bengio, 2015,
        whose recurrent unit is a GRU, and whose output layer has maxout.
    """

    def __init__(
        self,
        units,
        score="general",
        order="luong",
        dropout=0.0,
        return_state=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = check_integer("units", units, 1)
        self.order = check_choice("order", order, ("luong", "bahdanau"))
        self.dropout = check_rate("dropout", dropout)
        self.return_state = return_state
        self.seed = None if seed is None else check_seed(seed)
        self.supports_masking = True
        policy = self.dtype_policy
        self.attention = Attention(score, dtype=policy, name="attention")
        self.score = self.attention.score
        self.cell = keras.layers.LSTMCell(units, dtype=policy, name="cell")
        self.combine = Dense(
            units, "tanh", use_bias=False, dtype=policy, name="combine"
        )
        self.drop = keras.layers.Dropout(dropout, seed=self.seed, dtype=policy)

    def build(self, inputs_shape, memory_shape):
        batch, size = inputs_shape[0], memory_shape[-1]
        fed = self.units if self.order == "luong" else size
        self._input_size = inputs_shape[-1]
        self.cell.build((batch, self._input_size + fed))
        self.attention.build((batch, None, self.units), memory_shape)
        self.combine.build((batch, size + self.units))
        self.built = True

    def call(
        self,
        inputs,
        memory,
        initial_state=None,
        inputs_mask=None,
        memory_mask=None,
        return_attention_scores=False,
        training=None,
    ):
        self._check(inputs, initial_state)
        memory = zero_masked(memory, memory_mask)
        keys = self.attention.project(memory)
        visible = padding_mask(memory_mask)
        kernel = ops.convert_to_tensor(self.cell.kernel)
        fed_kernel = kernel[self._input_size :]
        kernel = kernel[: self._input_size]
        recurrent = ops.convert_to_tensor(self.cell.recurrent_kernel)

        def attend(h):
            context, weights = self.attention.attend(
                h[:, None], keys, memory, visible
            )
            return context[:, 0], weights[:, 0]

        def step(states, now):
            x, *real = now
            h, c, fed = states
            if self.order == "bahdanau":
                fed, weights = attend(h)
            gates = x + ops.matmul(fed, fed_kernel) + ops.matmul(h, recurrent)
            i, f, g, o = ops.split(gates, 4, axis=-1)
            new_c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
            new_h = ops.sigmoid(o) * ops.tanh(new_c)
            context = fed
            if self.order == "luong":
                context, weights = attend(new_h)
            vector = self.combine(ops.concatenate([context, new_h], -1))
            new = new_h, new_c, vector
            for mask in real:
                pairs = zip(new, states, strict=True)
                new = tuple(ops.where(mask, a, b) for a, b in pairs)
            return new, (new[2], weights)

        x = self.drop(zero_masked(inputs, inputs_mask), training=training)
        x = ops.swapaxes(ops.matmul(x, kernel) + self.cell.bias, 0, 1)
        states = self._states(initial_state, ops.shape(x)[1])
        steps = (x,)
        if inputs_mask is not None:
            real = ops.cast(ops.swapaxes(inputs_mask, 0, 1), "bool")
            steps = x, ops.expand_dims(real, -1)
        states, (outputs, weights) = backend.scan(step, states, steps)
        results = [ops.swapaxes(outputs, 0, 1)]
        if self.return_state:
            results.extend(states)
        if return_attention_scores:
            results.append(ops.swapaxes(weights, 0, 1))
        return results[0] if len(results) == 1 else tuple(results)

    def _check(self, inputs, states):
        """Refuses inputs without steps, and states that do not fit."""
        if inputs.shape[1] == 0:
            raise ValueError(
                "`inputs` must have at least one step. Received: inputs of "
                f"shape {tuple(inputs.shape)}."
            )
        if states is None:
            return
        several = isinstance(states, (list, tuple))
        shapes = [tuple(s.shape) for s in (states if several else [states])]
        fits = all(len(s) == 2 and s[1] == self.units for s in shapes)
        if not several or not fits or len(shapes) not in (0, 2, 3):
            what = f"{len(shapes)} states" if several else "one tensor"
            raise ValueError(
                "`initial_state` must be h and c, or the three states that "
                f"`return_state` returns, (batch, {self.units}) each. "
                f"Received: {what} of shapes {shapes}."
            )

    def _states(self, given, batch):
        zeros = ops.zeros((batch, self.units), dtype=self.compute_dtype)
        given = [] if given is None else given
        given = [ops.cast(state, self.compute_dtype) for state in given]
        return (*given, *[zeros] * (3 - len(given)))

    def compute_output_spec(
        self,
        inputs,
        memory,
        initial_state=None,
        *args,
        return_attention_scores=False,
        **kwargs,
    ):
        self._check(inputs, initial_state)
        dtype, batch = self.compute_dtype, inputs.shape[0]

        def spec(*shape):
            return keras.KerasTensor(shape, dtype=dtype)

        steps = inputs.shape[1]
        results = [spec(batch, steps, self.units)]
        if self.return_state:
            results.extend(spec(batch, self.units) for _ in range(3))
        if return_attention_scores:
            results.append(spec(batch, steps, memory.shape[1]))
        return results[0] if len(results) == 1 else tuple(results)

    def compute_mask(self, inputs, mask=None):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        return (mask, None, None, None) if self.return_state else mask

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "score": self.score,
            "order": self.order,
            "dropout": self.dropout,
            "return_state": self.return_state,
            "seed": self.seed,
        }
