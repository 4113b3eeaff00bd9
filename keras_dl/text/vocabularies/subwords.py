"""A vocabulary of subwords: WordPiece, or byte-level byte-pair encoding."""

import json

import keras

from keras_dl.checks import check_choice, check_integer
from keras_dl.text.vocabularies.encoding import encode_all, import_tokenizers
from keras_dl.text.vocabularies.list_tokenizers import refuse_written
from keras_dl.text.vocabularies.token_list import (
    TokenListVocabulary,
    check_special_tokens,
    check_training_texts,
)
from keras_dl.text.vocabularies.vocabulary import check_text

_MODELS = ("wordpiece", "bpe")
_CONTINUES = "##"
# The time that WordPiece needs for a word grows with the cube of its length.
_LONGEST_WORD = 1000


@keras.saving.register_keras_serializable("keras_dl")
class SubwordVocabulary(TokenListVocabulary):
    """Vocabulary whose tokens are frequent words and parts of rarer ones.

    The work is done by the package `tokenizers`; nothing is downloaded.

    | `model`       | cut                          | `decode(encode(text))`    |
    |---------------|------------------------------|---------------------------|
    | `"wordpiece"` | words and punctuation marks, | words and marks, with one |
    |               | each into the longest known  | space between; `[UNK]`    |
    |               | pieces from the left; `##`   | for a word with an        |
    |               | marks those that go on       | unknown character, or of  |
    |               |                              | over 1000 characters      |
    | `"bpe"`       | bytes, joined pair by pair   | the text itself, whatever |
    |               | in the order learnt          | characters it has         |

    Both begin with the smallest pieces and join, again and again, the pair
    that is most frequent in the texts, until `size` tokens are there. The
    tokens of `"bpe"` stand for bytes: `Ġ`, for example, is a space. See
    `Vocabulary` for the special tokens and for what every vocabulary can do.

    Args:
        tokens: Different tokens, without special ones. `"bpe"` needs all 256
            bytes among them to keep its promise; `train` sees to that.
        model: `"wordpiece"` or `"bpe"`.
        merges: Pairs of tokens in the order in which they are joined: for
            `"bpe"`, and for it alone.
        special_tokens: Further special tokens, with the ids from 4 on.
        lowercase: Whether text is put into lower case first; accents stay.

    Raises:
        ValueError: If an argument is not allowed.
        ImportError: If `tokenizers` is not installed.

    Example:

    >>> vocabulary = SubwordVocabulary.train(["low lower slowest"], size=20)
    >>> vocabulary.tokenize("lowest")
    ['low', '##e', '##s', '##t']

    Reference:
        Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words
        with Subword Units", 2016 (joining pairs); Wu et al., "Google's Neural
        Machine Translation System", 2016 (WordPiece); Radford et al.,
        "Language Models are Unsupervised Multitask Learners", 2019 (bytes).
        Where it differs: WordPiece here joins the most frequent pair, not the
        one that makes the texts most likely, and keeps accents in lower case.
    """

    def __init__(
        self,
        tokens,
        model="wordpiece",
        merges=None,
        special_tokens=(),
        lowercase=False,
    ):
        super().__init__(tokens, special_tokens, lowercase)
        self.model = check_choice("model", model, _MODELS)
        self.merges = _check_merges(merges, self)
        self._tokenizer = _tokenizer(model, lowercase, self._ids, self.merges)

    @classmethod
    def train(
        cls,
        texts,
        size=8000,
        min_count=1,
        lowercase=False,
        special_tokens=(),
        model="wordpiece",
    ):
        """Learns the subwords of texts: the same from the same texts.

        Args:
            texts: Strings, in any iterable.
            size: Greatest number of tokens, special ones included. It must
                hold each character, or for `"bpe"` the 256 bytes.
            min_count: How often a pair must be there to be joined.
            lowercase: Whether text is put into lower case first.
            special_tokens: Further special tokens, with the ids from 4 on.
            model: `"wordpiece"` or `"bpe"`.

        Raises:
            ValueError: If there is no text, a number is too small, or a
                special token of `"bpe"` is what a byte is written as.
            ImportError: If `tokenizers` is not installed.
        """
        check_integer("min_count", min_count, minimum=1)
        special = check_special_tokens(special_tokens)
        texts = check_training_texts(texts)
        blank = _tokenizer(
            check_choice("model", model, _MODELS), lowercase, {}, []
        )
        smallest = _smallest(model, blank, texts)
        if model == "bpe":
            _refuse_bytes(special, smallest)
        least = len(special) + len(smallest)
        check_integer("size", size, minimum=least)
        # Named first, the smallest tokens get their ids from us: the trainer
        # would number some of them in an order that differs from run to run.
        named = [*special, *smallest]
        _train(blank, model, texts, size, min_count, named)
        state = _model_state(blank)
        tokens = sorted(state["vocab"], key=state["vocab"].get)
        return cls(
            tokens[len(special) :],
            model,
            state.get("merges"),
            special_tokens,
            lowercase,
        )

    def tokenize(self, text):
        """The subwords of a text; `[UNK]` for what the vocabulary lacks."""
        return [self._tokens[id] for id in self._to_ids(text)]

    def get_config(self):
        """What `from_config` makes an equal vocabulary of."""
        return {
            **super().get_config(),
            "model": self.model,
            "merges": None if self.merges is None else list(self.merges),
        }

    def _to_ids(self, text):
        return self._many_to_ids([check_text("text", text)])[0]

    def _many_to_ids(self, texts):
        return [self._never_special(one.ids) for one in self._encoded(texts)]

    def _with_offsets(self, text):
        return self._many_with_offsets([text])[0]

    def _many_with_offsets(self, texts):
        return [
            (self._never_special(one.ids), one.offsets)
            for one in self._encoded(texts)
        ]

    def _encoded(self, texts):
        return encode_all(self._tokenizer, texts)

    def _never_special(self, ids):
        unknown, first = self.unknown_id, self._num_special
        return [unknown if id < first else id for id in ids]

    def _to_text(self, ids):
        return self._tokenizer.decode(ids, skip_special_tokens=False)

    def _as_tokenizer(self):
        made = import_tokenizers().Tokenizer.from_str(self._tokenizer.to_str())
        for token in self._tokens[: self._num_special]:
            if _is_piece(token, made, self.model):
                raise refuse_written(token)
        return made


