"""What may stand in the place of a word: by context, and by meaning."""

import numpy as np

from keras_dl.checks import check_integer
from keras_dl.text.masking.word_masking import continuations


class MaskedLMCandidates:
    """Words that a masked language model puts in the place of another.

    Of words that are one token of the vocabulary the likeliest `number`, each
    in its context; of others, and of those that stand too far back, none.

    Args:
        model: A `keras_dl.applications.TaskModel` with the head
            `keras_dl.heads.MaskedLM`.
        vocabulary: Its vocabulary, with a mask token.
        number: Largest number of candidates.
        max_length: Number of tokens of a text that the model sees.
        batch_size: Number of words that it looks for at once.

    Raises:
        ValueError: If the vocabulary has no mask token.

    Example:

    >>> vocabulary = keras_dl.text.WordVocabulary.train(
    ...     ["a door opens", "a window opens"], special_tokens=["[MASK]"]
    ... )
    >>> encoder = keras_dl.applications.BERT(len(vocabulary), 1, 8, 2, 16)
    >>> model = keras_dl.applications.TaskModel(
    ...     encoder, keras_dl.heads.MaskedLM()
    ... )
    >>> find = MaskedLMCandidates(model, vocabulary, number=2, max_length=8)
    >>> [[words]] = find(["a door opens"], [[(2, 6)]])
    >>> len(words)
    2

    Reference:
        Jiao et al., "TinyBERT", 2020. Its code shows the model the text
        itself, too, as a second sentence.
    """

    def __init__(
        self, model, vocabulary, number=15, max_length=128, batch_size=64
    ):
        if vocabulary.mask_id is None:
            raise ValueError(
                "`vocabulary` must have a mask token: train it with "
                '`special_tokens=["[MASK]"]`.'
            )
        self.model, self.vocabulary = model, vocabulary
        self.number = check_integer("number", number, 1)
        self.max_length = check_integer("max_length", max_length, 3)
        self.batch_size = check_integer("batch_size", batch_size, 1)
        self._words = _words_of(vocabulary)

    def __call__(self, texts, spans):
        found = [[[] for _ in places] for places in spans]
        rows, places, asked = [], [], []
        for i, text in enumerate(texts):
            ids, offsets = self.vocabulary.encode_with_offsets(text)
            at = _tokens_at(text, offsets)
            for j, span in enumerate(spans[i]):
                place = at.get(span)
                if place is None or place + 2 > self.max_length - 1:
                    continue
                rows.append(self._masked(ids, place))
                places.append([place + 1])
                asked.append((i, j, ids[place]))
        if rows:
            best = self._best(np.stack(rows), np.array(places, "int32"))
            for (i, j, own), ids in zip(asked, best, strict=True):
                words = [self._words[k] for k in ids if k != own]
                found[i][j] = words[: self.number]
        return found

    def _masked(self, ids, place):
        """A row with a token masked."""
        words = self.vocabulary
        hidden = [*ids[:place], words.mask_id, *ids[place + 1 :]]
        hidden = hidden[: self.max_length - 2]
        return words.pad(
            [[words.start_id, *hidden, words.end_id]], self.max_length
        )[0]

    def _best(self, rows, places):
        """Ids of words, the likeliest first."""
        number, allowed = len(rows), np.array(sorted(self._words))
        # Batches of one size: one shape to compile for.
        more = -number % self.batch_size
        rows, places = (
            np.concatenate([x, np.repeat(x[:1], more, axis=0)])
            for x in (rows, places)
        )
        logits = self.model.predict_logits(
            {"token_ids": rows, "masked_positions": places},
            batch_size=self.batch_size,
            verbose=0,
        )
        if isinstance(logits, dict):
            (logits,) = logits.values()
        logits = logits[:number, 0, allowed]
        many = min(self.number + 1, len(allowed))
        order = np.argsort(-logits, axis=-1, kind="stable")[:, :many]
        return allowed[order].tolist()


class VectorCandidates:
    """Words whose vectors point in nearly the same direction as another's.

    Args:
        words: Different words, in lower case.
        vectors: Array of shape `(len(words), size)`: word vectors that you
            have, or those of `of_vocabulary`.
        number: Largest number of candidates.

    Raises:
        ValueError: If there is not one vector for each word.

    Example:

    >>> find = VectorCandidates(
    ...     ["door", "gate", "rain"], [[1, 0], [0.9, 0.1], [0, 1]], number=1
    ... )
    >>> find(["a Door opens"], [[(2, 6), (7, 12)]])
    [[['gate'], []]]
    """

    def __init__(self, words, vectors, number=15):
        self.words, vectors = list(words), np.asarray(vectors, "float32")
        if vectors.ndim != 2 or len(vectors) != len(self.words):
            raise ValueError(
                f"`vectors` must be of shape ({len(self.words)}, size): one "
                f"for each word. Received: shape {vectors.shape}."
            )
        self.number = check_integer("number", number, 1)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        self._unit = vectors / np.maximum(lengths, 1e-12)
        self._index = {word: i for i, word in enumerate(self.words)}

    @classmethod
    def of_vocabulary(cls, words, vocabulary, embeddings, number=15):
        """Vectors of words by the embeddings of their tokens: their means.

        Args:
            words: Words in lower case, such as those of your texts; there is
                no need for them to be single tokens.
            vocabulary: The vocabulary.
            embeddings: Its embeddings, `(len(vocabulary), size)`, such as
                `encoder.token_embedding.embeddings`.
            number: Largest number of candidates.

        Example:

        >>> vocabulary = keras_dl.text.WordVocabulary.train(["a door opens"])
        >>> table = np.eye(len(vocabulary))
        >>> find = VectorCandidates.of_vocabulary(
        ...     ["door", "opens"], vocabulary, table
        ... )
        >>> find(["a door"], [[(2, 6)]])
        [[['opens']]]
        """
        table = np.asarray(embeddings)
        words = list(dict.fromkeys(words))
        vectors = [
            table[vocabulary.encode(word)].mean(axis=0) for word in words
        ]
        return cls(words, np.stack(vectors), number)

    def __call__(self, texts, spans):
        asked = {
            text[begin:end].lower()
            for text, places in zip(texts, spans, strict=True)
            for begin, end in places
        }
        known = sorted(asked & set(self._index))
        near = dict(zip(known, self._near(known), strict=True))
        return [
            [near.get(text[begin:end].lower(), []) for begin, end in places]
            for text, places in zip(texts, spans, strict=True)
        ]

    def _near(self, words):
        rows = np.array([self._index[word] for word in words], int)
        for row in rows:
            likeness = self._unit @ self._unit[row]
            likeness[row] = -np.inf
            best = np.argsort(-likeness, kind="stable")[: self.number]
            yield [self.words[i] for i in best if np.isfinite(likeness[i])]


def _words_of(vocabulary):
    """The tokens that are words of their own, by id."""
    tokens = vocabulary.tokens
    goes_on = continuations(tokens)
    special = set(vocabulary.special_ids)
    found = {}
    for i, later in enumerate(goes_on):
        if i not in special and not later:
            word = vocabulary.decode([i]).strip()
            if word.isalpha():
                found[i] = word
    return found


def _tokens_at(text, offsets):
    """The number of the token that stands in a place, without its space."""
    found = {}
    for number, (begin, end) in enumerate(offsets):
        piece = text[begin:end]
        found[begin + len(piece) - len(piece.lstrip()), end] = number
    return found
