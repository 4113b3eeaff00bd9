"""Answers that are a part of a text: windows over it, and the best spans."""

import numbers

import keras
import numpy as np

from keras_dl.checks import check_choice, check_integer
from keras_dl.text.examples.answer_candidates import (
    AnswerCandidate,
    AnswerCandidates,
)
from keras_dl.text.examples.combining_marks import with_marks
from keras_dl.text.examples.windows import shows_most
from keras_dl.text.vocabularies.external_tokenizers import as_vocabulary
from keras_dl.text.vocabularies.vocabulary import check_texts

_AT_ONCE = 512  # Number of texts, or of windows, that are handled together.


class SpanWindows:
    """Questions with the texts that hold their answers, cut into windows.

    A text (context) may be longer than a model reads at once. It is cut into
    windows that overlap, `stride` tokens from one to the next; each stands in
    a row with the whole question:

        [CLS] question [SEP] part of the context [SEP] [PAD] ...
          0      0       0            1            1     0

    The second line is `segment_ids`; `[CLS]` and `[SEP]` are the start and
    end tokens of the vocabulary. Where it is RoBERTa's, there are two end
    tokens between the question and the context, and no segments in `inputs`.

    **Targets.** `spans[i]` are the positions in row `i` of the first and the
    last token of the answer: of the fewest tokens that cover it. They are
    `(0, 0)`, the place of `[CLS]`, where the row does not hold the whole
    answer, or where there is none. Of several answers, a row takes the first
    that it holds.

    **Decoding.** `decode` and `best` take the logits of all rows, in order. In
    each row the `n_best` highest starts are paired with the `n_best` highest
    ends; a pair counts if it lies in the context, does not end before it
    begins, has at most `max_answer_length` tokens, and if no other window
    shows more of what surrounds its first token (see `max_context`). Its
    score is the sum of its two logits. By that last rule an answer can get
    lost which is longer than half of what a row holds of the context, less
    half a stride. The answers are cut out of the context as it was given, with
    the combining marks of their last letter, also where the vocabulary takes
    accents away.

    Args:
        questions: Strings.
        contexts: Strings, one for each question.
        vocabulary: `Vocabulary`, or what `as_vocabulary` takes. It must give
            offsets (see `Vocabulary.encode_with_offsets`).
        answers: For each question, a list of `(text, begin)`, where `text` is
            what stands in the context from character `begin` on; an empty
            list where there is no answer. `None`: there are no targets.
        length: Number of tokens in a row.
        stride: Number of tokens from the begin of a window to the next.
        max_question: Number of tokens after which questions are cut.
        misplaced: What befalls an answer that does not stand where it is said
            to, or that no token covers: `"error"` raises ValueError,
            `"leave_out"` leaves it out, and with its last answer the question.
        separators: Number of end tokens between question and context. `None`:
            as many as the vocabulary has (`Vocabulary.separators`).
        segments: Whether `inputs` has `"segment_ids"`. `None`: if the
            vocabulary has segments (`Vocabulary.has_segments`).

    Attributes:
        token_ids: `int32`, `(windows, length)`.
        segment_ids: Likewise: 0 for the question and padding, 1 for the
            context and the `[SEP]` after it.
        inputs: `{"token_ids": token_ids, "segment_ids": segment_ids}`, the
            latter with segments only.
        spans: `int32`, `(windows, 2)`, or `None` without `answers`.
        question_numbers: `(windows,)`: index of each window's question.
        max_context: Boolean, `(windows, length)`: the tokens of the context
            that have at least as much context in this window as in any other,
            and more than in those before. With `l` tokens on the left and `r`
            on the right in a window of `n`, that is `min(l, r) + 0.01 n`.
        left_out: Tuple of the indices of the questions that were left out.

    Raises:
        ValueError: If the texts are not aligned, an answer is misplaced, an
            argument is out of range, or the vocabulary gives no offsets.

    Example:

    >>> text = "Ada was born in London in 1815"
    >>> words = keras_dl.text.WordVocabulary.train([text, "Where ?"])
    >>> windows = SpanWindows(
    ...     ["Where?"], [text], words, [[("London", 16)]], length=12
    ... )
    >>> windows.spans
    array([[8, 8]], dtype=int32)
    >>> batches = keras_dl.datasets.Batches(windows.inputs, windows.spans)
    >>> starts, ends = np.eye(12)[windows.spans.T]
    >>> windows.best(starts, ends)
    ['London']

    Reference:
        Devlin et al., "BERT", 2019, and its code for SQuAD. Where it differs:
        the text of an answer is cut out by character offsets, not by whole
        words; "no answer" is not among the answers, its score stands beside
        them; a context without tokens has one window, not none.
    """

    def __init__(
        self,
        questions,
        contexts,
        vocabulary,
        answers=None,
        length=384,
        stride=128,
        max_question=64,
        misplaced="error",
        separators=None,
        segments=None,
    ):
        self.vocabulary = as_vocabulary(vocabulary)
        self._set_layout(separators, segments)
        self.questions = check_texts("questions", questions)
        self.contexts = check_texts("contexts", contexts)
        _check_aligned(self.questions, self.contexts, answers)
        self.stride = check_integer("stride", stride, minimum=1)
        asked = self._encode_questions(max_question)
        shortest = max(map(len, asked)) + 3 + self._separators
        self.length = check_integer("length", length, minimum=shortest)
        numbers = self._encode_contexts()
        found = self._find(answers, numbers, misplaced)
        self._cut(asked, numbers)
        self._fill(asked)
        self.spans = None if answers is None else self._point(found)
        self.max_context = self._most_context()

    def __len__(self):
        return len(self.question_numbers)

    @property
    def inputs(self):
        inputs = {"token_ids": self.token_ids}
        if self._segments:
            inputs["segment_ids"] = self.segment_ids
        return inputs

    def decode(self, start_logits, end_logits, n_best=20, max_answer_length=30):
        """The best answers to each question, from the logits of all windows.

        Args:
            start_logits: `(windows, length)`: how well an answer would begin
                at each token. Of `logits` from `keras_dl.heads.ExtractiveQA`,
                these are `logits[:, 0]`.
            end_logits: Likewise: how well it would end; `logits[:, 1]`.
            n_best: Number of starts and of ends that are tried in a window,
                and of answers that a question gets at most.
            max_answer_length: Largest number of tokens in an answer.

        Returns:
            A list of `AnswerCandidates`, one for each question. Where the
            logits leave no span that counts, and for questions left out,
            `answers` is empty.

        Raises:
            ValueError: If the logits have another shape, or hold NaN or
                positive infinity. Minus infinity is never chosen.
        """
        n_best = check_integer("n_best", n_best, minimum=1)
        longest = check_integer("max_answer_length", max_answer_length, 1)
        starts = _check_logits("start_logits", start_logits, self)
        ends = _check_logits("end_logits", end_logits, self)
        null_scores = np.full(len(self.questions), np.inf)
        null = starts[:, 0].astype("float64") + ends[:, 0]
        np.minimum.at(null_scores, self.question_numbers, null)
        candidates = self._candidates(starts, ends, n_best, longest)
        return [
            AnswerCandidates(_distinct(context, n_best, *spans), null_score)
            for context, spans, null_score in zip(
                self.contexts, candidates, null_scores.tolist(), strict=True
            )
        ]

    def best(
        self,
        start_logits,
        end_logits,
        null_threshold=None,
        n_best=20,
        max_answer_length=30,
    ):
        """The text of the best answer to each question, `""` for none.

        Args:
            start_logits: See `decode`.
            end_logits: See `decode`.
            null_threshold: There is no answer if the null score is higher
                than the best score by more than this. `None`: the null score
                does not matter, as in SQuAD 1.1.
            n_best: See `decode`.
            max_answer_length: See `decode`.

        Returns:
            A list of strings, one for each question.
        """
        found = self.decode(start_logits, end_logits, n_best, max_answer_length)
        return [one.best(null_threshold) for one in found]

    def _set_layout(self, separators, segments):
        if separators is None:
            separators = self.vocabulary.separators
        if segments is None:
            segments = self.vocabulary.has_segments
        self._separators = check_integer("separators", separators, minimum=1)
        self._segments = bool(segments)

    def _encode_questions(self, max_question):
        check_integer("max_question", max_question, minimum=1)
        rows = self.vocabulary._many_to_ids(self.questions)
        return [row[:max_question] for row in rows]

    def _encode_contexts(self):
        """Ids and offsets of each different context; which one each is."""
        texts = list(dict.fromkeys(self.contexts))
        self._ids, places = [], []
        for at in range(0, len(texts), _AT_ONCE):
            part = texts[at : at + _AT_ONCE]
            for ids, offsets in self.vocabulary._many_with_offsets(part):
                self._ids.append(ids)
                places.append(np.reshape(offsets, (-1, 2)).astype("int32"))
        self._offsets = np.concatenate(places)
        self._firsts = np.cumsum([0, *map(len, self._ids)])
        numbers = {text: number for number, text in enumerate(texts)}
        return [numbers[context] for context in self.contexts]

    def _find(self, answers, numbers, misplaced):
        """For each question, the first and last tokens of its answers."""
        check_choice("misplaced", misplaced, ("error", "leave_out"))
        left_out, found = [], [[] for _ in self.questions]
        for i, given in enumerate(answers or ()):
            first, last = self._firsts[numbers[i] :][:2]
            offsets = self._offsets[first:last]
            for text, begin in _check_answers(i, given):
                span = _covering(self.contexts[i], offsets, text, begin)
                if span:
                    found[i].append(span)
                elif misplaced == "error":
                    raise ValueError(
                        _misplaced(i, text, begin, self.questions[i])
                    )
            if len(given) and not found[i]:
                left_out.append(i)
        if len(left_out) == len(self.questions):
            raise ValueError(
                "`answers` must stand in their contexts for at least one "
                f"question. Received: {len(answers)}, all misplaced."
            )
        self.left_out = tuple(left_out)
        return found

    def _cut(self, asked, numbers):
        """Notes of each window whose it is, where it begins, how long it is."""
        table, left_out = [], set(self.left_out)
        for i, number in enumerate(numbers):
            at = len(asked[i]) + 1 + self._separators
            tokens = len(self._ids[number])
            room = self.length - at - 1
            step = min(self.stride, room)
            if i not in left_out:
                table += [
                    (i, number, at, begin, min(room, tokens - begin))
                    for begin in range(0, max(tokens - room, 0) + step, step)
                ]
        self._table = np.reshape(np.asarray(table, "int64"), (-1, 5))
        self.question_numbers = self._table[:, 0]

    def _fill(self, asked):
        """Writes the rows of all windows."""
        names = ("pad", "start", "end")
        pad, start, end = map(self.vocabulary.special_id, names)
        self.token_ids = np.full((len(self), self.length), pad, "int32")
        self.segment_ids = np.zeros((len(self), self.length), "int32")
        for row, (i, number, at, begin, size) in enumerate(
            self._table.tolist()
        ):
            part = self._ids[number][begin : begin + size]
            between = [end] * self._separators
            ids = [start, *asked[i], *between, *part, end]
            self.token_ids[row, : len(ids)] = ids
            self.segment_ids[row, at : len(ids)] = 1

    def _point(self, found):
        """The positions in each row of the first answer that it holds."""
        spans = np.zeros((len(self), 2), "int32")
        for row, (i, _, at, begin, size) in enumerate(self._table.tolist()):
            for first, last in found[i]:
                if begin <= first and last < begin + size:
                    spans[row] = at + first - begin, at + last - begin
                    break
        return spans

    def _most_context(self):
        flags = np.zeros((len(self), self.length), "bool")
        limits = np.flatnonzero(np.diff(self.question_numbers)) + 1
        for rows in np.split(np.arange(len(self)), limits):
            begins, sizes = self._table[rows, 3:].T
            most = shows_most(begins, sizes)
            for row, one, begin, size in zip(
                rows, most, begins, sizes, strict=True
            ):
                at = self._table[row, 2]
                flags[row, at : at + size] = one[begin : begin + size]
        return flags

    def _candidates(self, starts, ends, n_best, longest):
        """For each question, the spans that count, and their scores."""
        for at in range(0, len(self.questions), _AT_ONCE):
            each = np.arange(at, min(at + _AT_ONCE, len(self.questions)) + 1)
            rows = slice(*np.searchsorted(self.question_numbers, each[[0, -1]]))
            row, first, last = self._pairs(rows, starts, ends, n_best, longest)
            score = starts[row, first].astype("float64") + ends[row, last]
            asked = self.question_numbers[row]
            limits = np.searchsorted(asked, each[1:-1])
            spans = *self._characters(row, first, last), score
            parts = (np.split(one, limits) for one in spans)
            yield from zip(*parts, strict=True)

    def _characters(self, row, first, last):
        """Where spans of tokens begin and end in their contexts."""
        _, number, at, begin, _ = self._table.T
        token = (self._firsts[number] + begin - at)[row]
        offsets = self._offsets
        ends = offsets[token + last, 1]
        # The token after it may be the first one of another context.
        is_last = token + last + 1 == self._firsts[number[row] + 1]
        after = np.append(offsets[:, 0], 0)[token + last + 1]
        limits = np.where(is_last, np.iinfo("int32").max, after)
        return offsets[token + first, 0], ends, limits

    def _pairs(self, rows, starts, ends, n_best, longest):
        """The rows, first and last tokens of the spans that count."""
        first = _highest(starts[rows], n_best)[:, :, None]
        last = _highest(ends[rows], n_best)[:, None, :]
        stop = self._table[rows, 2] + self._table[rows, 4]
        begins = np.take_along_axis(self.max_context[rows], first[:, :, 0], 1)
        counts = begins[:, :, None] & (last < stop[:, None, None])
        counts &= (first <= last) & (last < first + longest)
        row, i, j = np.nonzero(counts)
        first, last = first[row, i, 0], last[row, 0, j]
        row += rows.start
        finite = (starts[row, first] > -np.inf) & (ends[row, last] > -np.inf)
        return np.stack([row, first, last])[:, finite]


