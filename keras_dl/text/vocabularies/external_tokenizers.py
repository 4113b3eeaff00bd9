"""Tokenizers from elsewhere, as vocabularies."""

import os

import keras
import numpy as np

from keras_dl.text.vocabularies import hugging_face
from keras_dl.text.vocabularies.vocabulary import Vocabulary, check_text
from keras_dl.text.vocabularies.wrapped_tokenizers import (
    TokenizersVocabulary,
    WrappedVocabulary,
)

_AT_ONCE = 1000  # Number of texts that keras-hub is handed together.
# Those of keras-hub whose pairs are joined as RoBERTa's.
_ROBERTA = {"RobertaTokenizer", "XLMRobertaTokenizer"}
_METHODS = (
    "tokenize",
    "detokenize",
    "vocabulary_size",
    "token_to_id",
    "id_to_token",
)


def as_vocabulary(
    tokenizer, pad=None, unknown=None, start=None, end=None, mask=None
):
    """The interface of `Vocabulary` for a tokenizer from elsewhere.

    | given                                    | result                        |
    |------------------------------------------|-------------------------------|
    | a `Vocabulary`                           | itself                        |
    | a tokenizer of keras-hub or keras-nlp    | wrapped; one that is set to   |
    |                                          | cut, to fill up or to add     |
    |                                          | tokens itself is refused      |
    | a `tokenizers.Tokenizer`                 | a copy, wrapped; its padding  |
    |                                          | and truncation are left out   |
    | the path of a folder of Hugging Face     | likewise, of its files        |

    A folder holds `tokenizer.json`, or `vocab.txt` (WordPiece), or
    `vocab.json` and `merges.txt` (bytes joined pair by pair). It is checked as
    a whole before anything of it is used, `config.json` included; nothing is
    unpickled or downloaded. What `tokenizer_config.json`,
    `special_tokens_map.json` and `added_tokens.json` say of lower case,
    accents, special and added tokens holds, with the flags of these (`lstrip`,
    `rstrip`, `single_word`, `normalized`): ids are those that transformers
    gives. A `tokenizer_class` whose tokens are others, as those of
    `BertJapaneseTokenizer`, is refused.

    How the texts of a pair are joined is read off the tokenizer's
    post-processor, see `Vocabulary.separators`.

    Special tokens are those that the tokenizer names itself (`pad_token_id`
    and so on), else those of a usual spelling (`[PAD]`, `<pad>`, ...), else
    `None`. Ids are the tokenizer's own, so `pad_id` need not be 0. A
    `pad_token_id` without a `pad_token`, as GPT-2 of keras-hub has it, is no
    special token but an ordinary one: name another by `pad`.

    Args:
        tokenizer: One of the above. Anything with `tokenize`, `detokenize`,
            `vocabulary_size`, `token_to_id` and `id_to_token`, as keras-hub
            has them, is taken for one of keras-hub.
        pad: Token, or id, that fills rows up. `None`: as said above.
        unknown: Likewise, for unknown pieces.
        start: Likewise, for the token before the first one.
        end: Likewise, for the token after the last one.
        mask: Likewise, for the token that hides another.

    Returns:
        A `Vocabulary`.

    Raises:
        TypeError: If `tokenizer` is none of these.
        ValueError: If a special token is not in the tokenizer's vocabulary, if
            some are given with a `Vocabulary`, which has its own, if a
            tokenizer of keras-hub has `sequence_length`, `add_bos`, `add_eos`
            or a dtype of strings, or does not know its size, or if there is no
            such folder, or one whose files are damaged, contradict each
            other, or are those of another kind of tokenizer.

    Example: the folder of a model. A tokenizer of keras-hub is given in its
    place, with the special tokens that it does not name:
    `as_vocabulary(keras_hub.tokenizers.ByteTokenizer(), pad=0, end=3)`.

    >>> os.mkdir("bert")
    >>> with open("bert/vocab.txt", "w") as file:
    ...     for token in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hi"]:
    ...         print(token, file=file)
    >>> vocabulary = as_vocabulary("bert")
    >>> vocabulary.encode("Hi hi ho", end=True)
    [5, 5, 1, 3]
    """
    special = {"pad": pad, "unknown": unknown, "start": start, "end": end}
    special["mask"] = mask
    if isinstance(tokenizer, Vocabulary):
        if any(token is not None for token in special.values()):
            raise ValueError(
                "`pad`, `unknown`, `start`, `end` and `mask` must be None for "
                f"a Vocabulary, which has its own. Received: {special}."
            )
        return tokenizer
    if isinstance(tokenizer, (str, os.PathLike)):
        return _from_folder(tokenizer, special)
    if all(callable(getattr(tokenizer, name, None)) for name in _METHODS):
        return HubVocabulary(tokenizer, **special)
    theirs = type(tokenizer).__module__.split(".")[0] == "tokenizers"
    if theirs and hasattr(tokenizer, "to_str"):
        return TokenizersVocabulary(
            tokenizer.to_str(),
            **special,
            split_special_tokens=_splits_special(tokenizer),
        )
    raise TypeError(
        "`tokenizer` must be a keras_dl Vocabulary, a tokenizer of keras-hub "
        "or keras-nlp, a tokenizers.Tokenizer, or the path of a folder. "
        f"Received: {type(tokenizer).__name__}."
    )


