"""The learning rate of the Transformer."""

import keras
from keras import ops

from keras_dl.checks import check_integer
from keras_dl.optimizers.updates import UpdateSchedule, check_learning_rate


@keras.saving.register_keras_serializable("keras_dl")
class Noam(UpdateSchedule):
    """Linear warmup, then decay with the inverse square root of the step.

        rate(t) = factor d_model^-0.5 min(t^-0.5, t warmup_steps^-1.5)

    It rises to its peak, factor (d_model warmup_steps)^-0.5, at t =
    `warmup_steps`. t counts updates from 1, as the paper does: **the first
    update gets rate(1)**, although Keras hands 0 to a schedule then. Called
    with `optimizer.iterations`, a schedule thus gives the rate of the next
    update.

    Args:
        d_model: Width of the model.
        warmup_steps: Number of updates until the peak.
        factor: What the rate is multiplied by; 1 in the paper.
        gradient_accumulation_steps: That of the optimizer, if it has one:
            Keras counts batches, of which then several make an update.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> schedule = Noam(d_model=512)
    >>> optimizer = keras.optimizers.Adam(
    ...     schedule, beta_1=0.9, beta_2=0.98, epsilon=1e-9
    ... )
    >>> float(schedule(0)), float(schedule(3999))
    (1.747e-07, 6.988e-04)

    Reference:
        Vaswani et al., "Attention Is All You Need", 2017, section 5.3. The
        name is that of tensor2tensor, whose later settings are
        `warmup_steps=8000, factor=2.0`.
    """

    def __init__(
        self,
        d_model,
        warmup_steps=4000,
        factor=1.0,
        gradient_accumulation_steps=None,
    ):
        super().__init__(gradient_accumulation_steps)
        self.d_model = check_integer("d_model", d_model, minimum=1)
        self.warmup_steps = check_integer(
            "warmup_steps", warmup_steps, minimum=1
        )
        self.factor = check_learning_rate("factor", factor)

    def rate(self, update):
        # In the order in which float32 rounds least.
        peak = self.factor / (self.d_model * self.warmup_steps) ** 0.5
        rising = update * (peak / self.warmup_steps)
        falling = peak * ops.sqrt(self.warmup_steps / update)
        return ops.minimum(rising, falling)

    def get_config(self):
        return {
            **super().get_config(),
            "d_model": self.d_model,
            "warmup_steps": self.warmup_steps,
            "factor": self.factor,
        }