def _highest(logits, number):
    """Positions of the highest in each row; of equal ones, the first."""
    return np.argsort(-logits, axis=1, kind="stable")[:, :number]


def _distinct(context, n_best, begins, ends, limits, scores):
    """The best answers of different text."""
    found = {}
    for i in np.argsort(-scores, kind="stable"):
        end = with_marks(context, int(ends[i]), int(limits[i]))
        text = context[begins[i] : end]
        begin = int(begins[i]) + len(text) - len(text.lstrip())
        text = text.strip()
        if text and text not in found:
            found[text] = begin, float(scores[i])
            if len(found) == n_best:
                break
    scores = np.array([score for _, score in found.values()])
    weights = np.exp(scores - scores.max(initial=-np.inf))
    shares = (weights / weights.sum()).tolist() if found else []
    return tuple(
        AnswerCandidate(text, score, share, begin, begin + len(text))
        for (text, (begin, score)), share in zip(
            found.items(), shares, strict=True
        )
    )


def _covering(context, offsets, text, begin):
    """The fewest tokens that cover an answer: the first and the last."""
    # A negative begin, of files that know no place, would count from the end.
    if not text or begin < 0 or not context.startswith(text, begin):
        return None
    first = np.searchsorted(offsets[:, 1], begin, side="right")
    last = np.searchsorted(offsets[:, 0], begin + len(text)) - 1
    return (int(first), int(last)) if first <= last else None