def _tokenizer(model, lowercase, ids, merges):
    """The tokenizer that cuts text, and joins tokens."""
    tokenizers = import_tokenizers()
    if model == "bpe":
        pairs = [tuple(pair) for pair in merges or ()]
        made = tokenizers.Tokenizer(tokenizers.models.BPE(ids, pairs))
        if lowercase:
            made.normalizer = tokenizers.normalizers.Lowercase()
        made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
            add_prefix_space=False
        )
        made.decoder = tokenizers.decoders.ByteLevel()
        return made
    made = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(
            ids,
            unk_token="[UNK]",
            continuing_subword_prefix=_CONTINUES,
            max_input_chars_per_word=_LONGEST_WORD,
        )
    )
    made.normalizer = tokenizers.normalizers.BertNormalizer(
        lowercase=bool(lowercase), strip_accents=False
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    made.decoder = tokenizers.decoders.WordPiece(_CONTINUES, cleanup=False)
    return made


def _smallest(model, blank, texts):
    """The tokens that every other is joined from, sorted."""
    if model == "bpe":
        return sorted(type(blank.pre_tokenizer).alphabet())
    first, later = set(), set()
    for text in texts:
        text = blank.normalizer.normalize_str(text)
        for word, _ in blank.pre_tokenizer.pre_tokenize_str(text):
            first.update(word)
            later.update(word[1:])
    return sorted(first) + [_CONTINUES + letter for letter in sorted(later)]


def _refuse_bytes(special, alphabet):
    """No text could have this byte: special tokens never come from text."""
    for token in special:
        if token in alphabet:
            raise ValueError(
                "`special_tokens` must not be single characters that stand for "
                f"bytes. Received: {token!r} among the special tokens."
            )


def _is_piece(token, tokenizer, model):
    """Whether some text is cut into this token."""
    if model == "bpe":
        return token in type(tokenizer.pre_tokenizer).alphabet()
    token = token.removeprefix(_CONTINUES) or token
    if tokenizer.normalizer.normalize_str(token) != token:
        return False
    pieces = tokenizer.pre_tokenizer.pre_tokenize_str(token)
    return [piece for piece, _ in pieces] == [token]


def _train(blank, model, texts, size, min_count, named):
    trainers = import_tokenizers().trainers
    arguments = {
        "vocab_size": size,
        "min_frequency": min_count,
        "special_tokens": named,
        "show_progress": False,
    }
    if model == "bpe":
        trainer = trainers.BpeTrainer(**arguments)
    else:
        trainer = trainers.WordPieceTrainer(
            continuing_subword_prefix=_CONTINUES, **arguments
        )
    blank.train_from_iterator(texts, trainer)


def _model_state(tokenizer):
    return json.loads(tokenizer.to_str())["model"]


def _check_merges(merges, vocabulary):
    """Returns the merges as a list of pairs whose outcome is a token."""
    if vocabulary.model == "wordpiece":
        if merges is not None:
            raise ValueError(
                '`merges` must be None for model="wordpiece". Received: '
                f"{len(merges)} merges."
            )
        return None
    known = set(vocabulary.tokens[len(vocabulary.special_ids) :])
    pairs = [list(pair) for pair in merges or ()]
    for pair in pairs:
        if len(pair) != 2 or not {*pair, "".join(pair)} <= known:
            raise ValueError(
                "`merges` must be pairs of tokens that are in `tokens`, as is "
                f"what they join to, and not special. Received: {pair}."
            )
    return pairs
