"""Masking of spans of words, and what it shares with that of n-grams."""

import numpy as np

from keras_dl.checks import check_integer
from keras_dl.text.masking.masking import check_share
from keras_dl.text.masking.token_runs import fill, run_sizes, spread
from keras_dl.text.masking.word_masking import WordMasking

# Words beyond the budget, for where a word of several tokens is refused.
_SPARE = 12


class WordRunMasking(WordMasking):
    """Base of the strategies that choose phrases of 1, 2, ... words.

    For each row lengths are drawn until they hold as many words as the budget
    has tokens, and some more. Each phrase then draws a place of its own; where
    phrases would overlap, later ones move on. They are taken in the order in
    which their lengths were drawn, word by word, until the budget is spent. A
    word that the rest of the budget does not hold ends its phrase.
    """

    _gap = 0  # Number of words that must be between two phrases.

    def __init__(self, weights, *arguments):
        super().__init__(*arguments)
        weights = np.asarray(weights, "float64")
        self.probabilities = weights / weights.sum()

    def _choose(self, ids, real, budget, generator):
        words = self._words(ids, real)
        sizes = run_sizes(words)
        num_words = np.count_nonzero(sizes, axis=1)
        wanted = np.minimum(budget + _SPARE, num_words)
        lengths = self._lengths(wanted, generator)
        starts = self._starts(lengths, num_words, generator)
        row, phrase, word = _list_words(lengths, starts)
        drawn = np.arange(lengths.shape[1]) < lengths.sum(axis=1)[:, None]
        costs, phrases = np.zeros((2, *drawn.shape), "int")
        costs[drawn], phrases[drawn] = sizes[row, word], phrase
        begins = np.diff(phrases, axis=1, prepend=0) != 0
        taken = fill(costs, budget, begins)[drawn]
        kept = np.full(sizes.shape, -1)
        kept[row[taken], word[taken]] = phrase[taken]
        return spread(kept, words)

    def _lengths(self, wanted, generator):
        """Numbers of words `(rows, most wanted)`, 0 behind the last."""
        shape = len(wanted), wanted.max(initial=1)
        steps = np.cumsum(self.probabilities)[:-1]
        drawn = generator.random_sample(shape)
        lengths = 1 + np.searchsorted(steps, drawn, side="right")
        before = np.cumsum(lengths, axis=1) - lengths
        return np.clip(wanted[:, None] - before, 0, lengths)

    def _starts(self, lengths, num_words, generator):
        """The number of the word that each phrase begins with."""
        used = lengths > 0
        gaps = np.count_nonzero(used, axis=1) - 1
        free = num_words - lengths.sum(axis=1)
        gap = np.where(free >= self._gap * gaps, self._gap, 0)
        free = (free - gap * gaps)[:, None]
        places = generator.random_sample(lengths.shape)
        order = np.argsort(np.where(used, places, 2), axis=1)
        width = np.take_along_axis(lengths, order, axis=1) + gap[:, None]
        places = np.take_along_axis(places, order, axis=1)
        moved = np.floor(places * (free + 1)).astype("int")
        starts = np.empty_like(moved)
        moved += np.cumsum(width, axis=1) - width
        np.put_along_axis(starts, order, moved, axis=1)
        return starts