class HubVocabulary(WrappedVocabulary):
    """A tokenizer of keras-hub, or of its shape: see `as_vocabulary`."""

    def __init__(self, tokenizer, **special):
        _check_settings(tokenizer)
        self._tokenizer = tokenizer
        self._find_special_ids(tokenizer, special)
        names = {cls.__name__ for cls in type(tokenizer).__mro__}
        if names & _ROBERTA:
            self.separators, self.has_segments = 2, False

    @property
    def size(self):
        return int(self._tokenizer.vocabulary_size())

    def tokenize(self, text):
        """The tokens of a text."""
        return list(map(self.id_to_token, self._to_ids(text)))

    def token_to_id(self, token):
        """The id of a token; ValueError if there is none."""
        check_text("token", token)
        try:
            id = self._tokenizer.token_to_id(token)
            known = id is not None and self.id_to_token(id) == token
        except (KeyError, TypeError, ValueError):
            known = False
        if not known:
            raise self._missing(token)
        return int(id)

    def id_to_token(self, id):
        """The token of an id; ValueError if there is none."""
        token = self._tokenizer.id_to_token(self._check_id("id", id))
        return _text(token)

    def get_config(self):
        """Refused: such a tokenizer keeps its vocabulary in files of its own.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            "A wrapped tokenizer of keras-hub cannot be saved here. Save it "
            "with its own `save_to_preset`, and wrap it again after loading. "
            f"Received: {type(self._tokenizer).__name__}."
        )

    def _to_ids(self, text):
        return _ids(self._tokenizer.tokenize(check_text("text", text)))

    def _many_to_ids(self, texts):
        rows = []
        for start in range(0, len(texts), _AT_ONCE):
            part = self._tokenizer.tokenize(texts[start : start + _AT_ONCE])
            rows += map(_ids, part)
        return rows

    def _kind(self):
        return f"a {type(self._tokenizer).__name__} of keras-hub"

    def _to_text(self, ids):
        if not ids:
            return ""
        return _text(self._tokenizer.detokenize(np.asarray(ids, "int32")))


def _from_folder(path, special):
    folder = hugging_face.Folder(path)
    for use, token in folder.special.items():
        special[use] = token if special[use] is None else special[use]
    vocabulary = TokenizersVocabulary(
        folder.state,
        **special,
        special_tokens=folder.further,
        split_special_tokens=folder.splits_special,
        has_segments=folder.segments,
    )
    folder.check_model(vocabulary)
    return vocabulary


def _splits_special(tokenizer):
    """The flag of a tokenizer, which its JSON does not hold."""
    inner = getattr(tokenizer, "_tokenizer", tokenizer)  # Of a ready-made one.
    return bool(getattr(inner, "encode_special_tokens", False))


def _check_settings(tokenizer):
    """Refuses tokenizers that would change what `encode` promises."""
    for name in ("sequence_length", "add_bos", "add_eos"):
        if value := getattr(tokenizer, name, None):
            raise ValueError(
                f"`tokenizer` must be made without `{name}`: cutting, filling "
                "up and special tokens are the vocabulary's part. "
                f"Received: {name}={value!r}."
            )
    dtype = str(getattr(tokenizer, "compute_dtype", "int32"))
    if "int" not in dtype:
        raise ValueError(
            "`tokenizer` must give integers, as by dtype='int32'. "
            f"Received: dtype={dtype!r}."
        )
    if tokenizer.vocabulary_size() is None:
        raise ValueError(
            "`tokenizer` must know how many ids it has: give it a "
            "`vocabulary_size`. Received: vocabulary_size=None."
        )


def _ids(row):
    return np.asarray(keras.ops.convert_to_numpy(row)).tolist()


def _text(value):
    """A string from what tokenizers of various versions give."""
    if not isinstance(value, (str, bytes)):
        value = np.asarray(value).reshape(-1)[0]
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
