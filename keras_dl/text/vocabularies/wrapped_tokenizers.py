"""Tokenizers of the package `tokenizers`, as vocabularies."""

import keras

from keras_dl.checks import check_integer
from keras_dl.text.vocabularies import pair_layout
from keras_dl.text.vocabularies.encoding import encode_all, import_tokenizers
from keras_dl.text.vocabularies.vocabulary import Vocabulary, check_text

# How tokenizers name these ids, and how they write these tokens.
_ATTRIBUTES = {
    "pad": ("pad_token_id",),
    "unknown": ("unk_token_id", "oov_token_id"),
    "start": ("start_token_id", "bos_token_id", "cls_token_id"),
    "end": ("end_token_id", "eos_token_id", "sep_token_id"),
    "mask": ("mask_token_id",),
}
_SPELLINGS = {
    "pad": ("[PAD]", "<pad>", "<|padding|>"),
    "unknown": ("[UNK]", "<unk>"),
    "start": ("[START]", "[BOS]", "<s>", "<bos>", "[CLS]", "<|endoftext|>"),
    "end": ("[END]", "[EOS]", "</s>", "<eos>", "[SEP]", "<|endoftext|>"),
    "mask": ("[MASK]", "<mask>"),
}
_OTHERS = ("[MASK]", "<mask>", "[CLS]", "[SEP]")


class WrappedVocabulary(Vocabulary):
    """A vocabulary that asks a tokenizer."""

    @property
    def mask_id(self):
        return self._mask_id

    def _find_special_ids(self, tokenizer, special, further=None):
        """Finds special tokens; further ones by how they are spelled."""
        found = {
            name: self._special_id(tokenizer, name, token)
            for name, token in special.items()
        }
        self._mask_id = found.pop("mask")
        if further is None:
            others = [self._find(token) for token in _OTHERS]
        else:
            others = [self.token_to_id(token) for token in further]
        self._set_special_ids(**found, others=[self._mask_id, *others])

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


@keras.saving.register_keras_serializable("keras_dl")
class TokenizersVocabulary(WrappedVocabulary):
    """A tokenizer of the package `tokenizers`: see `as_vocabulary`.

    Args:
        state: The tokenizer as JSON.
        pad: Token, or id, that fills rows up. `None`: one of a usual spelling.
        unknown: Likewise, for unknown pieces.
        start: Likewise, for the token before the first one.
        end: Likewise, for the token after the last one.
        mask: Likewise, for the token that hides another.
        special_tokens: All further special tokens. `None`: those of a usual
            spelling.
        split_special_tokens: Whether special tokens in a text are cut as text
            is, so that no text turns into one.
        separators: Number of end tokens between the texts of a pair. `None`:
            as the tokenizer's post-processor has it.
        has_segments: Whether the second text of a pair is another segment.
            `None`: likewise.
    """

    def __init__(
        self,
        state,
        pad=None,
        unknown=None,
        start=None,
        end=None,
        mask=None,
        special_tokens=None,
        split_special_tokens=False,
        separators=None,
        has_segments=None,
    ):
        self._tokenizer = import_tokenizers().Tokenizer.from_str(state)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = bool(split_special_tokens)
        # Not the number of tokens: there may be gaps between the ids.
        ids = self._tokenizer.get_vocab(with_added_tokens=True).values()
        self._size = max(ids, default=-1) + 1
        added = self._tokenizer.get_added_tokens_decoder()
        # Added tokens as they are named, not as they are found in lower case.
        self._added = {id: token.content for id, token in added.items()}
        special = {"pad": pad, "unknown": unknown, "start": start, "end": end}
        self._further = special_tokens
        self._find_special_ids(
            self._tokenizer, {**special, "mask": mask}, special_tokens
        )
        self._set_layout(separators, has_segments)

    def _set_layout(self, separators, has_segments):
        end = None if self.end_id is None else self.id_to_token(self.end_id)
        theirs = pair_layout.pair_layout(self._tokenizer, end)
        self.separators = theirs[0] if separators is None else separators
        self.has_segments = theirs[1] if has_segments is None else has_segments

    @property
    def size(self):
        return self._size

    def tokenize(self, text):
        """The tokens of a text."""
        check_text("text", text)
        return encode_all(self._tokenizer, [text])[0].tokens

    def token_to_id(self, token):
        """The id of a token; ValueError if there is none."""
        id = self._tokenizer.token_to_id(check_text("token", token))
        if id is None:
            raise self._missing(token)
        return id

    def id_to_token(self, id):
        """The token of an id; ValueError if there is none."""
        self._check_id("id", id)
        token = self._added.get(id) or self._tokenizer.id_to_token(id)
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
            "mask": self.mask_id,
            "special_tokens": self._further,
            "split_special_tokens": self._tokenizer.encode_special_tokens,
            "separators": self.separators,
            "has_segments": self.has_segments,
        }

    def _as_tokenizer(self):
        made = import_tokenizers().Tokenizer.from_str(self._tokenizer.to_str())
        made.encode_special_tokens = self._tokenizer.encode_special_tokens
        return made

    def _to_ids(self, text):
        return self._many_to_ids([text])[0]

    def _many_to_ids(self, texts):
        return [one.ids for one in encode_all(self._tokenizer, texts)]

    def _with_offsets(self, text):
        return self._many_with_offsets([text])[0]

    def _many_with_offsets(self, texts):
        encoded = encode_all(self._tokenizer, texts)
        return [(one.ids, one.offsets) for one in encoded]

    def _to_text(self, ids):
        for id in set(ids):
            self.id_to_token(id)  # Refuses what `decode` would leave out.
        return self._tokenizer.decode(ids, skip_special_tokens=False)
