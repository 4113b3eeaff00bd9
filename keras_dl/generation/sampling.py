"""One sequence per prompt: the likeliest token, or one drawn at random.

A search works on NumPy arrays, apart from any backend: first
`start(num_prompts, end_id, max_new_tokens)`, then for each step
`choose(logits)`, which returns the next token of each row, and the row that it
continues, until `done`.
"""

import numbers

import numpy as np

from keras_dl.checks import check_integer


class Greedy:
    """Takes the likeliest token in each step.

        y_t = argmax p(y | y_1 ... y_{t-1})

    Ties go to the smaller id, so the result is the same on every backend.

    Example: a model that counts: after an id comes the next one.

    >>> model = keras.Sequential([keras.layers.Embedding(7, 7)])
    >>> model.build((None, None))
    >>> model.set_weights([np.roll(np.eye(7), 1, axis=1)])
    >>> keras_dl.generate(model, [[1, 2]], 3, search=Greedy())
    [[3, 4, 5]]
    """

    rows_per_prompt = 1
    streams = True

    def start(self, num_prompts, end_id, max_new_tokens):
        """Begins anew."""
        self.tokens = [[] for _ in range(num_prompts)]
        self.finished = np.zeros(num_prompts, bool)
        self._end_id = end_id
        self._parents = np.arange(num_prompts)

    def choose(self, logits):
        """The next token of each row, and the row that it continues.

        Args:
            logits: Array of the shape `(rows, vocabulary)`.
        """
        tokens = self._pick(logits)
        self.take(tokens)
        return tokens, self._parents

    def take(self, tokens):
        """Notes the next token of each row."""
        for row, token in enumerate(tokens):
            if not self.finished[row] and token == self._end_id:
                self.finished[row] = True
            elif not self.finished[row]:
                self.tokens[row].append(int(token))

    @property
    def done(self):
        """Whether every row has come to its end."""
        return bool(self.finished.all())

    def results(self):
        """The tokens of each prompt, without the end."""
        return self.tokens

    def _pick(self, logits):
        return logits.argmax(-1)


class Sampling(Greedy):
    """Draws each token at random, by the model's probabilities.

        p(y) = softmax(logits / temperature)

    cut down to the `top_k` likeliest tokens, and to the fewest of the
    likeliest that hold a mass of at least `top_p` (the nucleus). Draws come
    from NumPy, with `seed`, so that the backends draw alike.

    Args:
        temperature: Below 1 sharper, above 1 flatter.
        top_k: Number of tokens to draw from; all by default.
        top_p: Mass to draw from, in (0, 1]; all by default.
        seed: Seed of the draws.

    Raises:
        ValueError: If an argument is not allowed.

    Example: a model that counts: after an id comes the next one.

    >>> model = keras.Sequential([keras.layers.Embedding(7, 7)])
    >>> model.build((None, None))
    >>> model.set_weights([np.roll(np.eye(7), 1, axis=1)])
    >>> search = Sampling(temperature=0.05, top_p=0.9, seed=1)
    >>> keras_dl.generate(model, [[1, 2]], 3, search=search)
    [[3, 4, 5]]

    Reference:
        top-k: Fan, Lewis and Dauphin, "Hierarchical neural story generation",
        2018; top-p: Holtzman et al., "The curious case of neural text
        degeneration", 2020.
    """

    def __init__(self, temperature=1.0, top_k=None, top_p=None, seed=0):
        number = isinstance(temperature, numbers.Real)
        if not number or not 0 < temperature < np.inf:
            raise ValueError(
                "`temperature` must be a number above 0; for the likeliest "
                "token use Greedy(). Received: "
                f"temperature={temperature!r}."
            )
        if top_p is not None and (
            not isinstance(top_p, numbers.Real) or not 0 < top_p <= 1
        ):
            raise ValueError(
                "`top_p` must be a number above 0 and at most 1, or None. "
                f"Received: top_p={top_p!r}."
            )
        self.temperature = float(temperature)
        self.top_k = None if top_k is None else check_integer("top_k", top_k, 1)
        self.top_p = top_p
        self.seed = check_integer("seed", seed, 0)

    def start(self, num_prompts, end_id, max_new_tokens):
        """Begins anew, with the draws of the seed."""
        super().start(num_prompts, end_id, max_new_tokens)
        self._random = np.random.default_rng(self.seed)

    def probabilities(self, logits):
        """What each token is drawn with, in float64."""
        scores = logits.astype("float64") / self.temperature
        order = np.argsort(-scores, axis=-1, kind="stable")
        ranked = np.take_along_axis(scores, order, -1)
        ranked = np.exp(ranked - ranked[:, :1])
        if self.top_k is not None:
            ranked[:, self.top_k :] = 0
        ranked /= ranked.sum(-1, keepdims=True)
        if self.top_p is not None:
            before = ranked.cumsum(-1) - ranked
            ranked[before >= self.top_p] = 0
            ranked /= ranked.sum(-1, keepdims=True)
        result = np.empty_like(ranked)
        np.put_along_axis(result, order, ranked, -1)
        return result

    def _pick(self, logits):
        cumulated = self.probabilities(logits).cumsum(-1)
        draws = self._random.random((len(logits), 1)) * cumulated[:, -1:]
        return (cumulated <= draws).sum(-1)
