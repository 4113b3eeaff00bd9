"""Masking of what is to be written: the second segment alone."""

import numpy as np

from keras_dl.text.masking.masking import check_generator
from keras_dl.text.masking.token_masking import TokenMasking


class TargetMasking(TokenMasking):
    """Chooses tokens of the second segment, its end included (UniLM).

        [CLS] source [SEP] target [SEP]: of `target [SEP]`

    For fine-tuning from sequence to sequence, with
    `AttentionPatterns({"seq2seq": 1})`: what is masked is told from the source
    and from the target before it, and the end is learnt, too. Only tokens of
    the second segment count for the budget.

    Arguments, shapes and errors: see `Masking`.

    Example:

    >>> words = keras_dl.text.WordVocabulary(list("abc"), ["[MASK]"])
    >>> pairs = keras_dl.text.Packed(
    ...     np.array([[2, 5, 6, 3, 7, 7, 3]]), np.array([[0, 0, 0, 0, 1, 1, 1]])
    ... )
    >>> batches = keras_dl.text.MaskedBatches(
    ...     pairs,
    ...     TargetMasking(words, mask=1.0, random=0.0),
    ...     words,
    ...     extras=[keras_dl.text.AttentionPatterns({"seq2seq": 1})],
    ... )
    >>> batches[0][0]["token_ids"]
    array([[2, 5, 6, 3, 4, 4, 4]], dtype=int32)

    Reference:
        Dong et al., "Unified language model pre-training for natural language
        understanding and generation", 2019: a rate of 0.7 for headlines.
    """

    reads_segments = True

    def __init__(
        self, vocabulary, rate=0.7, mask=0.8, random=0.1, max_predictions=None
    ):
        super().__init__(vocabulary, rate, mask, random, max_predictions)
        self._writable = ~self._special
        self._writable[vocabulary.special_id("end")] = True

    def choose(self, ids, generator, segment_ids):
        """As `Masking.choose`; `segment_ids` are of the shape of `ids`."""
        ids = self._check_ids(ids)
        real = self._writable[ids] & (np.asarray(segment_ids) % 2 == 1)
        budget = self._budget(real, check_generator(generator))
        return self._choose(ids, real, budget, generator)
