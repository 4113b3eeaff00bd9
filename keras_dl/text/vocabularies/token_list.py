"""Vocabularies that are a list of tokens."""

import collections

from keras_dl.checks import check_integer
from keras_dl.text.vocabularies.vocabulary import (
    Vocabulary,
    check_text,
    check_texts,
)

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[START]", "[END]")


class TokenListVocabulary(Vocabulary):
    """Base of the vocabularies that know their tokens by a list.

    Args:
        tokens: Tokens without the special ones: token `i` gets the id
            `num_special + i`.
        special_tokens: Further special tokens, with the ids from 4 on.
        lowercase: Whether text is put into lower case first.

    A subclass writes `_cuts(cased)`: where the tokens of a text stand that is
    already in lower case, if it shall be.
    """

    def __init__(self, tokens, special_tokens=(), lowercase=False):
        special = check_special_tokens(special_tokens)
        tokens = check_texts("tokens", tokens)
        _check_distinct(tokens, special)
        self.lowercase = bool(lowercase)
        self._tokens = (*special, *tokens)
        self._ids = {token: id for id, token in enumerate(self._tokens)}
        self._num_special = len(special)
        self._set_special_ids(0, 1, 2, 3, range(len(special)))

    @property
    def size(self):
        return len(self._tokens)

    @property
    def tokens(self):
        return self._tokens

    def token_to_id(self, token):
        """The id of a token.

        Args:
            token: String.

        Raises:
            ValueError: If it is not in the vocabulary.
        """
        if check_text("token", token) not in self._ids:
            raise ValueError(
                f"`token` must be in the vocabulary, whose special tokens are "
                f"{self._tokens[: self._num_special]}. Received: "
                f"token={token!r}."
            )
        return self._ids[token]

    def id_to_token(self, id):
        """The token of an id.

        Args:
            id: Integer.

        Raises:
            ValueError: If it is not in the vocabulary.
        """
        return self._tokens[self._check_id("id", id)]

    def get_config(self):
        """What `from_config` makes an equal vocabulary of."""
        return {
            "tokens": list(self._tokens[self._num_special :]),
            "special_tokens": list(
                self._tokens[len(SPECIAL_TOKENS) : self._num_special]
            ),
            "lowercase": self.lowercase,
        }

    def tokenize(self, text):
        """The tokens that a text falls into, known or not."""
        cased = self._cased(text)
        return [cased[begin:end] for begin, end in self._cuts(cased)]

    def _cuts(self, cased):
        raise NotImplementedError

    def _to_ids(self, text):
        return self._known(self.tokenize(text))

    def _with_offsets(self, text):
        cased = self._cased(text)
        cuts = self._cuts(cased)
        ids = self._known([cased[begin:end] for begin, end in cuts])
        if len(cased) > len(text):  # Some characters grow in lower case.
            origin = _origins(text)
            cuts = [(origin[b], origin[e - 1] + 1) for b, e in cuts]
        return ids, cuts

    def _known(self, pieces):
        unknown, first = self.unknown_id, self._num_special
        ids = map(self._ids.get, pieces)
        return [unknown if i is None or i < first else i for i in ids]

    def _cased(self, text):
        text = check_text("text", text)
        return text.lower() if self.lowercase else text


def _origins(text):
    """For each character of the lower case, whose lower case it is."""
    return [i for i, one in enumerate(text) for _ in one.lower()]


def check_special_tokens(special_tokens):
    """Returns all special tokens: the four fixed ones, and these."""
    tokens = (*SPECIAL_TOKENS, *check_texts("special_tokens", special_tokens))
    twice = _first_repeated(tokens)
    if twice is not None or "" in tokens:
        raise ValueError(
            "`special_tokens` must be different strings, without "
            f"{SPECIAL_TOKENS}, which are always there. Received: "
            f"special_tokens={special_tokens!r}."
        )
    return tokens


def check_training_texts(texts):
    """Returns `texts` as a list that holds some text."""
    texts = check_texts("texts", texts)
    if not any(text.strip() for text in texts):
        raise ValueError(
            "`texts` must hold some text to learn from. Received: "
            f"{len(texts)} texts without any."
        )
    return texts


def most_frequent(pieces, special_tokens, size, min_count):
    """The tokens to keep: those of the highest count, ties by code points."""
    check_integer("min_count", min_count, minimum=1)
    special = check_special_tokens(special_tokens)
    if size is not None:
        check_integer("size", size, minimum=len(special) + 1)
    counts = collections.Counter(pieces)
    kept = [
        piece
        for piece, count in counts.items()
        if count >= min_count and piece not in special
    ]
    kept.sort(key=lambda piece: (-counts[piece], piece))
    return kept if size is None else kept[: size - len(special)]


def _check_distinct(tokens, special):
    twice = _first_repeated((*special, *tokens))
    if twice in special:
        raise ValueError(
            "`tokens` must not hold special tokens: they are put before "
            f"them. Received: {twice!r} among the tokens."
        )
    if twice is not None or "" in tokens:
        raise ValueError(
            "`tokens` must be different strings, none of them empty. "
            f"Received: {twice or ''!r}"
            f"{'.' if twice is None else ' more than once.'}"
        )


def _first_repeated(items):
    seen = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None
