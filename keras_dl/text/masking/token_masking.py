"""Masking of tokens by themselves."""

from keras_dl.text.masking.masking import Masking
from keras_dl.text.masking.token_runs import choose_runs, number_runs


class TokenMasking(Masking):
    """Chooses single tokens, each with the same probability (BERT).

    The budget of each row is met exactly. Arguments, shapes and errors: see
    `Masking`.

    Example:

    >>> words = keras_dl.text.WordVocabulary(["a", "b"], ["[MASK]"])
    >>> masking = TokenMasking(words, rate=0.25)
    >>> ids = np.array([[2, 5, 6, 5, 6, 5, 6, 5, 6, 3]])
    >>> masked_ids, chosen = masking(ids, np.random.RandomState(0))
    >>> int(chosen.sum())  # Of 8.
    2

    Reference:
        Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers
        for Language Understanding", 2019. Where it differs: see `Masking`.
    """

    def _choose(self, ids, real, budget, generator):
        return choose_runs(number_runs(real, real), budget, generator)
