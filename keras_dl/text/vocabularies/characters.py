"""A vocabulary of characters."""

import keras

from keras_dl.text.vocabularies import list_tokenizers
from keras_dl.text.vocabularies.token_list import (
    TokenListVocabulary,
    check_training_texts,
    most_frequent,
)


@keras.saving.register_keras_serializable("keras_dl")
class CharacterVocabulary(TokenListVocabulary):
    """Vocabulary whose tokens are characters (Unicode code points).

    `decode(encode(text)) == text` for every text whose characters are known;
    with `lowercase=True`, for `text.lower()`. See `Vocabulary` for the
    special tokens and for what every vocabulary can do.

    Args:
        tokens: Different characters, without special tokens.
        special_tokens: Further special tokens, with the ids from 4 on.
        lowercase: Whether text is put into lower case first.

    Raises:
        ValueError: If a token is not one character, or is there twice.

    Example:

    >>> vocabulary = CharacterVocabulary.train(["to be or not to be"])
    >>> vocabulary.tokens[4:8]
    (' ', 'o', 't', 'b')
    >>> vocabulary.decode(vocabulary.encode("robot"))
    'robot'
    """

    def __init__(self, tokens, special_tokens=(), lowercase=False):
        super().__init__(tokens, special_tokens, lowercase)
        for token in self.tokens[self._num_special :]:
            if len(token) != 1:
                raise ValueError(
                    "`tokens` must be single characters. "
                    f"Received: {token!r} among the tokens."
                )

    @classmethod
    def train(
        cls, texts, size=None, min_count=1, lowercase=False, special_tokens=()
    ):
        """Learns the characters of texts.

        The most frequent come first; those that are equally frequent, in the
        order of their code points. So the order of the texts does not matter.

        Args:
            texts: Strings, in any iterable.
            size: Greatest number of tokens, special ones included. `None`: all.
            min_count: How often a character must be there to be kept.
            lowercase: Whether text is put into lower case first.
            special_tokens: Further special tokens, with the ids from 4 on.

        Raises:
            ValueError: If there is no text, or a number is too small.
        """
        texts = check_training_texts(texts)
        pieces = "".join(text.lower() if lowercase else text for text in texts)
        tokens = most_frequent(pieces, special_tokens, size, min_count)
        return cls(tokens, special_tokens, lowercase)

    def tokenize(self, text):
        """The characters of a text, known or not."""
        return list(self._cased(text))

    def _cuts(self, cased):
        return [(i, i + 1) for i in range(len(cased))]

    def _as_tokenizer(self):
        return list_tokenizers.of_characters(self)

    def _to_text(self, ids):
        return "".join(self._tokens[id] for id in ids)
