"""Counting as a language model: the baseline that a network has to beat."""

import collections
import math

import numpy as np

from keras_dl.checks import check_integer
from keras_dl.text.examples.language_model_batches import check_long_sequence


class NGram:
    """N-gram language model with interpolated Kneser-Ney smoothing.

    The probability of a token `w` after the tokens `h` before it:

        P(w | h) = max(c(h w) - d, 0) / c(h) + d n(h) / c(h) * P(w | h')

    `c` counts in the training text, `c(h) = sum over w of c(h w)`, `n(h)` is
    the number of different tokens after `h`, and `h'` is `h` without its first
    token. At the highest order, `order - 1` tokens in `h`, `c(h w)` is how
    often `h w` occurs; at lower orders, how many different tokens occur before
    it. Below the empty context stands the uniform distribution `1 / size`, so
    no token has probability 0, and the probabilities sum to 1. If `h` was
    never seen, `P(w | h) = P(w | h')`.

    The discount of each order is `d = n_1 / (n_1 + 2 n_2)`, where `n_k` is the
    number of n-grams with count `k`; 0.5 where either is 0.

    Args:
        ids: Training text: array or list of integers from 0 to `size - 1`.
        order: Number of tokens in an n-gram: 1 knows no context, 3 knows the
            two tokens before.
        size: Number of ids, the `size` of the vocabulary.

    Raises:
        ValueError: If an id or an argument is out of range, or there are fewer
            ids than `order`.

    Example:

    >>> model = NGram([4, 5, 4, 5, 4, 6, 4, 5], order=2, size=7)
    >>> model.probabilities([4]).round(3)
    array([0.013, 0.013, 0.013, 0.013, 0.107, 0.67 , 0.17 ])

    Reference:
        Kneser and Ney, "Improved backing-off for m-gram language modeling",
        1995; Chen and Goodman, "An Empirical Study of Smoothing Techniques for
        Language Modeling", 1998, equation 24, with one discount an order, and
        interpolated with the uniform distribution at the end.
    """

    def __init__(self, ids, order, size):
        self.order = check_integer("order", order, minimum=1)
        self.size = check_integer("size", size, minimum=1)
        ids = self._check("ids", ids, self.order)
        self._levels = [
            _Level(counts) for counts in _counts_by_level(ids, self.order)
        ]

    def probability(self, token, context=()):
        """The probability of a token after others.

        Args:
            token: Id.
            context: Ids before it; only the last `order - 1` count.

        Returns:
            A number above 0, at most 1.
        """
        (token,) = self._check("token", [token], 1)
        return self._probability(token, self._context(context))

    def probabilities(self, context=()):
        """The probabilities of all tokens after others.

        Args:
            context: Ids before them; only the last `order - 1` count.

        Returns:
            An array of shape `(size,)` that sums to 1.
        """
        context = self._context(context)
        every = range(self.size)
        return np.array([self._probability(token, context) for token in every])

    def perplexity(self, ids):
        """How many equally likely tokens the model hesitates between.

            exp(-1/(n-1) sum over t = 2..n of ln P(w_t | w_1 ... w_(t-1)))

        The first token is given, not predicted, as it is for a network that is
        trained on `LanguageModelBatches`.

        Args:
            ids: Text of at least 2 ids: array or list of integers.

        Returns:
            A number of at least 1; the best is 1, chance is `size`.
        """
        ids = self._check("ids", ids, 2)
        total = 0.0
        for t in range(1, len(ids)):
            context = ids[max(t - self.order + 1, 0) : t]
            total += math.log(self._probability(ids[t], context))
        return math.exp(-total / (len(ids) - 1))

    def _probability(self, token, context):
        probability = 1 / self.size
        for k, level in enumerate(self._levels[: len(context) + 1]):
            before = context[len(context) - k :]
            probability = level.interpolate(token, before, probability)
        return probability

    def _context(self, context):
        context = self._check("context", context, 0)
        return context[max(len(context) - self.order + 1, 0) :]

    def _check(self, name, ids, least):
        """Returns ids as a tuple, if all of them are in the vocabulary."""
        if least == 0 and len(ids) == 0:
            return ()
        array = check_long_sequence(name, ids)
        if len(array) < least:
            raise ValueError(
                f"`{name}` must be at least {least} ids. "
                f"Received: {len(array)}."
            )
        wrong = array[(array < 0) | (array >= self.size)]
        if wrong.size:
            raise ValueError(
                f"`{name}` must be from 0 to {self.size - 1}, below `size`. "
                f"Received: {wrong[0]}."
            )
        return tuple(array.tolist())


def ngram_perplexity(train_ids, test_ids, order, size):
    """Perplexity of an n-gram model: what a network has to beat.

    The model is `NGram`, by interpolated Kneser-Ney smoothing: see there for
    the formula and the reference. The first token of `test_ids` is given.

        exp(-1/(n-1) sum over t = 2..n of ln P(w_t | w_(t-order+1) ... w_(t-1)))

    Args:
        train_ids: Text to count in: array or list of integers.
        test_ids: Text to predict, of at least 2 ids.
        order: Number of tokens in an n-gram.
        size: Number of ids, the `size` of the vocabulary.

    Returns:
        A number of at least 1; the best is 1, chance is `size`.

    Raises:
        ValueError: If an id or an argument is out of range.

    Example:

    >>> text = [4, 5, 6] * 20
    >>> round(ngram_perplexity(text, text, order=2, size=7), 2)
    1.02
    """
    return NGram(train_ids, order, size).perplexity(test_ids)


class _Level:
    """The n-grams of one length."""

    def __init__(self, counts):
        self._counts = counts
        self._totals = collections.Counter()
        self._followers = collections.Counter()
        for gram, count in counts.items():
            self._totals[gram[:-1]] += count
            self._followers[gram[:-1]] += 1
        self._discount = _discount(counts)

    def interpolate(self, token, context, lower):
        """The probability here, given that of the level below."""
        total = self._totals.get(context)
        if total is None:
            return lower
        d = self._discount
        seen = max(self._counts.get((*context, token), 0) - d, 0)
        return (seen + d * self._followers[context] * lower) / total


def _counts_by_level(ids, order):
    """For n-grams of 1 to `order` tokens: the counts of the formula."""
    shifted = [ids[k:] for k in range(order)]
    counts = collections.Counter(zip(*shifted, strict=False))
    levels = [counts]
    for length in range(order - 1, 0, -1):
        longer = set(zip(*shifted[: length + 1], strict=False))
        levels.append(collections.Counter(gram[1:] for gram in longer))
    return levels[::-1]


def _discount(counts):
    once = sum(count == 1 for count in counts.values())
    twice = sum(count == 2 for count in counts.values())
    return once / (once + 2 * twice) if once and twice else 0.5
