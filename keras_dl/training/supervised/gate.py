"""Gates: what each example counts in a term of the loss."""

import keras
import numpy as np
from keras import ops

from keras_dl.checks import check_choice, check_integer, check_positive
from keras_dl.models.features import OUTPUTS
from keras_dl.training.supervised.masked_mean import masked_mean
from keras_dl.training.supervised.passes import in_full, output_at


class Gate(keras.Layer):
    """What each example counts in a term: selection of knowledge.

        loss of the term = mean_i gate_i term_i

    A subclass writes `factor`. A gate has no gradient, and what it counts by
    (see `ScheduledGate`) is saved with the trainer.

    Args:
        **kwargs: Arguments of `keras.Layer`.

    Example: only texts of label 1.

    >>> class Positive(keras_dl.training.Gate):
    ...     def factor(self, batch):
    ...         return ops.equal(batch.y, 1)
    >>> term = keras_dl.training.LogitsDistillation(gate=Positive())
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def factor(self, batch):
        """The factors.

        Args:
            batch: A `keras_dl.training.SupervisedBatch`.

        Returns:
            Tensor of shape `(batch,)`, or a scalar.
        """
        raise NotImplementedError

    def __call__(self, batch):
        return ops.stop_gradient(ops.cast(self.factor(batch), "float32"))


@keras.saving.register_keras_serializable("keras_dl")
class ScheduledGate(Gate):
    """Opens or closes a term as training goes on.

        gate = schedule(step)

    Steps are those of the optimizer's batches, from 0; `evaluate` does not
    count, and sees what the next step would.

    Args:
        schedule: A `keras.optimizers.schedules.LearningRateSchedule`.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        TypeError: If `schedule` is something else.

    Example: features for 100 steps, and nothing afterwards.

    >>> schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
    ...     [99], [1.0, 0.0]
    ... )
    >>> term = keras_dl.training.FeatureDistance(gate=ScheduledGate(schedule))
    """

    def __init__(self, schedule, **kwargs):
        super().__init__(**kwargs)
        kind = keras.optimizers.schedules.LearningRateSchedule
        if not isinstance(schedule, kind):
            raise TypeError(
                "`schedule` must be a keras LearningRateSchedule. Received: "
                f"schedule={schedule!r}."
            )
        self.schedule = schedule
        self.step = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int32",
            trainable=False,
            aggregation="only_first_replica",
            name="step",
        )

    def factor(self, batch):
        factor = self.schedule(ops.convert_to_tensor(self.step))
        if batch.training:
            self.step.assign_add(1)
        return factor

    def get_config(self):
        serialize = keras.optimizers.schedules.serialize
        return {**super().get_config(), "schedule": serialize(self.schedule)}

    @classmethod
    def from_config(cls, config):
        read = keras.optimizers.schedules.deserialize
        return cls(**{**config, "schedule": read(config["schedule"])})


@keras.saving.register_keras_serializable("keras_dl")
class EntropyGate(Gate):
    """Chooses the examples by how sure a model is of them.

        H = - sum_c p_c log p_c / log C,  p = softmax(z)
        keep = "sure":    gate = [H <= threshold], or 1 - H
        keep = "unsure":  gate = [H >= threshold], or H

    Args:
        threshold: Number above 0, as a share of the largest entropy;
            `None` weighs examples instead of choosing.
        keep: `"sure"` or `"unsure"`.
        of: `"teacher"` or `"student"`: whose entropy.
        of_teacher: Number of the teacher.
        logits: Path of the outputs, `(batch, ..., C)`: the entropy is
            the mean over what there is of an example.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed.

    Example: hints of a teacher count where it knows.

    >>> gate = EntropyGate(threshold=0.5)
    >>> term = keras_dl.training.FeatureDistance("outputs", gate=gate)

    Reference:
        Li et al., "Dynamic knowledge distillation for pre-trained language
        models", 2021, choose by the student's entropy.
    """

    def __init__(
        self,
        threshold=None,
        keep="sure",
        of="teacher",
        of_teacher=0,
        logits=OUTPUTS,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if threshold is not None:
            check_positive("threshold", threshold)
        self.threshold = threshold
        self.keep = check_choice("keep", keep, ("sure", "unsure"))
        self.of = check_choice("of", of, ("teacher", "student"))
        self.of_teacher = check_integer("of_teacher", of_teacher, 0)
        self.logits = logits

    def factor(self, batch):
        from_teacher = self.of == "teacher"
        seen = (
            batch.teachers[self.of_teacher] if from_teacher else batch.student
        )
        logits = in_full(output_at(seen.outputs, self.logits))
        entropy = _entropies(logits, batch.mask)
        sure = self.keep == "sure"
        if self.threshold is None:
            return 1.0 - entropy if sure else entropy
        if sure:
            return entropy <= self.threshold
        return entropy >= self.threshold

    def get_config(self):
        return {
            **super().get_config(),
            "threshold": self.threshold,
            "keep": self.keep,
            "of": self.of,
            "of_teacher": self.of_teacher,
            "logits": self.logits,
        }


def _entropies(z, mask):
    """Of each example, as a share of the largest."""
    size = z.shape[-1]
    if size == 1:  # Of a yes or no.
        z, size = ops.concatenate([z, ops.zeros_like(z)], axis=-1), 2
    logs = ops.log_softmax(z, axis=-1)
    p = ops.exp(logs)
    entropy = -ops.sum(ops.where(p > 0.0, p * logs, 0.0), axis=-1)
    return masked_mean(entropy, mask) / float(np.log(size))
