"""Masking of one fragment of each text."""

import numpy as np

from keras_dl.text.masking.masking import Masking, check_share
from keras_dl.text.masking.token_runs import number_runs


class FragmentMasking(Masking):
    """Chooses one fragment of each row: half of it (MASS).

    The fragment begins at the first token with probability `at_start`, ends at
    the last with probability `at_end`, and lies anywhere else with the same
    probability for each place. Its length is the budget of `Masking`, with
    `rate=0.5`. Special tokens are passed over: rows that hold one text have
    the fragment in one piece. For shapes and errors see `Masking`.

    Args:
        vocabulary: `Vocabulary` with a mask token.
        rate: Share of the tokens in the fragment, above 0 and below 1.
        mask: Probability that a chosen token becomes `[MASK]`.
        random: Probability that it becomes a random token.
        max_predictions: Largest number of tokens chosen in a row, or `None`.
        at_start: Probability that the fragment is at the start.
        at_end: Probability that it is at the end.

    Example:

    >>> words = keras_dl.text.WordVocabulary(list("abc"), ["[MASK]"])
    >>> masking = FragmentMasking(words, mask=1.0, random=0.0)
    >>> ids = np.array([[2, 5, 6, 7, 5, 6, 7, 3]])
    >>> masked_ids, chosen = masking(ids, np.random.RandomState(0))
    >>> masked_ids
    array([[2, 5, 6, 4, 4, 4, 7, 3]], dtype=int32)

    Reference:
        Song et al., "MASS: Masked Sequence to Sequence Pre-training for
        Language Generation", 2019. Where it differs: see `Masking`.
    """

    def __init__(
        self,
        vocabulary,
        rate=0.5,
        mask=0.8,
        random=0.1,
        max_predictions=None,
        at_start=0.2,
        at_end=0.2,
    ):
        super().__init__(vocabulary, rate, mask, random, max_predictions)
        self.at_start = check_share("at_start", at_start)
        self.at_end = check_share("at_end", at_end)
        if at_start + at_end > 1 + 1e-9:
            raise ValueError(
                "`at_start` and `at_end` must have a sum of at most 1. "
                f"Received: at_start={at_start!r}, at_end={at_end!r}."
            )

    def _choose(self, ids, real, budget, generator):
        tokens = number_runs(real, real)
        room = np.count_nonzero(real, axis=1) - budget
        fate, place = generator.random_sample((2, len(ids)))
        start = np.floor(place * (room + 1)).astype("int")
        start = np.where(fate < self.at_start + self.at_end, room, start)
        start = np.where(fate < self.at_start, 0, start)
        behind = tokens - start[:, None]
        inside = real & (behind >= 0) & (behind < budget[:, None])
        return np.where(inside, 0, -1)
