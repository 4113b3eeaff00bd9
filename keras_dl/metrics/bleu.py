"""BLEU, with the numbers of sacrebleu."""

import keras

from keras_dl.checks import check_choice, check_integer

_SMOOTH_METHODS = ("exp", "floor", "add-k", "none")


@keras.saving.register_keras_serializable("keras_dl")
class BLEU(keras.metrics.Metric):
    """Corpus BLEU of strings, computed by the package `sacrebleu`.

        100 min(1, exp(1 - r / c)) exp(1 / N sum_{n <= N} log p_n)

    where p_n is the share of the n-grams of the hypotheses that occur in their
    references, no more often than there, c the length of the hypotheses and r
    that of the references closest to them, all of them summed over the corpus.

    The counts are kept, so that many updates give the number that one update
    with all strings would give: it is not a mean over batches. They are exact
    integers outside of any backend, and so the metric is not for `compile`,
    which hands tensors to its metrics: call it from a loop or a callback that
    generates text. Callbacks that monitor what such a one logs need
    `mode="max"`: they know the metrics of `compile` only.

    Needs `pip install "keras_dl[nlp]"`.

    Args:
        tokenize: How sacrebleu splits a string into tokens: `"13a"`, `"intl"`,
            `"zh"`, `"char"`, `"none"` and others. Strings are to be given
            detokenized.
        lowercase: Whether case does not matter.
        smooth_method: What becomes of an n-gram order without a match:
            `"exp"`, `"floor"`, `"add-k"` or `"none"`.
        max_order: The largest n.
        effective_order: Whether orders that the hypotheses are too short for
            are left out: for scores of single sentences.
        name: Name of the metric.
        dtype: Ignored: the counts are integers, the result a Python float.

    Raises:
        ImportError: If sacrebleu is not installed.
        ValueError: If an argument is not allowed.

    Example:

    >>> metric = BLEU()
    >>> metric.update_state(
    ...     references=["the cat sat on the mat", ["a dog", "one dog"]],
    ...     hypotheses=["the cat sat on a mat", "one dog"],
    ... )
    >>> metric.result()
    55.8395
    >>> metric.signature()
    'nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:...'

    Reference:
        Papineni, Roukos, Ward and Zhu, "BLEU: a Method for Automatic
        Evaluation of Machine Translation", ACL 2002. Post, "A Call for Clarity
        in Reporting BLEU Scores", WMT 2018.

    Where it differs from the paper: the paper takes tokens as given and does
    not smooth; `smooth_method="none"` is its formula.
    """

    def __init__(
        self,
        tokenize="13a",
        lowercase=False,
        smooth_method="exp",
        max_order=4,
        effective_order=False,
        name="bleu",
        dtype=None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.tokenize = tokenize
        self.lowercase = bool(lowercase)
        self.smooth_method = smooth_method
        self.max_order = check_integer("max_order", max_order, minimum=1)
        self.effective_order = bool(effective_order)
        check_choice("smooth_method", smooth_method, _SMOOTH_METHODS)
        self._scorer = self._make_scorer(smooth_method)
        # Smoothing would change the counts that are to be summed.
        self._counter = self._make_scorer("none")
        self.reset_state()

    def _make_scorer(self, smooth_method):
        scorer = _sacrebleu().BLEU
        check_choice("tokenize", self.tokenize, tuple(scorer.TOKENIZERS))
        return scorer(
            tokenize=self.tokenize,
            lowercase=self.lowercase,
            smooth_method=smooth_method,
            max_ngram_order=self.max_order,
            effective_order=self.effective_order,
        )

    def update_state(self, references, hypotheses, sample_weight=None):
        """Adds sentences to the corpus.

        Args:
            references: For each sentence a string, or a list of one or more.
            hypotheses: A list of strings.
            sample_weight: Must be `None`.
        """
        if sample_weight is not None:
            raise ValueError(
                "`sample_weight` must be None: BLEU has no weights. "
                f"Received: sample_weight={sample_weight!r}."
            )
        hypotheses = _strings("hypotheses", hypotheses)
        references = _all_references(references, len(hypotheses))
        if not hypotheses:
            return
        # sacrebleu takes the first reference of each sentence, the second...
        most = max(map(len, references))
        padded = [each + [None] * (most - len(each)) for each in references]
        streams = [list(stream) for stream in zip(*padded, strict=True)]
        score = self._counter.corpus_score(hypotheses, streams)
        self._correct = _added(self._correct, score.counts)
        self._total = _added(self._total, score.totals)
        self._lengths = _added(self._lengths, (score.sys_len, score.ref_len))
        self._nums_references.update(map(len, references))

    def result(self):
        """BLEU of the corpus so far, from 0 to 100; 0 if it is empty."""
        return float(
            self._scorer.compute_bleu(
                list(self._correct),
                list(self._total),
                *self._lengths,
                smooth_method=self.smooth_method,
                effective_order=self.effective_order,
                max_ngram_order=self.max_order,
            ).score
        )

    def reset_state(self):
        """Forgets the corpus."""
        self._correct = (0,) * self.max_order
        self._total = (0,) * self.max_order
        self._lengths = (0, 0)
        self._nums_references = set()

    def signature(self):
        """sacrebleu's signature, to be reported beside the number."""
        if not self._nums_references:
            raise ValueError(
                "`signature` names the number of references: call "
                "`update_state` first."
            )
        several = len(self._nums_references) > 1
        number = -1 if several else min(self._nums_references)
        self._scorer.num_refs = number
        return str(self._scorer.get_signature())

    def get_config(self):
        return {
            **super().get_config(),
            "tokenize": self.tokenize,
            "lowercase": self.lowercase,
            "smooth_method": self.smooth_method,
            "max_order": self.max_order,
            "effective_order": self.effective_order,
        }


def _sacrebleu():
    try:
        from sacrebleu import metrics
    except ImportError as error:
        raise ImportError(
            'BLEU needs sacrebleu: pip install "keras_dl[nlp]".'
        ) from error
    return metrics


def _added(sums, counts):
    return tuple(a + int(b) for a, b in zip(sums, counts, strict=True))


def _strings(name, values):
    one = isinstance(values, str) or not hasattr(values, "__iter__")
    values = values if one else list(values)
    if one or not all(isinstance(value, str) for value in values):
        raise ValueError(
            f"`{name}` must be a list of strings. Received: {name}={values!r}."
        )
    return [str(value) for value in values]


def _all_references(references, num_hypotheses):
    """A list of references for each sentence."""
    one = isinstance(references, str) or not hasattr(references, "__iter__")
    references = None if one else list(references)
    if one or len(references) != num_hypotheses:
        raise ValueError(
            "`references` must have as many entries as `hypotheses`: "
            f"{num_hypotheses}. Received: "
            f"{'no list' if one else f'{len(references)} entries'}."
        )
    lists = [
        [str(each)] if isinstance(each, str) else _strings("references", each)
        for each in references
    ]
    if not all(lists):
        raise ValueError(
            "`references` must have at least one string for each hypothesis. "
            f"Received: none for hypothesis {lists.index([])}."
        )
    return lists
