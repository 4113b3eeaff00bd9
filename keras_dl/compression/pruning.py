"""Pruning of single weights: readings that choose their masks themselves."""

import keras
import numpy as np
from keras import ops

from keras_dl.checks import check_choice, check_integer
from keras_dl.compression.masks import (
    SCOPES,
    check_pattern,
    mask_of_pattern,
    masks_of,
    number_pruned,
    pattern_of,
)
from keras_dl.compression.schedules import as_schedule
from keras_dl.models import WeightMask


class Pruning(WeightMask):
    """What pruning by magnitude and by movement have in common.

    A subclass says what the lowest of is pruned, by `scores(path)`.
    """

    def __init__(
        self, sparsity, scope="local", frequency=100, paths=None, **kwargs
    ):
        super().__init__(paths=paths, **kwargs)
        self.sparsity = sparsity
        self.scope = check_choice("scope", scope, SCOPES)
        self.frequency = check_integer("frequency", frequency, 1)
        self._pattern = pattern_of(sparsity)
        if self._pattern is None and sparsity is not None:
            self._schedule = as_schedule("sparsity", sparsity)
        self.step = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int32",
            trainable=False,
            name="step",
        )

    def scores(self, path):
        """Tensor of the shape of a variable: the lowest are pruned."""
        raise NotImplementedError

    def attach(self, model):
        new = not self.masks
        super().attach(model)
        if self._pattern is not None:
            for path, mask in self.masks.items():
                check_pattern(path, mask.shape, self._pattern)
        if new:
            self._start()
            self._assign(self.masks_at(self.step))

    def _start(self):
        """Makes what scores need, before the first masks are chosen."""

    def masks_at(self, step):
        """The masks of so many updates, of the scores of now.

        Args:
            step: Number of updates, an integer tensor.

        Returns:
            List of boolean tensors, in the order of `masks`.
        """
        scores = [self.scores(path) for path in self.masks]
        if self._pattern is not None:
            return [mask_of_pattern(x, self._pattern) for x in scores]
        sizes = [int(np.prod(x.shape)) for x in scores]
        if self.scope == "global":
            return masks_of(scores, self._number(step, sum(sizes)), "global")
        numbers = [self._number(step, size) for size in sizes]
        return masks_of(scores, numbers, "local")

    def _number(self, step, total):
        """How many of `total` are pruned; exact at the end of the schedule."""
        share = self._schedule(step)
        return ops.where(
            step >= self._schedule.end,
            number_pruned(self._schedule.final, total),
            ops.cast(ops.round(share * total), "int32"),
        )

    def after_update(self):
        self.step.assign(self.step + 1)
        if self._changes():
            step = ops.convert_to_tensor(self.step)
            chosen = ops.cond(
                self._is_due(step),
                lambda: [ops.cast(m, "bool") for m in self.masks_at(step)],
                lambda: [ops.cast(m, "bool") for m in self.masks.values()],
            )
            self._assign(chosen)
        super().after_update()

    def _changes(self):
        """Whether masks are ever chosen anew: else a step does not ask."""
        return self._pattern is None and self._schedule.end > 0

    def _is_due(self, step):
        begin, end = self._schedule.begin, self._schedule.end
        regular = ops.equal((step - begin) % self.frequency, 0)
        ramp = ops.logical_and(step >= begin, step < end)
        return ops.logical_or(
            ops.logical_and(ramp, regular), ops.equal(step, end)
        )

    def _assign(self, masks):
        for variable, mask in zip(self.masks.values(), masks, strict=True):
            variable.assign(ops.cast(mask, variable.dtype))

    def get_config(self):
        config = super().get_config()
        config.pop("masks", None)
        sparsity = self.sparsity
        if not isinstance(sparsity, (str, float, int)):
            sparsity = keras.saving.serialize_keras_object(sparsity)
        return config | {
            "sparsity": sparsity,
            "scope": self.scope,
            "frequency": self.frequency,
        }

    @classmethod
    def from_config(cls, config):
        return cls(
            **{
                name: keras.saving.deserialize_keras_object(value)
                if isinstance(value, dict) and "class_name" in value
                else value
                for name, value in config.items()
            }
        )


@keras.saving.register_keras_serializable("keras_dl")
class MagnitudePruning(Pruning):
    """Prunes the weights that are nearest to 0, and keeps them at 0.

        w' = m w,  m = 0 for the k smallest |w|,  k = round(s n)

    A reading of weights for `keras_dl.training.SupervisedTrainer`. Exactly `k`
    weights are pruned, whatever the ties (of equal ones the first in order),
    and they stay at 0 under momentum, weight decay and moving averages: what
    is pruned never comes back. Halves are rounded to the even number, as
    `torch.nn.utils.prune` does: of 10 weights 0.25 are 2. While a schedule
    runs, numbers are computed in float32; its end is exact.

    With a number, or a pattern, masks are chosen once, when the trainer meets
    the built model: prune trained weights. With a schedule they are chosen
    again after every `frequency` updates, within the compiled step, and at its
    end.

    Zeros gain no time in dense kernels; remove heads, units or layers for that.

    Args:
        sparsity: Share of pruned weights in [0, 1); a `PolynomialSparsity`; or
            a pattern `"n:m"`, such as `"2:4"`: of every m successive inputs
            of an output n are kept.
        scope: `"local"`: the share holds for each variable; `"global"`: for
            all together.
        frequency: Number of updates between choices of masks.
        paths: Regular expressions: which variables. By default all kernels.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed; by `attach`, if a path
            matches nothing or a pattern does not fit a kernel.

    Example: half of the weights of a trained model, which goes on training.

    >>> model = keras_dl.applications.MLP((8,), num_outputs=3)
    >>> model.build((None, 4))
    >>> trainer = keras_dl.training.SupervisedTrainer(
    ...     model, readings=MagnitudePruning(0.5)
    ... )
    >>> trainer.compile(keras.optimizers.AdamW(1e-3))
    >>> x, y = np.ones((6, 4), "float32"), np.array([0, 1, 2] * 2)
    >>> history = trainer.fit(x, y, verbose=0)
    >>> keras_dl.compression.sparsity(trainer.finish())
    0.5

    Reference:
        Han et al., "Learning both weights and connections for efficient
        neural networks", 2015; Zhu and Gupta, "To prune, or not to prune",
        2017; patterns: Mishra et al., "Accelerating sparse deep neural
        networks", 2021.
    """

    def scores(self, path):
        sizes = ops.abs(ops.convert_to_tensor(self.of_variables[path]))
        # What is pruned is below all that is not, zeros too.
        kept = ops.cast(self.masks[path], "bool")
        return ops.where(kept, sizes, -ops.ones_like(sizes))
