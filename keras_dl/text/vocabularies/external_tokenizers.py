"""Tokenizers from elsewhere, as vocabularies."""

import os

import keras
import numpy as np

from keras_dl.checks import check_integer
from keras_dl.text.vocabularies import hugging_face
from keras_dl.text.vocabularies.subwords import import_tokenizers
from keras_dl.text.vocabularies.vocabulary import Vocabulary, check_text

# How tokenizers name these ids, and how they write these tokens.
_ATTRIBUTES = {
    "pad": ("pad_token_id",),
    "unknown": ("unk_token_id", "oov_token_id"),
    "start": ("start_token_id", "bos_token_id", "cls_token_id"),
    "end": ("end_token_id", "eos_token_id", "sep_token_id"),
}
_SPELLINGS = {
    "pad": ("[PAD]", "<pad>", "<|padding|>"),
    "unknown": ("[UNK]", "<unk>"),
    "start": ("[START]", "[BOS]", "<s>", "<bos>", "[CLS]", "<|endoftext|>"),
    "end": ("[END]", "[EOS]", "</s>", "<eos>", "[SEP]", "<|endoftext|>"),
}
_AT_ONCE = 1000  # Number of texts that keras-hub is handed together.
_OTHERS = ("[MASK]", "<mask>", "[CLS]", "[SEP]")
_METHODS = (
    "tokenize",
    "detokenize",
    "vocabulary_size",
    "token_to_id",
    "id_to_token",
)


