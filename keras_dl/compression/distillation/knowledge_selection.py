"""A learned choice of what a student is taught."""

import keras
import numpy as np

from keras_dl.checks import check_fraction, check_positive, check_seed
from keras_dl.training import SupervisedTrainer


class KnowledgeSelection(keras.callbacks.Callback):
    """Learns which terms of the loss to switch on, by what they bring.

    A policy with one parameter for each term, trained by REINFORCE. In each
    epoch every term is on with probability p, and what the epoch brought is
    the reward:

        a_k ~ Bernoulli(p_k),  p_k = sigmoid(theta_k)
        r = how much `monitor` fell in this epoch
        theta_k += rate (r - mean r) / std r (a_k - p_k)

    Make epochs short, by `steps_per_epoch`, so that there are many. When
    training ends all terms have their weights again, and `probabilities` say
    what the policy has learnt.

    Args:
        terms: Names of terms to choose among; all by default.
        monitor: What is to fall, a name in the logs: of data that the student
            does not learn from.
        rate: Step of the policy, a positive number.
        probability: p at the beginning, in (0, 1).
        floor: The least p, and 1 less the largest, so that the policy keeps
            trying.
        seed: Seed of the choices.

    Raises:
        TypeError: If the trainer is no `SupervisedTrainer`.
        ValueError: If an argument is not allowed, there is no such term, or
            the logs lack `monitor`.

    Example:

    >>> student, teacher = (
    ...     keras_dl.applications.MLP((width,), num_outputs=2)
    ...     for width in (4, 8)
    ... )
    >>> trainer = keras_dl.training.SupervisedTrainer(
    ...     student,
    ...     keras_dl.training.LogitsDistillation(name="soft_targets"),
    ...     teachers=teacher,
    ... )
    >>> trainer.compile("adam")
    >>> x, y = np.random.normal(size=(8, 3)), np.arange(8) % 2
    >>> choice = keras_dl.compression.KnowledgeSelection()
    >>> history = trainer.fit(
    ...     x, y, epochs=3, validation_data=(x, y), callbacks=[choice],
    ...     verbose=0,
    ... )
    >>> sorted(choice.probabilities)
    ['soft_targets']

    Reference:
        Williams, "Simple statistical gradient-following algorithms for
        connectionist reinforcement learning", 1992; of teachers: Yuan et al.,
        "Reinforced multi-teacher selection for knowledge distillation", 2021,
        who choose for each batch, by what it consists of.
    """

    def __init__(
        self,
        terms=None,
        monitor="val_task_loss",
        rate=0.5,
        probability=0.5,
        floor=0.05,
        seed=0,
    ):
        super().__init__()
        self.names = None if terms is None else list(terms)
        self.monitor = monitor
        self.rate = check_positive("rate", rate)
        self.probability = check_fraction(
            "probability", check_positive("probability", probability)
        )
        self.floor = check_fraction("floor", floor)
        self.seed = check_seed(seed)
        self.parameters = None

    @property
    def probabilities(self):
        """How likely each term is to be switched on: a dict by name."""
        return dict(zip(self.names, self._p().tolist(), strict=True))

    def on_train_begin(self, logs=None):
        """Looks for the terms."""
        if not isinstance(self.model, SupervisedTrainer):
            raise TypeError(
                "KnowledgeSelection is for a SupervisedTrainer. Received: "
                f"{self.model!r}."
            )
        terms = {term.name: term for term in self.model.terms}
        if self.names is None:
            self.names = list(terms)
        unknown = [name for name in self.names if name not in terms]
        if unknown or not self.names:
            raise ValueError(
                f"`terms` must name terms of the trainer, of {list(terms)}. "
                f"Received: terms={self.names}."
            )
        self._terms = [terms[name] for name in self.names]
        self._weights = [term.weight for term in self._terms]
        if self.parameters is None:
            p = self.probability
            self.parameters = np.full(len(self.names), np.log(p / (1 - p)))
        self._random = np.random.default_rng(self.seed)
        self._last, self._rewards = None, []

    def on_epoch_begin(self, epoch, logs=None):
        """Draws what is taught in this epoch."""
        drawn = self._random.uniform(size=len(self._terms))
        self._on = drawn < self._p()
        for term, weight, on in zip(
            self._terms, self._weights, self._on, strict=True
        ):
            term.weight = weight if on else 0.0

    def on_epoch_end(self, epoch, logs=None):
        """Learns from what it brought."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            raise ValueError(
                f"`monitor` must be in the logs, of {sorted(logs or {})}: give "
                f"`validation_data`. Received: monitor={self.monitor!r}."
            )
        last, self._last = self._last, float(value)
        if last is None or not np.isfinite([last, value]).all():
            return
        self._rewards.append(last - float(value))
        spread = np.std(self._rewards)
        if spread > 0:
            advantage = (self._rewards[-1] - np.mean(self._rewards)) / spread
            self.parameters = self.parameters + self.rate * advantage * (
                self._on - self._p()
            )

    def on_train_end(self, logs=None):
        """Gives the terms their weights again."""
        for term, weight in zip(self._terms, self._weights, strict=True):
            term.weight = weight

    def _p(self):
        p = 1.0 / (1.0 + np.exp(-self.parameters))
        return np.clip(p, self.floor, 1.0 - self.floor)
