"""A vocabulary of words."""

import functools
import re
import sys
import unicodedata

import keras

from keras_dl.text.vocabularies import list_tokenizers
from keras_dl.text.vocabularies.token_list import (
    TokenListVocabulary,
    check_training_texts,
    most_frequent,
)
from keras_dl.text.vocabularies.vocabulary import check_text


@keras.saving.register_keras_serializable("keras_dl")
class WordVocabulary(TokenListVocabulary):
    r"""Vocabulary whose tokens are words and punctuation marks.

    A text is cut by a regular expression: by default a word is a run of
    letters with their combining marks, digits and underscores, apostrophes
    inside it included, and each punctuation mark stands alone. Languages that
    write no spaces are cut by another program first: join its words by spaces
    and take `pattern=r"\S+"`.

    `decode` puts one space between tokens: `decode(encode(text))` is
    `" ".join(tokenize(text))`, with `[UNK]` for unknown words. See `Vocabulary`
    for the special tokens and for what every vocabulary can do.

    Args:
        tokens: Different words, without special tokens.
        special_tokens: Further special tokens, with the ids from 4 on.
        lowercase: Whether text is put into lower case first.
        pattern: Regular expression of Python: its matches are the tokens.
            `None`: words and marks as said above.

    Raises:
        ValueError: If a token is there twice, or `pattern` is not allowed.

    Example:

    >>> vocabulary = WordVocabulary.train(["The cat sat.", "The dog."])
    >>> vocabulary.tokens[4:]
    ('.', 'The', 'cat', 'dog', 'sat')
    >>> vocabulary.decode(vocabulary.encode("The cow sat."))
    'The [UNK] sat .'
    """

    def __init__(
        self, tokens, special_tokens=(), lowercase=False, pattern=None
    ):
        super().__init__(tokens, special_tokens, lowercase)
        self.pattern = pattern
        self._regex = _words() if pattern is None else _compile(pattern)

    @classmethod
    def train(
        cls,
        texts,
        size=None,
        min_count=1,
        lowercase=False,
        special_tokens=(),
        pattern=None,
    ):
        r"""Learns the words of texts.

        The most frequent come first; those that are equally frequent, in the
        order of their code points. So the order of the texts does not matter.

        Args:
            texts: Strings, in any iterable.
            size: Greatest number of tokens, special ones included. `None`: all.
            min_count: How often a word must be there to be kept.
            lowercase: Whether text is put into lower case first.
            special_tokens: Further special tokens, with the ids from 4 on.
            pattern: Regular expression of Python: its matches are the tokens.
                `None`: words and marks as said above.

        Raises:
            ValueError: If there is no text, or a number is too small.
        """
        texts = check_training_texts(texts)
        empty = cls([], special_tokens, lowercase, pattern)
        pieces = (piece for text in texts for piece in empty.tokenize(text))
        tokens = most_frequent(pieces, special_tokens, size, min_count)
        return cls(tokens, special_tokens, lowercase, pattern)

    def get_config(self):
        """What `from_config` makes an equal vocabulary of."""
        return {**super().get_config(), "pattern": self.pattern}

    def _cuts(self, cased):
        found = self._regex.finditer(cased)
        return [match.span() for match in found if match.group()]

    def _as_tokenizer(self):
        return list_tokenizers.of_words(
            self, lambda: list_tokenizers.default_words(_marks())
        )

    def _to_text(self, ids):
        return " ".join(self._tokens[id] for id in ids)


@functools.cache
def _words():
    """The default: Python's `\\w` stops at vowel signs and loose accents."""
    word = rf"\w[\w{_marks()}]*"
    return re.compile(rf"{word}(?:['\u2019]{word})*|[^\w\s]")


@functools.cache
def _marks():
    return "".join(
        letter
        for letter in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(letter) in ("Mn", "Mc")
    )


def _compile(pattern):
    try:
        return re.compile(check_text("pattern", pattern))
    except re.error as error:
        raise ValueError(
            "`pattern` must be a regular expression of Python. Received: "
            f"pattern={pattern!r}, {error}."
        ) from error
