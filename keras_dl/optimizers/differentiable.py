"""Steps of an optimizer as functions that gradients flow through."""

import keras
from keras import ops


class DifferentiableUpdate:
    """The update of a Keras optimizer, as a function of values.

    Keras' optimizers write to variables, where gradients end. Inner loops that
    are differentiated themselves (meta-learning, unrolled GANs) need the new
    values as a function of the old ones, of the gradients and of the
    optimizer's state:

        SGD        m' = mu m - a g             w' = w + m'
                   (Nesterov: w' = w + mu m' - a g)
        RMSprop    v' = r v + (1 - r) g^2      w' = w - a g / sqrt(v' + e)
        Adam       m' = b1 m + (1 - b1) g      v' = b2 v + (1 - b2) g^2
                   w' = w - a sqrt(1 - b2^t) / (1 - b1^t) m' / (sqrt(v') + e)

    The learning rate a is that of the optimizer at its present iteration.

    Args:
        optimizer: A `keras.optimizers.SGD`, `RMSprop` or `Adam`, or its
            identifier. A `LossScaleOptimizer` stands for the one inside.

    Raises:
        ValueError: If it is another one, or does what is not written above:
            clips gradients, decays weights, averages weights, accumulates
            gradients, `amsgrad`, `centered`, or momentum in RMSprop.

    Example: a step of gradient descent that is differentiated, by where it
    began: w' = w - 0.1 * 2 w, and the loss after it is w'^2.

    >>> weight = keras.Variable(0.0)
    >>> update = DifferentiableUpdate(keras.optimizers.SGD(0.1))
    >>> def loss_after(value):
    ...     state = update.initial_state([value])
    ...     values, state = update([value], [2 * value], state)
    ...     with keras_dl.substitute([weight], values):
    ...         return ops.square(weight)
    >>> keras_dl.grad(loss_after)(ops.array(3.0))  # 2 * 0.8^2 * 3
    3.84
    """

    def __init__(self, optimizer):
        optimizer = keras.optimizers.get(optimizer)
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer = optimizer.inner_optimizer
        self.optimizer = optimizer
        # Keras makes a class of its own of each on PyTorch.
        kinds = [kind for kind in _UPDATES if isinstance(optimizer, kind)]
        if not kinds:
            raise ValueError(
                "`optimizer` must be one of "
                f"{[kind.__name__ for kind in _UPDATES]}. "
                f"Received: {optimizer!r}"
            )
        self._update, self._slots = _UPDATES[kinds[0]]
        beyond = [name for name in _BEYOND if getattr(optimizer, name, None)]
        if isinstance(optimizer, keras.optimizers.RMSprop):
            beyond += ["momentum"] if optimizer.momentum else []
        if beyond:
            raise ValueError(
                "`optimizer` must have a plain update to be differentiated. "
                f"Received: {type(optimizer).__name__} with "
                f"{', '.join(beyond)}"
            )

    def initial_state(self, values):
        """The state before the first update: all zeros."""
        slots = [[ops.zeros_like(v) for v in values] for _ in self._slots]
        return ops.zeros((), "float32"), slots

    def current_state(self, variables):
        """The state of the optimizer itself, which must be built."""
        slots = []
        for name in self._slots:
            of_variables = getattr(self.optimizer, name)
            index = self.optimizer._get_variable_index
            slots.append(
                [
                    # SGD without momentum keeps none.
                    ops.convert_to_tensor(of_variables[index(v)])
                    if of_variables
                    else ops.zeros(v.shape, v.dtype)
                    for v in variables
                ]
            )
        return ops.cast(self.optimizer.iterations, "float32"), slots

    def __call__(self, values, gradients, state):
        """One update.

        Args:
            values: List of tensors.
            gradients: As many gradients.
            state: What `initial_state`, `current_state` or the last call gave.

        Returns:
            `(values, state)` after the update.
        """
        iterations, slots = state
        rate = ops.cast(self.optimizer.learning_rate, "float32")
        new_values, new_slots = [], [[] for _ in slots]
        for i, (value, gradient) in enumerate(
            zip(values, gradients, strict=True)
        ):
            value, *changed = self._update(
                self.optimizer,
                ops.cast(rate, value.dtype),
                iterations + 1.0,
                value,
                ops.cast(gradient, value.dtype),
                *(slot[i] for slot in slots),
            )
            new_values.append(value)
            for slot, one in zip(new_slots, changed, strict=True):
                slot.append(one)
        return new_values, (iterations + 1.0, new_slots)


def _sgd(optimizer, rate, t, w, g, m):
    m = optimizer.momentum * m - rate * g
    if optimizer.nesterov and optimizer.momentum:
        return w + optimizer.momentum * m - rate * g, m
    return w + m, m


def _rmsprop(optimizer, rate, t, w, g, v):
    v = optimizer.rho * v + (1.0 - optimizer.rho) * ops.square(g)
    return w - rate * g / ops.sqrt(v + optimizer.epsilon), v


def _adam(optimizer, rate, t, w, g, m, v):
    b1, b2 = optimizer.beta_1, optimizer.beta_2
    m = m + (1.0 - b1) * (g - m)
    v = v + (1.0 - b2) * (ops.square(g) - v)
    rate = rate * ops.cast(
        ops.sqrt(1.0 - ops.power(b2, t)) / (1.0 - ops.power(b1, t)), w.dtype
    )
    # The root at 0, where a weight never had a gradient, is taken as constant.
    seen = v > 0.0
    root = ops.where(seen, ops.sqrt(ops.where(seen, v, 1.0)), 0.0)
    return w - rate * m / (root + optimizer.epsilon), m, v


_UPDATES = {
    keras.optimizers.SGD: (_sgd, ("momentums",)),
    keras.optimizers.RMSprop: (_rmsprop, ("_velocities",)),
    keras.optimizers.Adam: (_adam, ("_momentums", "_velocities")),
}
_BEYOND = (
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "weight_decay",
    "use_ema",
    "gradient_accumulation_steps",
    "amsgrad",
    "centered",
)
