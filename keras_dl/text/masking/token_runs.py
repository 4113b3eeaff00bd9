"""Runs of tokens, of which some are chosen: the arithmetic of masking.

A run is a word, a unit or a single token. `numbers`, of shape `(rows, time)`,
says for each token which run of its row it belongs to, from 0 on; -1: none.
"""

import numpy as np


def number_runs(begins, members):
    """Numbers runs from 0 on, from left to right in each row.

    Args:
        begins: Booleans `(rows, time)`: where a run begins.
        members: Booleans `(rows, time)`: which tokens belong to a run.

    Returns:
        Integers `(rows, time)`.
    """
    return np.where(members, np.cumsum(begins, axis=1) - 1, -1)


def run_sizes(numbers):
    """The number of tokens in each run, `(rows, runs)`; at least one column."""
    rows, width = len(numbers), numbers.max(initial=0) + 1
    # A column before the first counts the tokens of no run.
    cells = np.arange(rows)[:, None] * (width + 1) + (numbers + 1)
    counts = np.bincount(cells.reshape(-1), minlength=rows * (width + 1))
    return counts.reshape(rows, width + 1)[:, 1:]


def spread(values, numbers):
    """The value of its run for each token, and -1 for tokens of no run."""
    of_tokens = np.take_along_axis(values, np.maximum(numbers, 0), axis=1)
    return np.where(numbers >= 0, of_tokens, -1)


def fill(sizes, budget, begins=None):
    """Takes sizes from left to right, all but those that exceed what is left.

    After each round the sizes that are still open are smaller than one that
    was refused: there are at most as many rounds as different sizes.

    Args:
        sizes: Integers `(rows, columns)`; 0 where there is nothing to take.
        budget: Integers `(rows,)`: the largest sum of a row.
        begins: Booleans `(rows, columns)`: where a phrase begins. What is
            behind a refused size in its phrase is refused, too. `None`: each
            size is a phrase of its own.

    Returns:
        Booleans `(rows, columns)`: what was taken.
    """
    taken = np.zeros(sizes.shape, bool)
    left = budget[:, None]
    while True:
        fits = ~taken & (sizes > 0) & (sizes <= left)
        if begins is not None:
            fits &= _all_before(fits | taken, begins)
        if not fits.any():
            return taken
        taken |= fits & (np.cumsum(sizes * fits, axis=1) <= left)
        left = (budget - np.sum(sizes * taken, axis=1))[:, None]


def _all_before(fine, begins):
    """Whether all of its phrase up to a column is fine."""
    failures = np.cumsum(~fine, axis=1)
    earlier = np.where(begins, failures - ~fine, 0)
    return failures == np.maximum.accumulate(earlier, axis=1)


def choose_runs(numbers, budget, generator):
    """Chooses runs in random order, as many as fit into the budget.

    Args:
        numbers: Integers `(rows, time)`.
        budget: Integers `(rows,)`: the largest number of tokens of a row.
        generator: `numpy.random.RandomState`.

    Returns:
        `numbers`, with -1 for the tokens that are not chosen.
    """
    sizes = run_sizes(numbers)
    keys = generator.random_sample(sizes.shape)
    keys[sizes == 0] = 2  # Behind all runs.
    order = np.argsort(keys, axis=1)
    taken = fill(np.take_along_axis(sizes, order, axis=1), budget)
    kept = np.full(sizes.shape, -1)
    np.put_along_axis(kept, order, np.where(taken, order, -1), axis=1)
    return spread(kept, numbers)
