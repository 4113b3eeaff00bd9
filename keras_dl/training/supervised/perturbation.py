"""What inputs are changed to before a model trains on them."""

import dataclasses

import keras
from keras import ops, tree

from keras_dl.checks import check_choice, check_positive, check_seed

PLACES = ("inputs", "embeddings")


@dataclasses.dataclass
class PerturbedTask:
    """The model and its batch, as a perturbation sees them.

    Attributes:
        loss: Function of inputs like those that are to be perturbed: the
            model's loss on its task, a scalar that can be differentiated.
        gradient: Function of such inputs: the gradient of the loss by them,
            in float32. Use it where a model may compute in half precision, in
            which `keras_dl.grad(loss)` rounds small slopes to 0.
        outputs: Function of such inputs: what the model returns.
        y: The targets.
        mask: Boolean `(batch, time)`, true for real tokens, or `None`.

    Each call of a function runs the model once more, in training mode, and
    leaves its statistics, seeds and metrics alone.
    """

    loss: object
    gradient: object
    outputs: object
    y: object
    mask: object


class InputPerturbation(keras.Layer):
    """A change of the inputs of training: noise, an attack.

        x' = perturb(x),  and the model trains on x'

    With `on="embeddings"` it is the vectors of tokens that are changed (see
    `keras_dl.models.embed`), which ids do not allow. Evaluation and `predict`
    see inputs as they are.

    A subclass writes `perturb`.

    Args:
        on: `"inputs"` or `"embeddings"`.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If `on` is something else.

    Example: one step along the sign of the gradient (FGSM).

    >>> class FastGradientSign(keras_dl.training.InputPerturbation):
    ...     def perturb(self, inputs, task):
    ...         return inputs + 0.1 * ops.sign(task.gradient(inputs))
    >>> model = keras_dl.applications.MLP((4,), num_outputs=2)
    >>> trainer = keras_dl.training.SupervisedTrainer(
    ...     model, perturbation=FastGradientSign()
    ... )
    >>> trainer.compile("sgd")
    >>> history = trainer.fit(np.ones((4, 3)), np.ones((4,)), verbose=0)
    """

    def __init__(self, on="inputs", **kwargs):
        super().__init__(**kwargs)
        self.on = check_choice("on", on, PLACES)
        self.built = True

    def perturb(self, inputs, task):
        """Inputs that the model is to train on.

        Args:
            inputs: The inputs, tensors in the structure that they came in; or
                vectors, as `keras_dl.models.embed` gives them.
            task: A `PerturbedTask`: functions `loss`, `gradient` and `outputs`
                of such tensors, the targets `y`, and the `mask` of real tokens.

        Returns:
            Tensors like the inputs.
        """
        raise NotImplementedError

    def get_config(self):
        return {**super().get_config(), "on": self.on}


@keras.saving.register_keras_serializable("keras_dl")
class InputNoise(InputPerturbation):
    """Gaussian noise on inputs, or on the vectors of tokens.

        x' = x + e,  e ~ N(0, stddev^2)

    Integers among the inputs stay as they are.

    Args:
        stddev: Standard deviation, in the units of the inputs.
        on: `"inputs"` or `"embeddings"`.
        seed: Seed of the noise.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> noise = InputNoise(0.1, seed=0)
    >>> noise.perturb(ops.ones((2, 3)), task=None).shape
    (2, 3)

    Reference:
        Bishop, "Training with noise is equivalent to Tikhonov
        regularization", 1995.
    """

    def __init__(self, stddev=0.1, on="inputs", seed=None, **kwargs):
        super().__init__(on, **kwargs)
        self.stddev = check_positive("stddev", stddev)
        self.seed = None if seed is None else check_seed(seed)
        self._generator = keras.random.SeedGenerator(self.seed)

    def perturb(self, inputs, task):
        def noisy(x):
            x = ops.convert_to_tensor(x)
            if not keras.backend.is_float_dtype(x.dtype):
                return x
            noise = keras.random.normal(
                ops.shape(x),
                stddev=self.stddev,
                dtype=keras.backend.standardize_dtype(x.dtype),
                seed=self._generator,
            )
            return x + noise

        kinds = [
            keras.backend.standardize_dtype(x.dtype)
            for x in tree.flatten(inputs)
        ]
        if not any(map(keras.backend.is_float_dtype, kinds)):
            raise ValueError(
                "InputNoise needs inputs of real numbers: for tokens give "
                f"on='embeddings'. Received: inputs of {kinds}."
            )
        return tree.map_structure(noisy, inputs)

    def get_config(self):
        return {
            **super().get_config(),
            "stddev": self.stddev,
            "seed": self.seed,
        }
