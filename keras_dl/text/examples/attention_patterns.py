"""Which way each text of a batch is read: left, right, both, or in turn."""

import numpy as np

from keras_dl.checks import check_choice
from keras_dl.layers.attention.attention_patterns import ATTENTION_PATTERNS
from keras_dl.text.examples.batch_parts import BatchPart
from keras_dl.text.masking.masking import check_share

_UNILM = {
    "bidirectional": 1 / 3,
    "seq2seq": 1 / 3,
    "left_to_right": 1 / 6,
    "right_to_left": 1 / 6,
}
# The ids of the first and the second segment, in the order of the patterns.
_SEGMENTS = np.array([[0, 1], [2, 2], [3, 3], [4, 5]], "int32")


class AttentionPatterns(BatchPart):
    """Draws the way in which each text of a batch is read (UniLM).

    | pattern         | id | share | segment ids | a token sees                |
    |-----------------|----|-------|-------------|-----------------------------|
    | `bidirectional` | 0  | 1/3   | 0, 1        | all tokens                  |
    | `left_to_right` | 1  | 1/6   | 2           | itself and earlier ones     |
    | `right_to_left` | 2  | 1/6   | 3           | itself and later ones       |
    | `seq2seq`       | 3  | 1/3   | 4, 5        | the first segment; in the   |
    |                 |    |       |             | second one itself and       |
    |                 |    |       |             | earlier ones of it, too     |

    A part of `MaskedBatches`: it adds the input `attention_pattern`, `int32`
    of shape `(rows,)`, of which `keras_dl.applications.BERT` makes the mask,
    and gives the segments of each pattern ids of their own, which the encoder
    has to have: `BERT(..., num_segments=6)`. Labels of pairs stay as they are:
    UniLM predicts the next sentence of bidirectional texts alone.

    The patterns depend on `(seed, epoch, position of the batch)`, also where
    the masking is static.

    Args:
        shares: Dict of the probabilities of patterns, with the sum 1; as in
            the table by default. `{"seq2seq": 1}` is for fine-tuning.
        by: `"row"`: each row draws a pattern; `"batch"`: each batch does, for
            all its rows.
        distinct_segments: Whether each pattern has segment ids of its own, as
            in the table. Else they stay 0 and 1, and two segments suffice.

    Attributes:
        num_segments: Number of segments that the encoder needs: 6 or 2.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> vocabulary = keras_dl.text.WordVocabulary(list("abc"), ["[MASK]"])
    >>> masking = keras_dl.text.TokenMasking(vocabulary)
    >>> patterns = AttentionPatterns({"left_to_right": 1})
    >>> batches = keras_dl.text.MaskedBatches(
    ...     np.array([[2, 5, 6, 7, 3]]), masking, vocabulary, extras=[patterns]
    ... )
    >>> x, y = batches[0]
    >>> x["attention_pattern"], x["segment_ids"]
    (array([1], dtype=int32), array([[2, 2, 2, 2, 2]], dtype=int32))
    >>> encoder = keras_dl.applications.BERT(
    ...     vocabulary.size, 1, 16, 2, 32, num_segments=patterns.num_segments
    ... )

    Reference:
        Dong et al., "Unified language model pre-training for natural language
        understanding and generation", 2019, and its code, for the segment ids
        of `bidirectional`, `left_to_right` and `seq2seq`.
    """

    def __init__(self, shares=None, by="row", distinct_segments=True):
        self.shares = _check_shares(_UNILM if shares is None else shares)
        self.by = check_choice("by", by, ("row", "batch"))
        self.distinct_segments = distinct_segments

    @property
    def num_segments(self):
        return int(_SEGMENTS.max()) + 1 if self.distinct_segments else 2

    def check(self, packed):
        segments = packed.segment_ids
        for id in (segments.min(initial=0), segments.max(initial=0)):
            if not 0 <= id <= 1:
                raise ValueError(
                    "`packed` must have segment ids 0 and 1, which patterns "
                    f"are given for. Received: {id}."
                )
        (single,) = np.nonzero(~segments.any(axis=1))
        if self.shares.get("seq2seq") and single.size:
            raise ValueError(
                "`packed` must have two segments in each row for 'seq2seq'. "
                f"Received: row {single[0]} with one."
            )

    def __call__(self, x, y, rows, generator):
        patterns = self.draw(len(rows), generator)
        segments = x["segment_ids"]
        if self.distinct_segments:
            segments = _SEGMENTS[patterns[:, None], segments]
        return {**x, "segment_ids": segments, "attention_pattern": patterns}, y

    def draw(self, number, generator):
        """Draws the patterns of a batch.

        Args:
            number: Number of rows.
            generator: `numpy.random.RandomState`.

        Returns:
            `int32` ids `(number,)`.
        """
        shares = [self.shares.get(name, 0.0) for name in ATTENTION_PATTERNS]
        steps = np.cumsum(shares)[:-1]
        drawn = generator.random_sample(number if self.by == "row" else 1)
        patterns = np.searchsorted(steps, drawn, side="right").astype("int32")
        return np.broadcast_to(patterns, (number,)).copy()


def _check_shares(shares):
    for name, share in shares.items():
        check_choice("shares", name, ATTENTION_PATTERNS)
        check_share(f"shares[{name!r}]", share)
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(
            f"`shares` must have the sum 1. Received: shares={shares}."
        )
    return dict(shares)
