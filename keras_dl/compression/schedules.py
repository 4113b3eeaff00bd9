"""How much is pruned by when."""

import keras
from keras import ops

from keras_dl.checks import check_fraction, check_integer, check_positive


@keras.saving.register_keras_serializable("keras_dl")
class PolynomialSparsity:
    """A share of pruned weights that grows fast first, and slowly at the end.

        s(t) = s_f + (s_0 - s_f) (1 - (t - begin) / (end - begin))^power

    between `begin` and `end`; `s_0` up to `begin`, `s_f` from `end` on. With
    power 3 it is the cubic schedule of gradual and of movement pruning: of
    `n` steps with a warm-up of `a` and a cool-down of `c` it is
    `PolynomialSparsity(s_f, begin=a, end=n - c)`.

    Steps are updates of the optimizer.

    Args:
        final: s_f, in [0, 1).
        begin: Step up to which nothing changes.
        end: Step from which on it is `final`.
        initial: s_0, in [0, 1).
        power: Exponent: 1 is linear.

    Raises:
        ValueError: If a share is not in [0, 1), `begin` is negative, or `end`
            comes before it.

    Example:

    >>> schedule = keras_dl.compression.PolynomialSparsity(0.8, end=100)
    >>> [round(float(schedule(t)), 4) for t in (0, 25, 50, 75, 100)]
    [0.0, 0.4625, 0.7, 0.7875, 0.8]

    Reference:
        Zhu and Gupta, "To prune, or not to prune", 2017; Sanh, Wolf and Rush,
        "Movement pruning", 2020.
    """

    def __init__(self, final, begin=0, end=0, initial=0.0, power=3.0):
        of = "the share of pruned weights"
        self.final = check_fraction("final", final, of)
        self.initial = check_fraction("initial", initial, of)
        self.begin = check_integer("begin", begin, 0)
        self.end = check_integer("end", end, self.begin)
        self.power = float(check_positive("power", power))

    def __call__(self, step):
        """The share after so many updates, a tensor."""
        span = max(self.end - self.begin, 1)
        done = ops.cast(step - self.begin, "float32") / span
        rest = (1.0 - ops.clip(done, 0.0, 1.0)) ** self.power
        share = self.final + (self.initial - self.final) * rest
        return ops.where(step >= self.end, self.final, share)

    def get_config(self):
        names = ("final", "begin", "end", "initial", "power")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def as_schedule(name, value):
    """A schedule, of a number one that is constant."""
    if isinstance(value, PolynomialSparsity):
        return value
    return PolynomialSparsity(
        check_fraction(
            name, value, "the share of pruned weights, or a schedule"
        )
    )
