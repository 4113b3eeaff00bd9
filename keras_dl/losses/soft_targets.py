"""What a student's outputs are to be, by those of its teacher."""

import keras
from keras import ops

from keras_dl.checks import check_choice, check_positive

KINDS = ("kl", "crossentropy", "mse", "hard")


@keras.saving.register_keras_serializable("keras_dl")
class SoftTargets(keras.losses.Loss):
    """How far a student's logits are from a teacher's (response, logits).

    With `p = softmax(z / T)` of the student's logits s and the teacher's t:

        kl            T^2 sum_c p_c(t) (log p_c(t) - log p_c(s))
        crossentropy  -T^2 sum_c p_c(t) log p_c(s)
        mse           mean_c (t_c - s_c)^2
        hard          -log softmax(s)_k,  k = argmax t

    `"kl"` and `"crossentropy"` have the same gradient. The factor T^2 keeps it
    as large as that of the labels, whatever the temperature. `"hard"` learns
    the teacher's pseudo-labels; it and `"mse"` know no temperature.

    **Shapes and units.** Both have shape `(batch, ..., C)`, the loss
    `(batch, ...)`, in nats. A logit of minus infinity, of a class that cannot
    be, counts for nothing where both models have it. Computed in float32, or
    float64 with `dtype="float64"`.

    **Labels that do not exclude each other.** With `activation="sigmoid"` each
    output is a yes or no of its own, and the sum is over outputs and both
    answers. So it must be of models with a single output.

    Args:
        temperature: T, a positive number.
        kind: See above.
        activation: `"softmax"` or `"sigmoid"`: what makes probabilities of
            the logits.
        from_logits: Whether the student gives logits; else probabilities.
        teacher_from_logits: Whether the teacher does; as the student by
            default. Many models of keras.applications end in a softmax.
        reduction, name, dtype: As in `keras.losses.Loss`.

    Call arguments:
        y_true: What the teacher makes of the inputs.
        y_pred: What the student makes of them.

    Raises:
        ValueError: If an argument is not allowed, if the shapes differ, or if
            there is one class alone.

    Example:

    >>> teacher = np.array([[2, 1, 0.1], [0, -1, 3]])
    >>> student = np.array([[1, 2, 0.5], [0.5, 0.5, 1]])
    >>> SoftTargets(temperature=2)(teacher, student)
    0.71

    With outputs of a teacher that were computed before, Keras' own `fit` is
    all it takes:

    >>> model = keras.Sequential([keras.layers.Dense(3)])
    >>> model.compile("adam", loss=SoftTargets(temperature=4))
    >>> history = model.fit(np.ones((2, 5)), teacher, verbose=0)

    Reference:
        Hinton, Vinyals and Dean, "Distilling the knowledge in a neural
        network", 2015; `"mse"`: Ba and Caruana, "Do deep nets really need to
        be deep?", 2014.

    Where it differs: Keras' `LogitsDistillation` takes the divergence of
    clipped logits; PyTorch's `kl_div` with "batchmean" is this one without
    T^2. The code of PKD and TinyBERT takes the mean over classes, too: a
    weight of 1 / C.
    """

    def __init__(
        self,
        temperature=2.0,
        kind="kl",
        activation="softmax",
        from_logits=True,
        teacher_from_logits=None,
        reduction="sum_over_batch_size",
        name="soft_targets",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.temperature = check_positive("temperature", temperature)
        self.kind = check_choice("kind", kind, KINDS)
        self.activation = check_choice(
            "activation", activation, ("softmax", "sigmoid")
        )
        self.from_logits = bool(from_logits)
        if teacher_from_logits is None:
            teacher_from_logits = from_logits
        self.teacher_from_logits = bool(teacher_from_logits)

    def call(self, y_true, y_pred):
        return self.of_teachers([y_true], y_pred)

    def of_teachers(self, outputs, y_pred, weights=None, mean_of="logits"):
        """The loss by the mean of several teachers.

        Args:
            outputs: List of what each of them makes of the inputs.
            y_pred: What the student makes of them.
            weights: Weights of the teachers, which sum to 1; equal ones by
                default.
            mean_of: `"logits"`, or `"probabilities"`: at the temperature.

        Returns:
            Losses, `(batch, ...)`.
        """
        for one in outputs:
            self._check_shapes(one, y_pred)
        s = self._logits(y_pred, self.from_logits)
        z = [self._logits(one, self.teacher_from_logits) for one in outputs]
        weights = weights or [1.0 / len(z)] * len(z)
        if mean_of == "logits":
            t = _mean(weights, z)
        else:
            t = self._logits_of_mean(weights, z)
        return self._losses(t, s)

    def _losses(self, t, s):
        if self.kind == "mse":
            return ops.mean(ops.square(t - s), axis=-1)
        hard = self.kind == "hard"
        q = self._log_probabilities(s if hard else s / self.temperature)
        if hard:
            two = ops.stack([t, ops.zeros_like(t)], axis=-1)
            k = ops.argmax(t if self.activation == "softmax" else two, axis=-1)
            losses = -ops.squeeze(
                ops.take_along_axis(q, ops.expand_dims(k, -1), axis=-1), -1
            )
        else:
            logs = self._log_probabilities(t / self.temperature)
            p = ops.exp(logs)
            far = logs - q if self.kind == "kl" else -q
            # A class that cannot be is no 0 times infinity.
            parts = ops.where(p > 0.0, p * far, 0.0)
            losses = self.temperature**2 * ops.sum(parts, axis=-1)
        if self.activation == "sigmoid":
            losses = ops.sum(losses, axis=-1)
        return losses

    def _log_probabilities(self, z):
        """Of the classes, or `(..., C, 2)` of yes and no."""
        if self.activation == "sigmoid":
            z = ops.stack([z, ops.zeros_like(z)], axis=-1)
        return ops.log_softmax(z, axis=-1)

    def _logits_of_mean(self, weights, z):
        """Logits of what has the mean of the probabilities, at T."""
        every = [self._log_probabilities(one / self.temperature) for one in z]
        p = _mean(weights, [ops.exp(one) for one in every])
        if self.activation == "sigmoid":
            return self.temperature * (ops.log(p[..., 0]) - ops.log(p[..., 1]))
        return self.temperature * ops.log(p)

    def _logits(self, outputs, from_logits):
        """Outputs as logits, in full precision."""
        double = keras.backend.standardize_dtype(self.dtype) == "float64"
        z = ops.cast(outputs, "float64" if double else "float32")
        if from_logits:
            return z
        tiny = keras.config.epsilon()
        if self.activation == "sigmoid":
            z = ops.clip(z, tiny, 1.0 - tiny)
            return ops.log(z) - ops.log(1.0 - z)
        return ops.log(ops.maximum(z, tiny))

    def _check_shapes(self, y_true, y_pred):
        teacher, student = tuple(y_true.shape), tuple(y_pred.shape)
        if len(teacher) != len(student) or teacher[-1] != student[-1]:
            raise ValueError(
                "Teacher and student must tell the same classes apart: "
                "outputs of one shape. Received: those of the teacher of "
                f"shape {teacher}, of the student {student}."
            )
        known = self.activation == "softmax" and self.kind != "mse"
        if known and student[-1] == 1:
            raise ValueError(
                '`activation` must be "sigmoid" where there is a single '
                "output: a class alone is always right, and of numbers `kind` "
                f'must be "mse". Received: outputs of shape {student}.'
            )

    def get_config(self):
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "kind": self.kind,
            "activation": self.activation,
            "from_logits": self.from_logits,
            "teacher_from_logits": self.teacher_from_logits,
            "dtype": self.dtype,
        }


def _mean(weights, values):
    if len(values) == 1:
        return values[0]
    return sum(w * value for w, value in zip(weights, values, strict=True))
