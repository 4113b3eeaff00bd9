"""What every vocabulary can do: text to ids, and ids to text."""

import keras
import numpy as np

from keras_dl.checks import check_integer
from keras_dl.text.files import lone_surrogate
from keras_dl.text.vocabularies import hugging_face_files, vocabulary_file

_SPECIAL = ("pad", "unknown", "start", "end", "mask")
_MASKS = ("[MASK]", "<mask>")


class Vocabulary:
    """Turns text into ids, and ids into text: the interface, and its base.

    `CharacterVocabulary`, `WordVocabulary` and `SubwordVocabulary` are learnt
    from your own texts with `train(texts)`; `as_vocabulary` gives the same
    interface to tokenizers from elsewhere. Everything here is Python and
    NumPy, the same on every backend.

    **Special tokens** come first, with the same ids in each vocabulary of ours:

    | token     | id | attribute    | meaning                              |
    |-----------|----|--------------|--------------------------------------|
    | `[PAD]`   | 0  | `pad_id`     | fills rows up to one length          |
    | `[UNK]`   | 1  | `unknown_id` | a piece that the vocabulary lacks    |
    | `[START]` | 2  | `start_id`   | before the first token               |
    | `[END]`   | 3  | `end_id`     | after the last token                 |

    Text never turns into a special token, even where it reads like one (a
    wrapped tokenizer may have its own mind about that).

    A subclass writes `_to_ids(text)`, `_to_text(ids)`, `tokenize`,
    `token_to_id`, `id_to_token` and `size`, and calls `_set_special_ids`. One
    that knows where in the text its tokens stand writes `_with_offsets(text)`.

    Attributes:
        size: Number of ids; `len(vocabulary)` is the same.
        tokens: Tuple of all tokens, in the order of their ids.
        special_ids: Tuple of the ids of the special tokens.
        pad_id: Id of the padding. In a wrapped tokenizer this and the three
            that follow may be `None`: then what needs them raises ValueError.
        unknown_id: Id of pieces that are not in the vocabulary.
        start_id: Id of the token before the first one.
        end_id: Id of the token after the last one.
        mask_id: Id of the special token that hides another, `[MASK]` or
            `<mask>`; `None` if there is none. Train with
            `special_tokens=["[MASK]"]` to have one.
        separators: Number of end tokens between the texts of a pair: 1, as
            BERT has it, or 2, as a wrapped tokenizer of RoBERTa has it.
        has_segments: Whether the second text of a pair is another segment, as
            it is with BERT, and not with RoBERTa and DistilBERT.

    Example:

    >>> vocabulary = keras_dl.text.WordVocabulary.train(["the cat", "the dog"])
    >>> vocabulary.encode("the bird", end=True)
    [4, 1, 3]
    >>> vocabulary.decode([4, 5, 3, 0])
    'the cat'
    """

    separators = 1
    has_segments = True

    def __len__(self):
        return self.size

    def __contains__(self, token):
        if not isinstance(token, str):
            return False
        try:
            self.token_to_id(token)
        except ValueError:
            return False
        return True

    @property
    def tokens(self):
        return tuple(map(self.id_to_token, range(self.size)))

    @property
    def mask_id(self):
        ids = (self.token_to_id(token) for token in _MASKS if token in self)
        return next((id for id in ids if id in self.special_ids), None)

    def encode(self, text, start=False, end=False):
        """The ids of a text.

        Args:
            text: String.
            start: Whether to put `start_id` before it.
            end: Whether to put `end_id` after it.

        Returns:
            A list of integers.
        """
        first, last = self._ends(start, end)
        return first + self._to_ids(check_text("text", text)) + last

    def encode_with_offsets(self, text):
        """The ids of a text, and where in the text their tokens stand.

        Token `i` is made of the characters `text[begin:end]`, where
        `begin, end = offsets[i]`. Positions are those of the text as it is
        given, also where it is put into lower case and grows by that. Neither
        begins nor ends go back, but two tokens may share a character: those
        that stand for parts of it, such as its bytes. Characters between two
        tokens are those that no token stands for, such as spaces; in a
        byte-level vocabulary a space belongs to the token of the word after
        it. An unknown token spans the piece of text that is not known.

        Args:
            text: String.

        Returns:
            A pair `(ids, offsets)`: the ids that `encode(text)` gives, and as
            many pairs of integers.

        Raises:
            ValueError: If the vocabulary cannot tell, as those wrapped around
                a tokenizer of keras-hub.

        Example:

        >>> words = keras_dl.text.WordVocabulary.train(["the cat", "the dog"])
        >>> words.encode_with_offsets("the red cat")
        ([4, 1, 5], [(0, 3), (4, 7), (8, 11)])
        """
        return self._with_offsets(check_text("text", text))

    def decode(self, ids, skip_special=True):
        """The text of ids, up to the first end token.

        Args:
            ids: Integers in one dimension: a list, an array or a tensor.
            skip_special: Whether to leave out special tokens. Unknown pieces
                stay visible, as `[UNK]`, or as a wrapped tokenizer writes them
                (those of SentencePiece: as " ⁇ ").

        Returns:
            A string.

        Raises:
            ValueError: If an id is not in the vocabulary.
        """
        ids = self._check_ids("ids", ids)
        # Where start and end are one token, the first is the start.
        both = self.end_id == self.start_id and ids[:1] == [self.end_id]
        if self.end_id in ids[both:]:
            ids = ids[: ids.index(self.end_id, both) + 1]
        if skip_special:
            left_out = set(self.special_ids) - {self.unknown_id}
            ids = [i for i in ids if i not in left_out]
        return self._to_text(ids)

    def pad(self, sequences, length=None, truncate="end"):
        """Sequences of ids as one array, filled up with `pad_id`.

        Args:
            sequences: List of sequences of integers.
            length: Number of columns. `None`: as the longest sequence has.
            truncate: What befalls a sequence that is longer than `length`:
                `"end"` cuts its end off, `"error"` raises ValueError.

        Returns:
            An `int32` array of shape `(len(sequences), length)`.
        """
        rows = [self._check_ids("sequences", row) for row in sequences]
        longest = max(map(len, rows), default=0)
        if length is None:
            length = longest
        else:
            check_integer("length", length, minimum=1)
        _check_truncate(truncate, length, longest)
        padded = np.full((len(rows), length), self.special_id("pad"), "int32")
        for target, row in zip(padded, rows, strict=True):
            target[: len(row)] = row[:length]
        return padded

    def encode_batch(
        self, texts, length=None, start=False, end=False, truncate="end"
    ):
        """The ids of several texts as one array, filled up with `pad_id`.

        Args:
            texts: Strings.
            length: Number of columns. `None`: as the longest text needs.
            start: Whether each row begins with `start_id`.
            end: Whether each text is followed by `end_id`. A text that is cut
                gives way to it: the end token is always there.
            truncate: `"end"` cuts texts that are too long, `"error"` raises
                ValueError.

        Returns:
            An `int32` array of shape `(len(texts), length)`.
        """
        first, last = self._ends(start, end)
        ends = len(first) + len(last)
        rows = self._many_to_ids(check_texts("texts", texts))
        if length is not None:
            check_integer("length", length, minimum=1 + ends)
            longest = ends + max(map(len, rows), default=0)
            _check_truncate(truncate, length, longest)
            rows = [row[: length - ends] for row in rows]
        return self.pad([first + row + last for row in rows], length, truncate)

    def decode_batch(self, ids, skip_special=True):
        """The texts of several rows of ids: see `decode`.

        Args:
            ids: Rows of integers: a list, an array or a tensor.
            skip_special: Whether to leave out special tokens.

        Returns:
            A list of strings.
        """
        if hasattr(ids, "shape"):
            ids = keras.ops.convert_to_numpy(ids)
        if not np.iterable(ids):
            raise ValueError(f"`ids` must be rows of ids. Received: {ids!r}.")
        return [self.decode(row, skip_special) for row in ids]

    def special_id(self, name):
        """The id of a special token by what it is for.

        Args:
            name: `"pad"`, `"unknown"`, `"start"`, `"end"` or `"mask"`.

        Returns:
            An integer.

        Raises:
            ValueError: If `name` is none of these, or if there is no such
                token.
        """
        if name not in _SPECIAL:
            raise ValueError(
                f"`name` must be one of {_SPECIAL}; other tokens are found "
                f"by `token_to_id`. Received: name={name!r}."
            )
        id = getattr(self, f"{name}_id")
        if id is None:
            remedy = (
                "Name one: `as_vocabulary(tokenizer, mask=...)`, or train with "
                'special_tokens=["[MASK]"]'
                if name == "mask"
                else f"Name one: `as_vocabulary(tokenizer, {name}=...)`"
            )
            raise ValueError(
                f"This needs a token for {name!r}, and the vocabulary has "
                f"none. {remedy}. Received: {name}_id=None."
            )
        return id

    def tokenize(self, text):
        """The tokens that a text falls into, as strings."""
        raise NotImplementedError

    def token_to_id(self, token):
        """The id of a token; ValueError if there is none."""
        raise NotImplementedError

    def id_to_token(self, id):
        """The token of an id; ValueError if there is none."""
        raise NotImplementedError

    def save(self, path):
        """Writes the vocabulary to one JSON file.

        The file takes its name only when it is complete.

        Args:
            path: Name of the file.
        """
        vocabulary_file.write(self, path)

    @classmethod
    def load(cls, path):
        """Reads a vocabulary that `save` wrote.

        Args:
            path: Name of the file.

        Returns:
            A vocabulary of the class that was saved.

        Raises:
            ValueError: If the file is damaged, or holds something else, or a
                vocabulary of another class than the one asked for.
        """
        return vocabulary_file.read(cls, path)

    def to_hugging_face(
        self, folder, separators=None, segments=None, max_length=None
    ):
        """Writes `tokenizer.json`, `tokenizer_config.json` and
        `special_tokens_map.json`, as Hugging Face's models have them.

        The packages transformers (`AutoTokenizer`) and tokenizers
        (`Tokenizer.from_file`) read them, and give the ids that `encode`
        gives; so does `as_vocabulary(folder)`, with the same offsets and
        special tokens. `start` and `end` become `cls_token` and `bos_token`,
        `sep_token` and `eos_token`. Text does not turn into special tokens
        there either (`split_special_tokens`; the file that tokenizers reads
        has no such switch, so special tokens are not in it, but those that
        are no tokens of its model).

        Args:
            folder: Path of a folder, which is made if there is none.
            separators: Number of end tokens between the texts of a pair.
                `None`: the vocabulary's.
            segments: Whether the second text of a pair is another segment.
                `None`: likewise.
            max_length: Number of tokens that the model reads at most.
                `None`: the files do not say.

        Raises:
            ValueError: If these files cannot say how the vocabulary cuts
                text: a wrapped tokenizer of keras-hub, a pattern with
                constructs that tokenizers reads otherwise, special tokens
                that stand for pieces of text, or of which a wrapped tokenizer
                finds some in a text, and not all.
            ImportError: If `tokenizers` is not installed.

        Example:

        >>> words = keras_dl.text.WordVocabulary(["the", "cat"])
        >>> words.to_hugging_face("my-words")
        >>> again = keras_dl.text.as_vocabulary("my-words")
        >>> again.encode("the cow", end=True), again.end_id
        ([4, 1, 3], 3)
        """
        files = hugging_face_files.tokenizer_files(
            self, separators, segments, max_length
        )
        hugging_face_files.write(folder, files)

    def get_config(self):
        """What `from_config` makes an equal vocabulary of."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config):
        """A vocabulary from what `get_config` gave."""
        return cls(**config)

    def _to_ids(self, text):
        raise NotImplementedError

    def _to_text(self, ids):
        raise NotImplementedError

    def _with_offsets(self, text):
        raise ValueError(
            "This needs a vocabulary that knows where in a text its tokens "
            "stand: a vocabulary of keras_dl.text, or `as_vocabulary` of a "
            f"tokenizers.Tokenizer. Received: {self._kind()}."
        )

    def _as_tokenizer(self):
        """A `tokenizers.Tokenizer` that gives the same ids and offsets."""
        raise ValueError(
            "Hugging Face's files hold vocabularies of keras_dl.text, and "
            f"tokenizers of the package tokenizers. Received: {self._kind()}."
        )

    def _kind(self):
        return type(self).__name__

    def _many_to_ids(self, texts):
        return list(map(self._to_ids, texts))

    def _many_with_offsets(self, texts):
        return list(map(self._with_offsets, texts))

    def _set_special_ids(self, pad, unknown, start, end, others=()):
        self.pad_id = pad
        self.unknown_id = unknown
        self.start_id = start
        self.end_id = end
        ids = {pad, unknown, start, end, *others} - {None}
        self.special_ids = tuple(sorted(ids))

    def _ends(self, start, end):
        first = [self.special_id("start")] if start else []
        return first, [self.special_id("end")] if end else []

    def _check_id(self, name, id):
        return check_integer(name, id, minimum=0, maximum=self.size - 1)

    def _check_ids(self, name, ids):
        """Returns ids in one dimension as a list of allowed integers."""
        if hasattr(ids, "shape"):
            ids = keras.ops.convert_to_numpy(ids)
        if np.iterable(ids) and len(ids) == 0:
            return []
        try:
            array = np.asarray(ids)
        except ValueError:  # Rows of several lengths.
            array = np.asarray(None)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise ValueError(
                f"`{name}` must hold integers, each sequence in one dimension. "
                f"Received: {str(ids)[:60]}."
            )
        wrong = array[(array < 0) | (array >= self.size)]
        if wrong.size:
            raise ValueError(
                f"`{name}` must hold ids from 0 to {self.size - 1}, those of "
                f"the vocabulary. Received: {wrong[0]}."
            )
        return array.tolist()


def check_text(name, text):
    """Returns `text` if it is a string of whole characters."""
    if not isinstance(text, str):
        raise TypeError(f"`{name}` must be a string. Received: {text!r}.")
    if half := lone_surrogate(text):
        raise ValueError(
            f"`{name}` must be a string of whole characters. Received: {half}."
        )
    return text


def check_texts(name, texts):
    """Returns `texts` as a list of strings; one string alone is refused."""
    if isinstance(texts, (str, bytes)) or not np.iterable(texts):
        raise TypeError(
            f"`{name}` must be several strings, such as a list of them. "
            f"Received: {str(texts)[:40]!r}."
        )
    return [check_text(f"{name}[{i}]", text) for i, text in enumerate(texts)]


def _check_truncate(truncate, length, longest):
    if truncate not in ("end", "error"):
        raise ValueError(
            '`truncate` must be "end" or "error". '
            f"Received: truncate={truncate!r}."
        )
    if truncate == "error" and longest > length:
        raise ValueError(
            f"`length` must be at least {longest}, which the longest sequence "
            f'needs, or `truncate` must be "end". Received: length={length}.'
        )
