"""Texts with some of their words replaced."""

import re

import numpy as np

from keras_dl.checks import check_integer, check_seed
from keras_dl.text.vocabularies.vocabulary import check_texts

_WORD = re.compile(r"[^\W\d_]+")
# Function words: what stands in their place is grammar, not meaning.
_STOPS = """a an and are as at be been but by can could did do does for from had
has have he her his i if in into is it its may me might must my no not of on or
our shall she should so than that the their them then there these they this
those to us was we were what when where which while who will with would you
your"""
STOP_WORDS = frozenset(_STOPS.split())


class WordReplacement:
    """Texts with words replaced at random: TinyBERT's data augmentation.

    Of each text as many copies are made. In a copy each word that is no stop
    word is replaced with probability `rate`, by one of its candidates, which
    are found once for each text. Copies that are like another one, or like the
    text, are left out; a teacher says what becomes of their labels.

    Args:
        candidates: What may stand in the place of a word:
            `MaskedLMCandidates`, `VectorCandidates`, a list of these, of which
            the first that knows of any decides; or any function
            `candidates(texts, spans)`, where `spans` has, for each text, the
            places `(begin, end)` of its words. It returns a list of words for
            each of them, which may be empty.
        rate: Probability of a word to be replaced, above 0 and at most 1.
        copies: Number of copies of a text.
        stop_words: Words that stay, in lower case.
        seed: Seed of the choices.

    Call arguments:
        texts: Strings.

    Returns:
        A pair `(new, sources)`: the texts with their copies, each text before
        its copies, and an array with the number of the text that each is of.

    Raises:
        TypeError: If `candidates` is something else.
        ValueError: If an argument is not allowed.

    Example: words become `[MASK]`, as in the distillation of BERT into a
    BiLSTM.

    >>> def hidden(texts, spans):
    ...     return [[["[MASK]"] for _ in places] for places in spans]
    >>> augment = WordReplacement(hidden, rate=0.5, copies=3)
    >>> new, sources = augment(["a door opens", "it rains"])
    >>> sources.tolist()
    [0, 0, 1, 1]

    Of labels, where there are any:

    >>> labels = np.array([1, 0])
    >>> labels[sources].tolist()
    [1, 1, 0, 0]

    Reference:
        Jiao et al., "TinyBERT", 2020, appendix A: rate 0.4, 20 copies, 15
        candidates; Tang et al., "Distilling task-specific knowledge from BERT
        into simple neural networks", 2019: rate 0.1. Sentences of a pair are
        replaced each on its own here.
    """

    def __init__(
        self, candidates, rate=0.4, copies=20, stop_words=STOP_WORDS, seed=0
    ):
        several = isinstance(candidates, (list, tuple))
        self.candidates = list(candidates) if several else [candidates]
        if not self.candidates or not all(map(callable, self.candidates)):
            raise TypeError(
                "`candidates` must be a function, or a list of them. Received: "
                f"candidates={candidates!r}."
            )
        if not 0 < rate <= 1:
            raise ValueError(
                "`rate` must be above 0 and at most 1. Received: "
                f"rate={rate!r}."
            )
        self.rate = rate
        self.copies = check_integer("copies", copies, 1)
        self.stop_words = frozenset(stop_words)
        self.seed = check_seed(seed)

    def __call__(self, texts):
        texts = check_texts("texts", texts)
        random = np.random.RandomState(self.seed)
        spans = [self._spans(text) for text in texts]
        new, sources = [], []
        for i, options in enumerate(self._options(texts, spans)):
            found = dict.fromkeys([texts[i]])
            for _ in range(self.copies):
                found[self._copy(texts[i], spans[i], options, random)] = None
            new += found
            sources += [i] * len(found)
        return new, np.array(sources, "int32")

    def _spans(self, text):
        """Where the words stand that may be replaced."""
        return [
            match.span()
            for match in _WORD.finditer(text)
            if match[0].lower() not in self.stop_words
        ]

    def _options(self, texts, spans):
        """For each text, for each of its words: what may stand there."""
        of_all = [candidates(texts, spans) for candidates in self.candidates]
        for i, places in enumerate(spans):
            yield [
                next((found[i][j] for found in of_all if found[i][j]), [])
                for j in range(len(places))
            ]

    def _copy(self, text, spans, options, random):
        parts, end = [], 0
        for (begin, stop), words in zip(spans, options, strict=True):
            replace = random.uniform() < self.rate
            if not words or not replace:
                continue
            parts += [text[end:begin], words[random.randint(len(words))]]
            end = stop
        return "".join([*parts, text[end:]])
