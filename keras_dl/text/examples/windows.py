"""Windows that overlap: which of them shows most of what surrounds a token."""

import numpy as np


def shows_most(begins, sizes):
    """Which of a text's windows shows most of what surrounds each token.

    With `l` tokens on the left and `r` on the right in a window of `n`, that is
    the one with the largest `min(l, r) + 0.01 n`; of several, the first.

    Args:
        begins: `(windows,)`: index of the first token of each window.
        sizes: `(windows,)`: number of its tokens.

    Returns:
        Booleans `(windows, tokens)`; each token has one window.
    """
    begins, sizes = begins[:, None], sizes[:, None]
    token = np.arange((begins + sizes).max())
    nearer = np.minimum(token - begins, begins + sizes - 1 - token)
    shown = np.where(nearer < 0, -np.inf, nearer + 0.01 * sizes)
    return shown.argmax(axis=0) == np.arange(len(begins))[:, None]