def as_vocabulary(tokenizer, pad=None, unknown=None, start=None, end=None):
    """The interface of `Vocabulary` for a tokenizer from elsewhere.

    | given                                    | result                        |
    |------------------------------------------|-------------------------------|
    | a `Vocabulary`                           | itself                        |
    | a tokenizer of keras-hub or keras-nlp    | wrapped; one that is set to   |
    |                                          | cut, to fill up or to add     |
    |                                          | tokens itself is refused      |
    | a `tokenizers.Tokenizer`                 | a copy, wrapped; its padding, |
    |                                          | truncation and template of    |
    |                                          | special tokens are left out   |
    | the path of a folder of Hugging Face     | likewise, of its files        |

    A folder holds `tokenizer.json`, or `vocab.txt` (WordPiece), or
    `vocab.json` and `merges.txt` (bytes joined pair by pair). It is checked as
    a whole before anything of it is used, `config.json` included; nothing is
    unpickled or downloaded. What `tokenizer_config.json` says of lower case,
    accents and special tokens holds: ids are those that transformers gives.

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

    Returns:
        A `Vocabulary`.

    Raises:
        TypeError: If `tokenizer` is none of these.
        ValueError: If a special token is not in the tokenizer's vocabulary, if
            some are given with a `Vocabulary`, which has its own, if a
            tokenizer of keras-hub has `sequence_length`, `add_bos`, `add_eos`
            or a dtype of strings, or does not know its size, or if there is no
            such folder, or one whose files are damaged or contradict each
            other.

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
    if isinstance(tokenizer, Vocabulary):
        if any(token is not None for token in special.values()):
            raise ValueError(
                "`pad`, `unknown`, `start` and `end` must be None for a "
                f"Vocabulary, which has its own. Received: {special}."
            )
        return tokenizer
    if isinstance(tokenizer, (str, os.PathLike)):
        return _from_folder(tokenizer, special)
    if all(callable(getattr(tokenizer, name, None)) for name in _METHODS):
        return HubVocabulary(tokenizer, **special)
    theirs = type(tokenizer).__module__.split(".")[0] == "tokenizers"
    if theirs and hasattr(tokenizer, "to_str"):
        return TokenizersVocabulary(tokenizer.to_str(), **special)
    raise TypeError(
        "`tokenizer` must be a keras_dl Vocabulary, a tokenizer of keras-hub "
        "or keras-nlp, a tokenizers.Tokenizer, or the path of a folder. "
        f"Received: {type(tokenizer).__name__}."
    )


class _Wrapped(Vocabulary):
    """A vocabulary that asks a tokenizer."""

    def _find_special_ids(self, tokenizer, special):
        found = {
            name: self._special_id(tokenizer, name, token)
            for name, token in special.items()
        }
        others = [self._find(token) for token in _OTHERS]
        self._set_special_ids(**found, others=others)

    def _special_id(self, tokenizer, name, token):
        if isinstance(token, str):
            return self.token_to_id(token)
        if token is not None:
            return check_integer(name, token, 0, self.size - 1)
        # Some tokenizers fill up with whatever token has the id 0.
        named = name != "pad" or getattr(tokenizer, "pad_token", None)
        for attribute in _ATTRIBUTES[name] if named else ():
            if isinstance(id := getattr(tokenizer, attribute, None), int):
                return id
        ids = map(self._find, _SPELLINGS[name])
        return next((id for id in ids if id is not None), None)

    def _find(self, token):
        return self.token_to_id(token) if token in self else None

    def _missing(self, token):
        return ValueError(
            "`token` must be in the tokenizer's vocabulary. "
            f"Received: token={token!r}."
        )


class HubVocabulary(_Wrapped):
    """A tokenizer of keras-hub, or of its shape: see `as_vocabulary`."""

    def __init__(self, tokenizer, **special):
        _check_settings(tokenizer)
        self._tokenizer = tokenizer
        self._find_special_ids(tokenizer, special)

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


@keras.saving.register_keras_serializable("keras_dl")
class TokenizersVocabulary(_Wrapped):
    """A tokenizer of the package `tokenizers`: see `as_vocabulary`."""

    def __init__(self, state, pad=None, unknown=None, start=None, end=None):
        self._tokenizer = import_tokenizers().Tokenizer.from_str(state)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        # Not the number of tokens: there may be gaps between the ids.
        ids = self._tokenizer.get_vocab(with_added_tokens=True).values()
        self._size = max(ids, default=-1) + 1
        special = {"pad": pad, "unknown": unknown, "start": start, "end": end}
        self._find_special_ids(self._tokenizer, special)

    @property
    def size(self):
        return self._size

    def tokenize(self, text):
        """The tokens of a text."""
        check_text("text", text)
        return self._tokenizer.encode(text, add_special_tokens=False).tokens

    def token_to_id(self, token):
        """The id of a token; ValueError if there is none."""
        id = self._tokenizer.token_to_id(check_text("token", token))
        if id is None:
            raise self._missing(token)
        return id

    def id_to_token(self, id):
        """The token of an id; ValueError if there is none."""
        token = self._tokenizer.id_to_token(self._check_id("id", id))
        if token is None:
            raise ValueError(
                "`id` must be that of a token: the tokenizer's ids have gaps. "
                f"Received: id={id}."
            )
        return token

    def get_config(self):
        """What `from_config` makes an equal vocabulary of."""
        return {
            "state": self._tokenizer.to_str(),
            "pad": self.pad_id,
            "unknown": self.unknown_id,
            "start": self.start_id,
            "end": self.end_id,
        }

    def _to_ids(self, text):
        return self._many_to_ids([text])[0]

    def _many_to_ids(self, texts):
        encoded = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        return [one.ids for one in encoded]

    def _with_offsets(self, text):
        return self._many_with_offsets([text])[0]

    def _many_with_offsets(self, texts):
        encoded = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        return [(one.ids, one.offsets) for one in encoded]

    def _to_text(self, ids):
        for id in set(ids):
            self.id_to_token(id)  # Refuses what `decode` would leave out.
        return self._tokenizer.decode(ids, skip_special_tokens=False)


def _from_folder(path, special):
    folder = hugging_face.Folder(path)
    for use, token in folder.special.items():
        special[use] = token if special[use] is None else special[use]
    vocabulary = TokenizersVocabulary(folder.state, **special)
    folder.check_model(vocabulary)
    return vocabulary


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
