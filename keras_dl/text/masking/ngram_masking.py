"""Masking of n-grams of words."""

import numpy as np

from keras_dl.checks import check_integer
from keras_dl.text.masking.span_masking import WordRunMasking


class NGramMasking(WordRunMasking):
    """Chooses n-grams of whole words, short ones more often (ALBERT).

        P(n) = (1 / n) / (1 + 1/2 + ... + 1/max_words)

    For three words that is 6/11, 3/11, 2/11. The last n-grams of a row are
    cut to the whole words that the budget holds. What becomes of a token is
    drawn for each token. N-grams may touch; one that meets a special token goes
    on behind it. For words see `WholeWordMasking`, for shapes and errors
    `Masking`.

    Args:
        vocabulary: `Vocabulary` with a mask token.
        rate: Share of the tokens to choose, above 0 and below 1.
        mask: Probability that a chosen token becomes `[MASK]`.
        random: Probability that it becomes a random token.
        max_predictions: Largest number of tokens chosen in a row, or `None`.
        continues: See `WholeWordMasking`.
        max_words: Largest number of words in an n-gram.

    Attributes:
        probabilities: Those of 1, 2, ..., `max_words` words.

    Example:

    >>> words = keras_dl.text.WordVocabulary(list("abc"), ["[MASK]"])
    >>> NGramMasking(words).probabilities.round(4)
    array([0.5455, 0.2727, 0.1818])

    Reference:
        Lan et al., "ALBERT: A Lite BERT for Self-supervised Learning of
        Language Representations", 2020, equation 1. Where it differs: the
        authors' code draws a new n-gram where two would overlap; here the
        later one is moved. See also `Masking`.
    """

    def __init__(
        self,
        vocabulary,
        rate=0.15,
        mask=0.8,
        random=0.1,
        max_predictions=None,
        continues=None,
        max_words=3,
    ):
        check_integer("max_words", max_words, minimum=1)
        shared = (vocabulary, rate, mask, random, max_predictions, continues)
        super().__init__(1 / np.arange(1, max_words + 1), *shared)
