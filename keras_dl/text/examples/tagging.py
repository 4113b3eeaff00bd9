"""Sentences whose words have a tag each, such as the kind of a name."""

import keras
import numpy as np

from keras_dl.checks import check_choice, check_integer
from keras_dl.text.examples.windows import shows_most
from keras_dl.text.vocabularies.external_tokenizers import as_vocabulary
from keras_dl.text.vocabularies.vocabulary import check_texts

NO_TARGET = -1


class TaggedWords:
    """Words with a tag each, as rows of tokens with a target each.

        row       [CLS]  Jo   ##han  ##son  lives  in  [SEP]  [PAD]
        tags        -1   B-PER  -1     -1     O    O     -1     -1

    The first token of a word carries the tag of the word; all others have
    the target -1, which is none. `[CLS]` and `[SEP]` are the start and end
    tokens of the vocabulary.

    **Spaces.** Words are encoded one by one. Where a space belongs to the
    token of the word after it, as in byte-level byte-pair encoding, all but
    the first word are encoded with a space before them, so that a row has the
    tokens of the words joined by spaces. A space that is a token by itself, as
    in a `CharacterVocabulary`, carries no tag: the token after it does.

    **Words without a tag.** A word that gives no token, such as one of
    control characters, is not in the row; nor are words that are cut off.
    `words_of` says what it is told to of these.

    **Windows.** A sentence or text that is too long for a row is cut, by
    `truncate="windows"`, into several that overlap; each holds whole words, as
    many as fit in, and the next begins with the first word that stands at
    least `stride` tokens further on. Each word has its target, and gets its
    tag, in one row: the one that shows most of what surrounds its first token.
    With `l` tokens on the left and `r` on the right in a window of `n`, that is
    the one with the largest `min(l, r) + 0.01 n`, or the first of such, as in
    `SpanWindows`. So training counts no word twice, and `words_of` says one tag
    of each, over all windows. (A metric in `fit` takes rows one by one: an
    entity that is spread over two of them is two to `EntityF1`.) Of a word
    that is longer than a row, what does not fit in is cut off.

    Args:
        sentences: Lists of words.
        tags: For each sentence, a list with the name of each word's tag.
            `None`, for texts to be tagged: all targets are -1.
        vocabulary: `Vocabulary`, or what `as_vocabulary` takes.
        length: Number of tokens in a row.
        tag_names: Names of the tags: the target is the index in it. `None`:
            those in `tags`, sorted. Texts to test with need those of the
            texts to train with.
        truncate: What befalls a sentence that is too long: `"error"` raises
            ValueError, `"end"` leaves out the words from the first that does
            not fit as a whole, `"windows"` makes several rows of it.
        stride: Number of tokens from the begin of a window to the next, at
            least. `None`: half of what a row holds.

    Attributes:
        token_ids: `int32`, `(rows, length)`: a row for each sentence, or for
            each window.
        tags: `int32`, `(rows, length)`: indices in `tag_names`, or -1.
        inputs: `{"token_ids": token_ids}`.
        sentence_numbers: `(rows,)`: index of each row's sentence.
        tag_names: Tuple of strings.
        num_cut: Number of words that were cut off.

    Raises:
        ValueError: If sentences and tags are not aligned, a tag is not in
            `tag_names`, or a sentence is too long.

    Example:

    >>> words = keras_dl.text.WordVocabulary(["in", "lives", "London"])
    >>> tagged = TaggedWords(
    ...     [["Jo", "lives", "in", "London"]],
    ...     [["B-PER", "O", "O", "B-LOC"]],
    ...     words,
    ...     length=7,
    ... )
    >>> tagged.tag_names
    ('B-LOC', 'B-PER', 'O')
    >>> tagged.tags
    array([[-1,  1,  2,  2,  0, -1, -1]], dtype=int32)
    >>> tagged.words_of(tagged.tags.clip(0))
    [['B-PER', 'O', 'O', 'B-LOC']]
    >>> batches = keras_dl.datasets.Batches(tagged.inputs, tagged.tags)

    Reference:
        Devlin et al., "BERT", 2019, on CoNLL-2003.
    """

    def __init__(
        self,
        sentences,
        tags,
        vocabulary,
        length,
        tag_names=None,
        truncate="error",
        stride=None,
    ):
        self.vocabulary = as_vocabulary(vocabulary)
        self.length = check_integer("length", length, minimum=3)
        check_choice("truncate", truncate, ("error", "end", "windows"))
        stride = _check_stride(stride, self.length, truncate)
        sentences = _check_lists("sentences", sentences)
        if tags is not None:
            tags = _check_lists("tags", tags)
            _check_aligned(sentences, tags)
        self.tag_names = _check_names(tag_names, tags)
        self._num_words = list(map(len, sentences))
        self._fill(self._cut(sentences, truncate, stride))
        self.tags = self._targets(tags)

    def __len__(self):
        return len(self.token_ids)

    @property
    def inputs(self):
        return {"token_ids": self.token_ids}

    def words_of(self, predicted, missing="O"):
        """The tags of all words, from predictions for all tokens.

        Args:
            predicted: Of all rows, in order: indices of tags,
                `(rows, length)`, or logits or probabilities,
                `(rows, length, len(tag_names))`.
            missing: What words get that are not in the row: those that were
                cut off, and those without a token.

        Returns:
            A list for each sentence, with a name for each of its words.

        Raises:
            ValueError: If `predicted` has another shape, or an index is not
                that of a tag.
        """
        ids = self._check_predicted(predicted)
        found = [[missing] * number for number in self._num_words]
        at = self._places
        for sentence, word, id in zip(
            at[:, 0].tolist(),
            at[:, 1].tolist(),
            ids[at[:, 2], at[:, 3]].tolist(),
            strict=True,
        ):
            found[sentence][word] = self.tag_names[id]
        return found

    def _cut(self, sentences, truncate, stride):
        """Of each row the sentence, the first word, pieces, and own tokens."""
        room, self.num_cut = self.length - 2, 0
        rows = []
        for number, pieces in enumerate(_pieces(self.vocabulary, sentences)):
            needed = 2 + sum(len(ids) for _, ids in pieces)
            if needed <= self.length:
                rows.append((number, 0, pieces, None))
            elif truncate == "error":
                raise ValueError(_too_long(number, needed, sentences, self))
            elif truncate == "windows":
                pieces = [(skipped, ids[:room]) for skipped, ids in pieces]
                rows += _windows_of(number, pieces, room, stride)
            else:
                starts = _starts(pieces)
                kept = int(np.searchsorted(starts, room, side="right")) - 1
                rows.append((number, 0, pieces[:kept], None))
                self.num_cut += len(pieces) - kept
        return rows

    def _fill(self, rows):
        """Writes the rows, and notes where the words' first tokens stand."""
        names = ("pad", "start", "end")
        pad, start, end = map(self.vocabulary.special_id, names)
        self.token_ids = np.full((len(rows), self.length), pad, "int32")
        self.sentence_numbers = np.array([row[0] for row in rows], "int64")
        places = []
        for row, (sentence, first, pieces, own) in enumerate(rows):
            written = [start]
            for word, (skipped, ids) in enumerate(pieces, first):
                column = len(written) + skipped
                if ids and (own is None or own[column - 1]):
                    places.append((sentence, word, row, column))
                written += ids
            written.append(end)
            self.token_ids[row, : len(written)] = written
        self._places = np.reshape(np.asarray(places, "int64"), (-1, 4))

    def _targets(self, tags):
        targets = np.full(self.token_ids.shape, NO_TARGET, "int32")
        if tags is not None:
            sentence, word, row, column = self._places.T
            starts = np.cumsum([0, *self._num_words])
            index = {name: id for id, name in enumerate(self.tag_names)}
            flat = [index[name] for names in tags for name in names]
            flat = np.asarray(flat, "int32")
            targets[row, column] = flat[starts[sentence] + word]
        return targets

    def _check_predicted(self, predicted):
        if hasattr(predicted, "shape"):
            predicted = keras.ops.convert_to_numpy(predicted)
        array, number = np.asarray(predicted), len(self.tag_names)
        if array.shape == (*self.token_ids.shape, number):
            array = array.argmax(axis=-1)
        shape = self.token_ids.shape
        if array.shape != shape or array.dtype.kind not in "iu":
            raise ValueError(
                f"`predicted` must be indices of the shape {shape}, or logits "
                f"of the shape {(*shape, number)}. Received: shape "
                f"{array.shape}, dtype {array.dtype}."
            )
        chosen = array[self._places[:, 2], self._places[:, 3]]
        wrong = chosen[(chosen < 0) | (chosen >= number)]
        if wrong.size:
            raise ValueError(
                f"`predicted` must be indices from 0 to {number - 1}. "
                f"Received: {wrong[0]}."
            )
        return array


