"""Learning rates made of straight lines."""

import keras
from keras import ops

from keras_dl.checks import check_integer
from keras_dl.optimizers.updates import UpdateSchedule, check_learning_rate


@keras.saving.register_keras_serializable("keras_dl")
class LinearWarmupDecay(UpdateSchedule):
    """Linear warmup, then linear decay.

        t < warmup_steps: rate(t) = peak t / warmup_steps
        t < total_steps:  rate(t) = end + (peak - end) (total_steps - t)
                                    / (total_steps - warmup_steps)
        after that:       rate(t) = end

    t counts updates from 1: the first update gets rate(1), which is above 0,
    update `warmup_steps` gets `peak`, update `total_steps` gets `end`.

    Args:
        peak: The largest rate.
        total_steps: Number of updates until `end`.
        warmup_steps: Number of those that the rate rises in, below
            `total_steps`. With 0 it falls from the first update on.
        end: The rate from update `total_steps` on.
        gradient_accumulation_steps: That of the optimizer, if it has one:
            Keras counts batches, of which then several make an update.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> schedule = LinearWarmupDecay(1e-4, 10_000, warmup_steps=1_000)
    >>> optimizer = keras.optimizers.AdamW(schedule)
    >>> [float(schedule(step)) for step in (499, 999, 9_999)]
    [5.0e-05, 1.0e-04, 0.0]

    Reference:
        Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers
        for Language Understanding", 2019, appendix A.2.

    Where it differs: BERT's code and `get_linear_schedule_with_warmup` of
    transformers count from 0, so that their first update has the rate 0 and
    does nothing; here everything comes one update earlier. BERT's code,
    moreover, decays as if from update 0: its rate jumps down after the warmup.
    """

    def __init__(
        self,
        peak,
        total_steps,
        warmup_steps=0,
        end=0.0,
        gradient_accumulation_steps=None,
    ):
        super().__init__(gradient_accumulation_steps)
        self.peak = check_learning_rate("peak", peak)
        self.total_steps = check_integer("total_steps", total_steps, minimum=1)
        self.warmup_steps = check_integer(
            "warmup_steps",
            warmup_steps,
            minimum=0,
            maximum=self.total_steps - 1,
        )
        self.end = check_learning_rate("end", end, positive=False)

    def rate(self, update):
        rising = self.peak * (update / max(self.warmup_steps, 1))
        decay_steps = self.total_steps - self.warmup_steps
        left = (self.total_steps - update) / decay_steps
        falling = _between(self.end, self.peak, left)
        return ops.where(update < self.warmup_steps, rising, falling)

    def get_config(self):
        return {
            **super().get_config(),
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "end": self.end,
        }


@keras.saving.register_keras_serializable("keras_dl")
class ConstantThenLinear(UpdateSchedule):
    """A constant learning rate, then linear decay.

        t <= constant_steps: rate(t) = learning_rate
        up to last:          rate(t) = end + (learning_rate - end)
                                       (last - t) / decay_steps
        after that:          rate(t) = end

    with last = constant_steps + decay_steps.

    t counts updates from 1: `constant_steps` updates have the full rate, and
    it falls over the `decay_steps` updates that follow, the last of which has
    the rate `end`.

    Args:
        learning_rate: The rate of the first updates.
        constant_steps: Number of updates with that rate, 0 or more.
        decay_steps: Number of updates that it falls in, 1 or more.
        end: The rate from then on.
        gradient_accumulation_steps: That of the optimizer, if it has one:
            Keras counts batches, of which then several make an update.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> steps = 100 * 50  # 100 epochs of 50 batches.
    >>> schedule = ConstantThenLinear(2e-4, steps, decay_steps=steps)
    >>> optimizer = keras.optimizers.Adam(schedule, beta_1=0.5)
    >>> [float(schedule(step)) for step in (0, steps, 3 * steps // 2)]
    [2.0e-04, 2.0e-04, 1.0e-04]

    Reference:
        Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent
        Adversarial Networks", 2017: 100 epochs at 0.0002, then 100 epochs to 0.

    Where it differs: the paper's code changes the rate once an epoch, here it
    falls with each update.
    """

    def __init__(
        self,
        learning_rate,
        constant_steps,
        decay_steps,
        end=0.0,
        gradient_accumulation_steps=None,
    ):
        super().__init__(gradient_accumulation_steps)
        self.learning_rate = check_learning_rate("learning_rate", learning_rate)
        self.constant_steps = check_integer(
            "constant_steps", constant_steps, minimum=0
        )
        self.decay_steps = check_integer("decay_steps", decay_steps, minimum=1)
        self.end = check_learning_rate("end", end, positive=False)

    def rate(self, update):
        last = self.constant_steps + self.decay_steps
        left = (last - update) / self.decay_steps
        return _between(self.end, self.learning_rate, left)

    def get_config(self):
        return {
            **super().get_config(),
            "learning_rate": self.learning_rate,
            "constant_steps": self.constant_steps,
            "decay_steps": self.decay_steps,
            "end": self.end,
        }


def _between(end, start, left):
    """From `start`, with all left, to `end`, with nothing left."""
    left = ops.clip(left, 0.0, 1.0)
    return end * (1.0 - left) + start * left
