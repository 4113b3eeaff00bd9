"""Movement pruning: weights that training moves to 0 are pruned."""

import keras
from keras import ops

from keras_dl.compression.pruning import Pruning
from keras_dl.compression.schedules import as_schedule


@keras.saving.register_keras_serializable("keras_dl")
class MovementPruning(Pruning):
    """Prunes by scores that are learned beside the weights.

        w' = m(S) w,  dL/dS := w dL/dw'

    `S` grows where a step moves a weight away from 0, and falls where it moves
    one towards 0: for fine-tuning, which moves weights little, and so leaves
    the order of magnitudes as pre-training made it. The gradient goes to `S`
    as if `m` were the identity. A weight that is not read stays as it is, and
    may come back, until `finish()`.

    - With `sparsity`, the scores that are among the lowest share are pruned;
    - with `threshold`, those with `sigmoid(S) <= threshold` (soft movement
      pruning), and `penalty * threshold(t) / threshold_final` times the mean
      of `sigmoid(S)` is added to the loss: how sparse weights become is for
      training to find out.

    Give scores a learning rate of their own, a large one (1e-2 beside 3e-5 in
    the paper), by `keras_dl.optimizers.ParameterGroups`.

    Args:
        sparsity: As in `MagnitudePruning`; usually a `PolynomialSparsity`.
        threshold: A number in [0, 1) or a `PolynomialSparsity`, in the place
            of `sparsity`.
        penalty: Weight of the penalty on the scores.
        scope, frequency, paths: As in `MagnitudePruning`. Masks are chosen
            anew after every `frequency` updates, after the end of the schedule
            too; the paper does so in each.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If not one of `sparsity` and `threshold` is given, or as by
            `MagnitudePruning`.

    Example:

    >>> model = keras_dl.applications.MLP((8,), num_outputs=3)
    >>> model.build((None, 4))
    >>> pruning = MovementPruning(
    ...     keras_dl.compression.PolynomialSparsity(0.75, end=4), frequency=2
    ... )
    >>> trainer = keras_dl.training.SupervisedTrainer(model, readings=pruning)
    >>> trainer.compile(keras.optimizers.AdamW(1e-3))
    >>> x, y = np.ones((6, 4), "float32"), np.array([0, 1, 2] * 2)
    >>> history = trainer.fit(x, y, batch_size=1, verbose=0)
    >>> keras_dl.compression.sparsity(trainer.finish())
    0.75

    Reference:
        Sanh, Wolf and Rush, "Movement pruning: adaptive sparsity by
        fine-tuning", 2020. There masks are chosen in every forward pass.
    """

    keeps_weights = False

    def __init__(
        self,
        sparsity=None,
        threshold=None,
        penalty=0.0,
        scope="local",
        frequency=100,
        paths=None,
        **kwargs,
    ):
        if (sparsity is None) == (threshold is None):
            raise ValueError(
                "Give one of `sparsity` and `threshold`. Received: "
                f"sparsity={sparsity!r}, threshold={threshold!r}."
            )
        super().__init__(sparsity, scope, frequency, paths, **kwargs)
        self.threshold, self.penalty = threshold, float(penalty)
        if threshold is not None:
            self._schedule = as_schedule("threshold", threshold)
        self.score_variables = {}

    def attach(self, model):
        super().attach(model)
        for path in self.masks:
            self._score_of(path)

    def _start(self):
        for path in self.masks:
            self._score_of(path)

    def _score_of(self, path):
        if path not in self.score_variables:
            number = list(self.masks).index(path)
            self.score_variables[path] = self.add_weight(
                shape=self.masks[path].shape,
                initializer="zeros",
                regularizer=self._score_penalty(),
                name=f"scores_{number}",
            )
        return self.score_variables[path]

    def _score_penalty(self):
        if self.threshold is None or not self.penalty:
            return None
        return _ScorePenalty(self)

    def scores(self, path):
        return ops.convert_to_tensor(self._score_of(path))

    def masks_at(self, step):
        if self.threshold is None:
            return super().masks_at(step)
        limit = self._schedule(step)
        return [ops.sigmoid(self.scores(path)) > limit for path in self.masks]

    def read(self, path, value):
        scores = ops.cast(self.score_variables[path], value.dtype)
        mask = ops.cast(self.masks[path], value.dtype)
        return value * (mask + (scores - ops.stop_gradient(scores)))

    def settle(self, twin=None):
        """Nothing: what is not read may come back."""

    def _changes(self):
        return True

    def _is_due(self, step):
        regular = ops.equal(step % self.frequency, 0)
        return ops.logical_or(regular, ops.equal(step, self._schedule_end))

    @property
    def _schedule_end(self):
        return 0 if self._pattern else self._schedule.end

    def get_config(self):
        threshold = self.threshold
        if not isinstance(threshold, (float, int, type(None))):
            threshold = keras.saving.serialize_keras_object(threshold)
        return super().get_config() | {
            "threshold": threshold,
            "penalty": self.penalty,
        }


class _ScorePenalty(keras.regularizers.Regularizer):
    """`penalty tau(t) / tau_final mean(sigmoid(S))`."""

    def __init__(self, pruning):
        self._pruning = pruning

    def __call__(self, scores):
        pruning = self._pruning
        schedule = pruning._schedule
        grown = schedule(ops.convert_to_tensor(pruning.step)) / schedule.final
        return pruning.penalty * grown * ops.mean(ops.sigmoid(scores))
