"""Masking of whole words, whatever tokens they consist of."""

import numpy as np

from keras_dl.text.masking.masking import Masking
from keras_dl.text.masking.token_runs import choose_runs, number_runs

# What the tokens of a word begin with: in WordPiece all but the first; in
# byte-level BPE and in SentencePiece the first.
_LATER = "##"
_FIRST = ("Ġ", "▁")


class WordMasking(Masking):
    """Base of the strategies that choose words.

    Args:
        vocabulary: See `Masking`, as `rate`, `mask`, `random` and
            `max_predictions`.
        continues: Booleans, one for each id: whether the token goes on with
            the word of the token before it. `None`: what the spelling of the
            tokens says, by `continuations`.
    """

    def __init__(
        self,
        vocabulary,
        rate=0.15,
        mask=0.8,
        random=0.1,
        max_predictions=None,
        continues=None,
    ):
        super().__init__(vocabulary, rate, mask, random, max_predictions)
        if continues is None:
            continues = continuations(vocabulary.tokens)
        self._continues = _check_continues(continues, vocabulary.size)

    def _words(self, ids, real):
        """The number of its word for each token, -1 for special tokens."""
        goes_on = self._continues[ids]
        goes_on[:, :1] = False
        goes_on[:, 1:] &= real[:, :-1]
        return number_runs(real & ~goes_on, real)


class WholeWordMasking(WordMasking):
    """Chooses whole words, each with the same probability.

    Which tokens form a word is read from the vocabulary: in WordPiece `##`
    goes on with a word; in byte-level BPE all do that do not begin with `Ġ`,
    in SentencePiece all that do not begin with `▁`. In other vocabularies each
    token is a word. The first token of a row, or behind a special token,
    begins a word in any case.

    Words are taken in random order. One that the rest of the budget does not
    hold is passed over, as in BERT's code; so long words come up a little less
    often. What becomes of a token is drawn for each token, not for the word.

    For Chinese, where a word is several characters without a mark, see
    `PhraseMasking`. Shapes and errors: see `Masking`.

    Args:
        vocabulary: `Vocabulary` with a mask token.
        rate: Share of the tokens to choose, above 0 and below 1.
        mask: Probability that a chosen token becomes `[MASK]`.
        random: Probability that it becomes a random token.
        max_predictions: Largest number of tokens chosen in a row, or `None`.
        continues: Booleans, one for each id: whether the token goes on with
            the word of the token before it. `None`: as said above.

    Example:

    >>> vocabulary = keras_dl.text.SubwordVocabulary(
    ...     ["a", "##b", "c"], special_tokens=["[MASK]"]
    ... )
    >>> masking = WholeWordMasking(vocabulary, 0.6, mask=1.0, random=0.0)
    >>> ids = np.array([[5, 6, 6, 7, 6]])  # "abb cb"
    >>> masked_ids, chosen = masking(ids, np.random.RandomState(0))
    >>> masked_ids
    array([[5, 6, 6, 4, 4]], dtype=int32)

    Reference:
        Devlin et al., the code of BERT, 2019, `do_whole_word_mask`; Cui et
        al., "Pre-Training with Whole Word Masking for Chinese BERT", 2019.
        Where it differs: see `Masking`.
    """

    def _choose(self, ids, real, budget, generator):
        return choose_runs(self._words(ids, real), budget, generator)


def continuations(tokens):
    """Which tokens go on with a word, by the way they are written.

    The mark that most tokens bear decides: `##`, `Ġ` or `▁`. Tokens that are
    nothing but a mark do not count for that.

    Args:
        tokens: Strings, in the order of their ids.

    Returns:
        Booleans, one for each token.
    """
    counts = {
        mark: sum(t.startswith(mark) and t != mark for t in tokens)
        for mark in (_LATER, *_FIRST)
    }
    mark = max(counts, key=counts.get)
    if not counts[mark]:
        return np.zeros(len(tokens), bool)
    return np.array([t.startswith(mark) == (mark == _LATER) for t in tokens])


def _check_continues(continues, size):
    continues = np.asarray(continues)
    if continues.shape != (size,) or continues.dtype != bool:
        raise ValueError(
            f"`continues` must be {size} booleans, one for each id. Received: "
            f"shape {continues.shape}, dtype {continues.dtype}."
        )
    return continues
