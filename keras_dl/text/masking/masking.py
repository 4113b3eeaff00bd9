"""Hiding tokens for a model to predict: what all strategies share."""

import math
import numbers

import numpy as np

from keras_dl.checks import check_integer
from keras_dl.text.vocabularies.vocabulary import Vocabulary


class Masking:
    """Chooses tokens and hides them: the base of all masking strategies.

    A subclass says *which* tokens are chosen. What becomes of a chosen token
    is the same for all:

        x'_t = [MASK]           with probability mask
               a random token   with probability random
               x_t              with probability 1 - mask - random

    **Budget.** A row with `n` tokens that are not special gets `n * rate` of
    them chosen, rounded up or down at random so that the mean is exactly that;
    at least one if there is one, at most `max_predictions`. Strategies that
    choose whole words or units pass over one that the rest of the budget does
    not hold, so that a row of long words alone may stay below it.

    **Special tokens** (padding, start, end, unknown, mask, ...) are never
    chosen, never counted, and never put in as a random token.

    **Shapes.** Ids `(rows, time)` to ids and booleans `(rows, time)`. All rows
    are worked on at once.

    **Seeds.** All randomness comes from the generator that you pass. The
    stream of `numpy.random.RandomState` is frozen: the same seed gives the same
    masks with every version of NumPy and on every platform.

    A subclass writes `_choose(ids, real, budget, generator)`, which returns
    what `choose` does; `real` says which tokens are not special.

    Args:
        vocabulary: `Vocabulary` with a mask token.
        rate: Share of the tokens to choose, above 0 and below 1.
        mask: Probability that a chosen token becomes `[MASK]`.
        random: Probability that it becomes a random token.
        max_predictions: Largest number of tokens chosen in a row. `None`: as
            many as `rate` says.

    Raises:
        ValueError: If the vocabulary has no mask token, or no token for
            `random`, or if a number is out of range.

    Example:

    >>> words = keras_dl.text.WordVocabulary(["a", "b"], ["[MASK]"])
    >>> masking = keras_dl.text.TokenMasking(
    ...     words, rate=0.5, mask=1.0, random=0.0
    ... )
    >>> ids, generator = np.array([[2, 5, 6, 3]]), np.random.RandomState(0)
    >>> masked_ids, chosen = masking(ids, generator)
    >>> masked_ids.tolist(), chosen.tolist()
    ([[2, 5, 4, 3]], [[False, False, True, False]])

    Reference:
        Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers
        for Language Understanding", 2019. Where it differs: BERT's code rounds
        to the nearest number, counts `[CLS]` and `[SEP]` for the length, may
        choose unknown tokens, and draws random tokens from the whole
        vocabulary, special ones included.
    """

    reads_segments = False  # Whether it is called with `segment_ids`.

    def __init__(
        self, vocabulary, rate=0.15, mask=0.8, random=0.1, max_predictions=None
    ):
        self.vocabulary = check_vocabulary(vocabulary)
        self.rate = check_share("rate", rate)
        if rate in (0, 1):
            raise ValueError(
                "`rate` must be a number above 0 and below 1. "
                f"Received: rate={rate!r}."
            )
        self.mask = check_share("mask", mask)
        self.random = check_share("random", random)
        if mask + random > 1 + 1e-9:
            raise ValueError(
                "`mask` and `random` must have a sum of at most 1. "
                f"Received: mask={mask!r}, random={random!r}."
            )
        if max_predictions is not None:
            check_integer("max_predictions", max_predictions, minimum=1)
        self.max_predictions = max_predictions
        self._mask_id = vocabulary.special_id("mask")
        self._special = np.zeros(vocabulary.size, bool)
        self._special[list(vocabulary.special_ids)] = True
        self._ordinary = np.flatnonzero(~self._special).astype("int32")
        if random and not self._ordinary.size:
            raise ValueError(
                "`random` must be 0 for a vocabulary of special tokens alone. "
                f"Received: random={random!r}."
            )

    def __call__(self, ids, generator, **parts):
        """Chooses and hides tokens.

        Args:
            ids: Integers `(rows, time)`.
            generator: `numpy.random.RandomState`.
            **parts: What the strategy needs besides: `units` of
                `PhraseMasking`, `segment_ids` of `TargetMasking`.

        Returns:
            Ids with some of them hidden, `int32`, and which ones were chosen,
            booleans; both `(rows, time)`.
        """
        groups = self.choose(ids, generator, **parts)
        return self.replace(ids, groups, generator), groups >= 0

    def choose(self, ids, generator, **parts):
        """Chooses tokens, and says which of them belong together.

        Args:
            ids: Integers `(rows, time)`.
            generator: `numpy.random.RandomState`.
            **parts: What the strategy needs besides: `units` of
                `PhraseMasking`.

        Returns:
            Integers `(rows, time)`: the number, within its row, of the word,
            unit or span that a token was chosen with; -1 if it was not chosen.
        """
        ids = self._check_ids(ids)
        real = ~self._special[ids]
        budget = self._budget(real, check_generator(generator))
        return self._choose(ids, real, budget, generator, **parts)

    def replace(self, ids, groups, generator):
        """Hides tokens that are chosen already.

        Args:
            ids: Integers `(rows, time)`.
            groups: What `choose` returned for them.
            generator: `numpy.random.RandomState`.

        Returns:
            `int32` ids `(rows, time)`.
        """
        masked = self._check_ids(ids).copy()
        chosen = groups >= 0
        fates = self._fates(groups, chosen, check_generator(generator))
        others = generator.random_sample(len(fates)) * len(self._ordinary)
        kept = fates >= self.mask + self.random
        new = np.where(kept, masked[chosen], self._mask_id)
        if self._ordinary.size:
            swapped = ~kept & (fates >= self.mask)
            new = np.where(swapped, self._ordinary[others.astype("int")], new)
        masked[chosen] = new
        return masked

    def limit(self, length):
        """The largest number of tokens that are chosen in a row.

        Args:
            length: Number of tokens in the row.
        """
        most = max(1, math.ceil(length * self.rate))
        return min(most, self.max_predictions or most)

    def _choose(self, ids, real, budget, generator):
        raise NotImplementedError

    def _fates(self, groups, chosen, generator):
        """A number in [0, 1) for each chosen token: what becomes of it."""
        return generator.random_sample(np.count_nonzero(chosen))

    def _budget(self, real, generator):
        """How many tokens may be chosen in each row."""
        count = np.count_nonzero(real, axis=1)
        share = count * self.rate
        budget = np.floor(share).astype("int")
        budget += generator.random_sample(len(real)) < share - budget
        budget = np.maximum(budget, count > 0)
        return np.minimum(budget, self.max_predictions or real.shape[1])

    def _check_ids(self, ids):
        ids = np.asarray(ids)
        if ids.ndim != 2 or ids.dtype.kind not in "iu":
            raise ValueError(
                "`ids` must be integers of shape (rows, time). Received: shape "
                f"{ids.shape}, dtype {ids.dtype}."
            )
        for id in (ids.min(initial=0), ids.max(initial=0)):
            if not 0 <= id < self.vocabulary.size:
                raise ValueError(
                    "`ids` must be ids of the vocabulary, from 0 to "
                    f"{self.vocabulary.size - 1}. Received: {id}."
                )
        return ids.astype("int32", copy=False)