def _pieces(vocabulary, sentences):
    """For each word, how many of its ids are the space before it; its ids."""
    encode = vocabulary.encode
    spaced = encode("a b") != encode("a") + encode("b")
    space = encode(" ") if spaced else []
    rows = [
        [" " * (spaced and i > 0) + word for i, word in enumerate(words)]
        for words in sentences
    ]
    texts = list({text: None for row in rows for text in row})
    known = {}
    for text, ids in zip(texts, vocabulary._many_to_ids(texts), strict=True):
        alone = text[:1] == " " and ids[: len(space)] == space != ids
        known[text] = len(space) * alone, ids if text.strip(" ") else []
    return [[known[text] for text in row] for row in rows]


def _starts(pieces):
    """For each word, and behind the last, the number of tokens before it."""
    return np.cumsum([0, *(len(ids) for _, ids in pieces)])


def _windows_of(number, pieces, room, stride):
    """The rows of a sentence that is cut into windows."""
    starts = _starts(pieces)
    words = np.array(list(_windows(starts, room, stride)))
    begins, ends = starts[words].T
    most = shows_most(begins, ends - begins)
    for (first, last), own, begin, end in zip(
        words.tolist(), most, begins, ends, strict=True
    ):
        yield number, first, pieces[first:last], own[begin:end]


