"""Answers that were found in texts, with their scores."""

from typing import NamedTuple


class AnswerCandidate(NamedTuple):
    """An answer that `SpanWindows.decode` found.

    Attributes:
        text: The part of the context, without spaces at its ends.
        score: Sum of the logits of its first and its last token.
        probability: Softmax of the score over the answers that were found.
        begin: Where it begins in the context, in characters.
        end: Where it ends: `text` is `context[begin:end]`.

    Example:

    >>> AnswerCandidate("Paris", 3.5, 0.9, begin=10, end=15).text
    'Paris'
    """

    text: str
    score: float
    probability: float
    begin: int
    end: int


class AnswerCandidates(NamedTuple):
    """What `SpanWindows.decode` found for one question.

    Attributes:
        answers: Tuple of `AnswerCandidate`, the best first; their texts differ.
        null_score: How well "there is no answer" scores: the smallest
            `start_logits[0] + end_logits[0]` of the windows.

    Example:

    >>> one = AnswerCandidate("Paris", 3.5, 1.0, begin=10, end=15)
    >>> found = AnswerCandidates((one,), null_score=4.0)
    >>> found.best(), found.null_difference, found.best(null_threshold=0.0)
    ('Paris', 0.5, '')
    """

    answers: tuple
    null_score: float

    @property
    def null_difference(self):
        """`null_score` less the best score; infinite without an answer."""
        if not self.answers:
            return float("inf")
        return self.null_score - self.answers[0].score

    def best(self, null_threshold=None):
        """The text of the best answer, `""` for none.

        Args:
            null_threshold: The answer is `""` if `null_difference` is above
                this number. `None`: only if nothing was found.

        Returns:
            A string.
        """
        none = null_threshold is not None and (
            self.null_difference > null_threshold
        )
        return "" if none or not self.answers else self.answers[0].text