def _check_aligned(questions, contexts, answers):
    sizes = [len(questions), len(contexts)]
    if answers is not None:
        sizes.append(len(answers))
    if not questions or len(set(sizes)) > 1:
        raise ValueError(
            "`contexts` and `answers` must be as many as `questions`, at least "
            f"1. Received: {sizes[0]} questions, {sizes[1]} contexts"
            + (f", {sizes[2]} answers." if answers is not None else ".")
        )


def _check_answers(i, given):
    """Returns the answers to a question as a list of `(text, begin)`."""
    pairs = given if isinstance(given, (list, tuple)) else [None]
    for pair in pairs:
        good = isinstance(pair, (list, tuple)) and len(pair) == 2
        if not good or not isinstance(pair[0], str) or not _whole(pair[1]):
            raise ValueError(
                "`answers` must be a list of (text, begin) for each question. "
                f"Received: answers[{i}]={str(given)[:60]!r}."
            )
    return pairs


def _whole(number):
    integer = isinstance(number, numbers.Integral)
    return integer and not isinstance(number, bool)


def _misplaced(i, text, begin, question):
    return (
        "`answers` must stand in their contexts where it is said, and be "
        'covered by tokens; misplaced="leave_out" leaves out those that do '
        f"not. Received: answers[{i}] with {text[:40]!r} at {begin}, of the "
        f"question {question[:40]!r}."
    )


def _check_logits(name, logits, windows):
    if hasattr(logits, "shape"):
        logits = keras.ops.convert_to_numpy(logits)
    logits = np.asarray(logits)
    if logits.dtype != "float64":
        logits = logits.astype("float32")
    shape = (len(windows), windows.length)
    if logits.shape != shape:
        raise ValueError(
            f"`{name}` must have the shape (windows, length) = {shape}. "
            f"Received: {logits.shape}."
        )
    if not (logits < np.inf).all():
        raise ValueError(
            f"`{name}` must be numbers, or minus infinity for what cannot be. "
            "Received: NaN or infinity."
        )
    return logits
