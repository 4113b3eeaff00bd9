"""Beam search: several sequences per prompt, the best of which is kept."""

import numbers

import numpy as np

from keras_dl.checks import check_integer


class BeamSearch:
    """Keeps the best few beginnings, and returns the best whole sequence.

        score(y) = sum_t log p(y_t | y_1 ... y_{t-1}) / penalty(|y|)
        penalty(n) = ((5 + n) / 6)^length_penalty

    where the end counts as a token. A sequence that the limit of tokens cuts
    off competes with the ended ones. The search ends when no beginning can
    beat the worst of `beams` ended sequences any more. All is computed in
    float64; ties go to the likelier beginning, then to the smaller id. With
    more beams than there are beginnings, the surplus stays empty, and with
    enough of them the search is exhaustive.

    Args:
        beams: Number of beginnings to keep.
        length_penalty: 0 compares sums, which favours short sequences; 1
            nearly means. The Transformer's paper has 0.6, with 4 beams.

    Raises:
        ValueError: If an argument is not allowed.

    Example: a model that counts: after an id comes the next one.

    >>> model = keras.Sequential([keras.layers.Embedding(7, 7)])
    >>> model.build((None, None))
    >>> model.set_weights([np.roll(np.eye(7), 1, axis=1)])
    >>> search = BeamSearch(beams=2, length_penalty=0.6)
    >>> keras_dl.generate(model, [[1, 2]], 3, search=search)
    [[3, 4, 5]]

    Reference:
        Wu et al., "Google's neural machine translation system", 2016, without
        its coverage penalty.
    """

    streams = False

    def __init__(self, beams=4, length_penalty=0.6):
        self.beams = check_integer("beams", beams, 1)
        number = isinstance(length_penalty, numbers.Real)
        if not number or not 0 <= length_penalty < np.inf:
            raise ValueError(
                "`length_penalty` must be a number of at least 0. "
                f"Received: length_penalty={length_penalty!r}."
            )
        self.length_penalty = float(length_penalty)

    @property
    def rows_per_prompt(self):
        """Rows that the model has to run for each prompt."""
        return self.beams

    def start(self, num_prompts, end_id, max_new_tokens):
        """Begins anew."""
        self._beams = [
            _Beams(self, end_id, max_new_tokens) for _ in range(num_prompts)
        ]

    def choose(self, logits):
        """The next token of each row, and the row that it continues."""
        parts = logits.reshape(len(self._beams), self.beams, -1)
        tokens, parents = [], []
        for number, (one, scores) in enumerate(
            zip(self._beams, parts, strict=True)
        ):
            new, old = one.choose(scores.astype("float64"))
            tokens.append(new)
            parents.append(old + number * self.beams)
        return np.concatenate(tokens), np.concatenate(parents)

    @property
    def done(self):
        """Whether the search of every prompt has come to its end."""
        return all(one.done for one in self._beams)

    def results(self):
        """The best tokens of each prompt, without the end."""
        return [one.ranked()[0][1] for one in self._beams]

    def ranked(self):
        """For each prompt all sequences kept, as `(score, tokens)`."""
        return [one.ranked() for one in self._beams]

    def penalty(self, length):
        """What the sum of a sequence of that length is divided by."""
        return ((5 + length) / 6) ** self.length_penalty


class _Beams:
    """The search for one prompt."""

    def __init__(self, search, end_id, max_length):
        self._penalty, self._width = search.penalty, search.beams
        self._end_id, self._max_length = end_id, max_length
        self._ended = []
        self._alive = [[] for _ in range(search.beams)]
        self._sums = np.full(search.beams, -np.inf)
        self._sums[0] = 0.0  # All rows are alike at first: one counts.
        self.done = False

    def choose(self, logits):
        if self.done:
            return np.zeros(self._width, int), np.arange(self._width)
        sums = self._sums[:, None] + _log_softmax(logits)
        if self._end_id is not None:
            for row in np.flatnonzero(np.isfinite(self._sums)):
                total = sums[row, self._end_id]
                self._end(total, self._alive[row], len(self._alive[row]) + 1)
            sums[:, self._end_id] = -np.inf
        flat = sums.ravel()
        best = np.argsort(-flat, kind="stable")[: self._width]
        parents, tokens = np.divmod(best, logits.shape[-1])
        self._sums = flat[best]
        self._alive = [
            [*self._alive[parent], int(token)]
            for parent, token in zip(parents, tokens, strict=True)
        ]
        self.done = self._is_done()
        return tokens, parents

    def _end(self, total, tokens, length):
        if np.isfinite(total):
            self._ended.append((total / self._penalty(length), tokens))
            self._ended.sort(key=lambda pair: -pair[0])
            del self._ended[self._width :]

    def _is_done(self):
        if not np.isfinite(self._sums[0]):
            return True
        length = len(self._alive[0])
        if length >= self._max_length:
            for total, tokens in zip(self._sums, self._alive, strict=True):
                self._end(total, tokens, length)
            return True
        # Sums only fall: the best that a beginning can come to.
        bound = self._sums[0] / self._penalty(self._max_length)
        full = len(self._ended) == self._width
        return full and self._ended[-1][0] >= bound

    def ranked(self):
        rest = [
            (total / self._penalty(max(len(tokens), 1)), tokens)
            for total, tokens in zip(self._sums, self._alive, strict=True)
            if np.isfinite(total)
        ]
        return self._ended or rest


def _log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
