"""Masking of phrases and entities that are known beforehand."""

import numpy as np

from keras_dl.text.masking.masking import Masking
from keras_dl.text.masking.token_runs import choose_runs, number_runs


class PhraseMasking(Masking):
    """Chooses whole phrases or entities that you point out (ERNIE).

    **Units.** Call it with `units`, integers of the shape of the ids: equal
    neighbouring numbers of at least 0 are one unit, -1 is a token of none. A
    token of no unit is never chosen; to have it chosen singly, give it a number
    of its own. The budget counts all tokens that are not special, so that it is
    met only where the units reach for it.

    Arguments, shapes and errors: see `Masking`.

    Example:

    >>> words = keras_dl.text.WordVocabulary(list("abc"), ["[MASK]"])
    >>> masking = PhraseMasking(words, rate=0.5, mask=1.0, random=0.0)
    >>> ids = np.array([[2, 5, 6, 7, 5, 6, 7, 3]])
    >>> units = np.array([[-1, 0, 0, 1, 2, 2, 2, -1]])
    >>> masked_ids, chosen = masking(ids, np.random.RandomState(0), units=units)
    >>> masked_ids
    array([[2, 5, 6, 7, 4, 4, 4, 3]], dtype=int32)

    Reference:
        Sun et al., "ERNIE: Enhanced Representation through Knowledge
        Integration", 2019. Where it differs: the authors' code chooses each
        unit with probability 0.15, however many tokens it has; here a budget
        of tokens is met.
    """

    def _choose(self, ids, real, budget, generator, units=None):
        units = _check_units(units, ids)
        members = real & (units >= 0)
        goes_on = np.zeros(ids.shape, bool)
        goes_on[:, 1:] = members[:, :-1] & (units[:, 1:] == units[:, :-1])
        return choose_runs(
            number_runs(members & ~goes_on, members), budget, generator
        )


def _check_units(units, ids):
    units = np.asarray(units)
    if units.shape != ids.shape or units.dtype.kind not in "iu":
        raise ValueError(
            f"`units` must be integers of the shape of `ids`, {ids.shape}. "
            f"Received: shape {units.shape}, dtype {units.dtype}."
        )
    return units
