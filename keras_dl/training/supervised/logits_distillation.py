"""`LogitsDistillation`: outputs, pulled to those of teachers."""

import keras
from keras import ops

from keras_dl.checks import check_choice
from keras_dl.losses import SoftTargets
from keras_dl.models.features import OUTPUTS
from keras_dl.models.paths import is_graph
from keras_dl.tokens import check_ignore_class
from keras_dl.training.supervised.loss_term import LossTerm
from keras_dl.training.supervised.masked_mean import masked_mean


@keras.saving.register_keras_serializable("keras_dl")
class LogitsDistillation(LossTerm):
    """How far the model's outputs are from those of one or more teachers.

        mean_of = "logits":          t = sum_k w_k t_k
        mean_of = "probabilities":   p(t) = sum_k w_k p(t_k), at the temperature

    and then what `soft_targets` say, for each example; of tokens the mean over
    real ones. Of teachers whose outputs are known already the trainer takes
    `StoredOutputs`.

    Args:
        soft_targets: A `keras_dl.losses.SoftTargets`; with its defaults if not
            given.
        student: Path of the output, such as `"outputs/label"` of a model with
            several.
        teacher: That of the teachers; the same by default.
        mean_of: `"logits"` or `"probabilities"`.
        teacher_weights: Weights of the teachers, positive numbers, which are
            divided by their sum; equal ones by default.
        of_teacher: Number of the teacher, a list of them, or `None`: all.
        ignore_class: Target of the tokens that do not count, such as -1 with
            `keras_dl.heads.MaskedLM`; `None`: all real tokens count.
        **kwargs: Arguments of `LossTerm`: `weight`, `gate`, `name`.

    Raises:
        TypeError: If `soft_targets` is of another kind.
        ValueError: If an argument is not allowed, or if teacher and student do
            not tell the same classes apart.

    Example:

    >>> def make(width):
    ...     return keras_dl.applications.MLP((width,), num_outputs=3)
    >>> trainer = keras_dl.training.SupervisedTrainer(
    ...     make(4),
    ...     LogitsDistillation(keras_dl.losses.SoftTargets(4.0), weight=0.9),
    ...     teachers=[make(32), make(64)],
    ...     task_weight=0.1,
    ... )
    >>> trainer.compile(keras.optimizers.AdamW(1e-3))
    >>> x, y = np.random.normal(size=(8, 5)), np.arange(8) % 3
    >>> sorted(trainer.fit(x, y, verbose=0).history)
    ['accuracy', 'logits_distillation', 'loss', 'task_loss']

    Reference:
        Hinton, Vinyals and Dean, "Distilling the knowledge in a neural
        network", 2015; several teachers: You et al., "Learning from multiple
        teacher networks", 2017.
    """

    def __init__(
        self,
        soft_targets=None,
        student=OUTPUTS,
        teacher=None,
        mean_of="logits",
        teacher_weights=None,
        of_teacher=None,
        ignore_class=None,
        **kwargs,
    ):
        teacher = student if teacher is None else teacher
        super().__init__(
            student_features=[student],
            teacher_features=[teacher],
            of_teacher=of_teacher,
            **kwargs,
        )
        self.student, self.teacher = student, teacher
        if soft_targets is None:
            soft_targets = SoftTargets()
        self.soft_targets = soft_targets
        if not isinstance(self.soft_targets, SoftTargets):
            raise TypeError(
                "`soft_targets` must be a keras_dl.losses.SoftTargets. "
                f"Received: soft_targets={soft_targets!r}."
            )
        self.mean_of = check_choice(
            "mean_of", mean_of, ("logits", "probabilities")
        )
        self.teacher_weights = _check_weights(teacher_weights)
        self.ignore_class = check_ignore_class(ignore_class)

    def check(self, trainer):
        super().check(trainer)
        number = len(self.seen_teachers(trainer.teachers))
        weights = self.teacher_weights
        if weights is not None and len(weights) != number:
            raise ValueError(
                f"`teacher_weights` of {self.name!r} must hold one weight for "
                f"each of {number} teachers. Received: teacher_weights="
                f"{weights}."
            )
        numbers = self.seen_teachers(trainer.teachers)
        teachers = [trainer.teachers[i] for i in numbers]
        for name, models in (
            ("from_logits", [trainer.model]),
            ("teacher_from_logits", teachers),
        ):
            ends = [m.name for m in models if _gives_probabilities(m)]
            if ends and getattr(self.soft_targets, name):
                raise ValueError(
                    f"`{name}` of the `SoftTargets` of {self.name!r} must be "
                    f"False: {ends} end in a softmax or sigmoid."
                )

    def loss(self, batch):
        numbers = self.seen_teachers(batch.teachers)
        outputs = [batch.teachers[i].features[self.teacher] for i in numbers]
        student = batch.student.features[self.student]
        self._check_tensors(student, *outputs)
        losses = self.soft_targets.of_teachers(
            outputs, student, self.teacher_weights, self.mean_of
        )
        if self.ignore_class is None:
            return masked_mean(losses, batch.mask)
        return masked_mean(losses, self._has_target(batch.y, losses))

    def _has_target(self, y, losses):
        """Which tokens have a target that counts."""
        name = self.student.partition("/")[2]
        y = y[name] if isinstance(y, dict) and name in y else y
        if len(getattr(y, "shape", ())) != len(losses.shape):
            raise ValueError(
                f"`ignore_class` of {self.name!r} must be None where targets "
                f"are not one for each loss, {tuple(losses.shape)}. Received: "
                f"targets of shape {getattr(y, 'shape', None)}."
            )
        return ops.not_equal(y, self.ignore_class)

    def _check_tensors(self, *outputs):
        for one in outputs:
            if not hasattr(one, "shape"):
                names = list(one) if isinstance(one, dict) else range(len(one))
                raise ValueError(
                    f"`student` and `teacher` of {self.name!r} must name one "
                    "output of several: one of "
                    f"{[f'{OUTPUTS}/{name}' for name in names]}."
                )

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "soft_targets": serialize(self.soft_targets),
            "student": self.student,
            "teacher": self.teacher,
            "mean_of": self.mean_of,
            "teacher_weights": self.teacher_weights,
            "ignore_class": self.ignore_class,
        }


def _gives_probabilities(model):
    """Whether a functional or sequential model ends in an activation."""
    if not is_graph(model) or not model.layers:
        return False
    last = model.layers[-1]
    found = getattr(last, "activation", None)
    known = (keras.activations.softmax, keras.activations.sigmoid)
    return found in known or isinstance(last, keras.layers.Softmax)


def _check_weights(weights):
    if weights is None:
        return None
    given = list(weights)
    if not given or not all(w > 0 for w in given):
        raise ValueError(
            "`teacher_weights` must be positive numbers. Received: "
            f"teacher_weights={weights!r}."
        )
    return [float(w) / float(sum(given)) for w in given]