def _windows(starts, room, stride):
    """The first word of each window, and the word behind its last."""
    first, last, words = 0, 0, len(starts) - 1
    while last < words:
        limit = starts[first] + room
        last = int(np.searchsorted(starts, limit, side="right")) - 1
        yield first, last
        begin = int(np.searchsorted(starts, starts[first] + stride))
        first = min(begin, last)  # So that no word is left out.


def _check_stride(stride, length, truncate):
    if stride is None:
        return max((length - 2) // 2, 1)
    if truncate != "windows":
        raise ValueError(
            '`stride` is for `truncate="windows"`. Received: '
            f"stride={stride!r}, truncate={truncate!r}."
        )
    return check_integer("stride", stride, minimum=1)


def _check_lists(name, rows):
    if isinstance(rows, (str, bytes)) or not np.iterable(rows):
        raise TypeError(
            f"`{name}` must be lists of strings. Received: {str(rows)[:40]!r}."
        )
    return [check_texts(f"{name}[{i}]", row) for i, row in enumerate(rows)]


def _check_aligned(sentences, tags):
    if len(sentences) != len(tags):
        raise ValueError(
            "`tags` must be as many lists as there are sentences. Received: "
            f"{len(sentences)} sentences, {len(tags)} lists of tags."
        )
    for i, (words, names) in enumerate(zip(sentences, tags, strict=True)):
        if len(words) != len(names):
            raise ValueError(
                "`tags` must have a tag for each word. Received: "
                f"sentences[{i}] with {len(words)} words, tags[{i}] with "
                f"{len(names)} tags."
            )


def _check_names(names, tags):
    """Returns the names of the tags, each of which is known."""
    if names is None and tags is None:
        raise ValueError(
            "`tag_names` must be given where there are no tags. Received: "
            "tags=None, tag_names=None."
        )
    if names is None:
        return tuple(sorted({name for row in tags for name in row}))
    names = tuple(check_texts("tag_names", names))
    if len(set(names)) < len(names) or not names:
        raise ValueError(
            "`tag_names` must be different strings, at least one. Received: "
            f"tag_names={names}."
        )
    for i, row in enumerate(tags or ()):
        if unknown := set(row) - set(names):
            raise ValueError(
                f"`tags` must be in `tag_names`, {names}. Received: "
                f"{min(unknown)!r} in tags[{i}]."
            )
    return names


def _too_long(row, needed, sentences, tagged):
    words = " ".join(sentences[row])
    return (
        f"`length` must be at least {needed} for sentences[{row}], or "
        '`truncate` must be "end" or "windows". Received: '
        f"length={tagged.length}, sentences[{row}]={words[:40]!r}..."
    )