class SpanMasking(WordRunMasking):
    """Chooses spans of whole words, and hides each as one (SpanBERT).

        P(n) = p (1 - p)^(n - 1) / (1 - (1 - p)^max_words)

    That is a geometric distribution, cut off and normalised; by default the
    mean is 3.797 words. The last spans of a row are cut to the whole words
    that the budget holds. Whether a span becomes masks, random tokens or stays
    is drawn once for the whole span.

    Between two spans there is at least one word, as long as the row has words
    enough for that. One that meets a special token goes on behind it. `choose`
    numbers the spans of a row in the order in which they were drawn: number 0
    is never cut if the budget holds `max_words` words.

    For words see `WholeWordMasking`, for shapes and errors `Masking`, for what
    the span-boundary objective needs `span_boundaries`.

    Args:
        vocabulary: `Vocabulary` with a mask token.
        rate: Share of the tokens to choose, above 0 and below 1.
        mask: Probability that a chosen span becomes `[MASK]`s.
        random: Probability that it becomes random tokens.
        max_predictions: Largest number of tokens chosen in a row, or `None`.
        continues: See `WholeWordMasking`.
        max_words: Largest number of words in a span.
        p: Probability that a span ends after a word, above 0 and below 1.

    Attributes:
        probabilities: Those of 1, 2, ..., `max_words` words.

    Example:

    >>> words = keras_dl.text.WordVocabulary(list("abc"), ["[MASK]"])
    >>> masking = SpanMasking(words, rate=0.5)
    >>> masking.probabilities[:3].round(4)
    array([0.2241, 0.1792, 0.1434])
    >>> ids = np.array([[2, 5, 6, 7, 5, 6, 7, 3]])
    >>> spans = masking.choose(ids, np.random.RandomState(0))
    >>> spans
    array([[-1,  0,  0,  0, -1, -1, -1, -1]])
    >>> left, right, offset = span_boundaries(spans)

    Reference:
        Joshi et al., "SpanBERT: Improving Pre-training by Representing and
        Predicting Spans", 2020. Where it differs: the authors' code lets spans
        overlap and joins those that do, cuts the last one within a word, and
        rounds the budget up; see also `Masking`.
    """

    _gap = 1

    def __init__(
        self,
        vocabulary,
        rate=0.15,
        mask=0.8,
        random=0.1,
        max_predictions=None,
        continues=None,
        max_words=10,
        p=0.2,
    ):
        check_integer("max_words", max_words, minimum=1)
        if check_share("p", p) in (0, 1):
            raise ValueError(
                f"`p` must be a number above 0 and below 1. Received: p={p!r}."
            )
        shared = (vocabulary, rate, mask, random, max_predictions, continues)
        super().__init__((1 - p) ** np.arange(max_words), *shared)

    def _fates(self, groups, chosen, generator):
        of_spans = generator.random_sample(
            (len(groups), groups.max(initial=0) + 1)
        )
        return of_spans[np.nonzero(chosen)[0], groups[chosen]]


def _list_words(lengths, starts):
    """The row, the phrase and the number of each word in a phrase.

    They are in the order of the rows, and within a row in that of the phrases.
    """
    row, phrase = np.nonzero(lengths)
    size, start = lengths[row, phrase], starts[row, phrase]
    inside = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    return (
        np.repeat(row, size),
        np.repeat(phrase, size),
        np.repeat(start, size) + inside,
    )


def span_boundaries(chosen_spans):
    """The neighbours of spans, and the places within them.

    For a span of the tokens `s ... e`, and each of its tokens `t`:

        left = s - 1,  right = e + 1,  offset = t - s

    These are what the span-boundary objective predicts a token from: its
    neighbours on both sides, which are not hidden, and its place between them.
    Spans that touch count as one. At the edge of a row, where there is no
    neighbour, the position is that of the edge itself.

    Args:
        chosen_spans: Integers `(rows, time)` as `choose` returns them: -1 for
            tokens that are not chosen.

    Returns:
        `left`, `right` and `offset`, `int32`, `(rows, time)`; 0 for tokens
        that are not chosen.

    Example:

    >>> left, right, offset = span_boundaries(np.array([[-1, 0, 0, 0, -1]]))
    >>> left.tolist(), right.tolist(), offset.tolist()
    ([[0, 0, 0, 0, 0]], [[0, 4, 4, 4, 0]], [[0, 0, 1, 2, 0]])

    Reference:
        Joshi et al., "SpanBERT: Improving Pre-training by Representing and
        Predicting Spans", 2020, section 3.2; the offset here counts from 0.
    """
    chosen = np.asarray(chosen_spans) >= 0
    time = chosen.shape[1]
    at = np.arange(time)
    left = np.maximum.accumulate(np.where(chosen, -1, at), axis=1)
    backward = np.where(chosen, time, at)[:, ::-1]
    right = np.minimum.accumulate(backward, axis=1)[:, ::-1]
    parts = np.maximum(left, 0), np.minimum(right, time - 1), at - left - 1
    return tuple(np.where(chosen, p, 0).astype("int32") for p in parts)