def masked_positions(chosen, limit):
    """Gathers where tokens are chosen, in arrays of one shape.

    Args:
        chosen: Booleans `(rows, time)`.
        limit: Number of columns: the largest number of chosen tokens in a row.

    Returns:
        Positions, `int32`, rising in each row and filled up with 0, and
        weights, `float32`: 1 for a position, 0 for what fills up. Both are of
        shape `(rows, limit)`.

    Raises:
        ValueError: If a row has more than `limit` chosen tokens.

    Example:

    >>> masked_positions(np.array([[False, True, True]]), limit=3)
    (array([[1, 2, 0]], dtype=int32), array([[1., 1., 0.]], dtype=float32))
    """
    check_integer("limit", limit, minimum=1)
    counts = np.count_nonzero(chosen, axis=1)
    if counts.max(initial=0) > limit:
        raise ValueError(
            f"`limit` must be at least {counts.max()}, the largest number of "
            f"chosen tokens in a row. Received: limit={limit}."
        )
    used = np.arange(limit) < counts[:, None]
    positions = np.zeros(used.shape, "int32")
    positions[used] = np.nonzero(chosen)[1]
    return positions, used.astype("float32")


def check_share(name, value):
    """Returns `value` if it is from 0 to 1."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:
        raise ValueError(
            f"`{name}` must be a number from 0 to 1. "
            f"Received: {name}={value!r}."
        )
    return float(value)


def check_vocabulary(vocabulary):
    if not isinstance(vocabulary, Vocabulary):
        raise TypeError(
            "`vocabulary` must be a Vocabulary; `as_vocabulary` makes one of "
            f"other tokenizers. Received: {type(vocabulary).__name__}."
        )
    return vocabulary


def check_generator(generator):
    if not isinstance(generator, np.random.RandomState):
        raise TypeError(
            "`generator` must be a numpy.random.RandomState, whose stream "
            f"never changes. Received: {generator!r}."
        )
    return generator
