"""Texts, and pairs of them, as an encoder reads them when it is fine-tuned."""

import numpy as np

from keras_dl.checks import check_choice, check_integer
from keras_dl.text.vocabularies.external_tokenizers import as_vocabulary
from keras_dl.text.vocabularies.vocabulary import check_texts

_AT_ONCE = 1000  # Number of texts that are handled together.


def encode_pairs(
    firsts,
    seconds,
    vocabulary,
    max_length,
    separators=None,
    truncation="longest_first",
    segments=None,
):
    """Texts, or pairs of texts, as rows of ids with their special tokens.

        [CLS] first [SEP]             [CLS] first [SEP] second [SEP]
          0     0     0                 0     0     0     1      1

    The second line is `segment_ids`; `[CLS]` and `[SEP]` are the start and end
    tokens of the vocabulary. Where it is RoBERTa's, there are two end tokens
    between the texts, and no segments:

        <s> first </s>                <s> first </s></s> second </s>

    Rows are not filled up: `BucketedBatches` does that, batch by batch.

    **Texts that are too long** are cut at their end, as transformers names it:

    | `truncation`      | where tokens are cut off                            |
    |-------------------|-----------------------------------------------------|
    | `"longest_first"` | one by one from the text that is longer, or from    |
    |                   | the second one if none is                           |
    | `"only_first"`    | from the first text, of which one token must stay   |
    | `"only_second"`   | from the second text, likewise                      |

    Args:
        firsts: Strings.
        seconds: Strings, one for each of `firsts`, or `None` for single texts.
        vocabulary: `Vocabulary`, or what `as_vocabulary` takes.
        max_length: Number of tokens that a row has at most.
        separators: Number of end tokens between the texts of a pair. `None`:
            as many as the vocabulary has (`Vocabulary.separators`).
        truncation: See above; `"only_second"` is for pairs.
        segments: Whether there are `"segment_ids"`. `None`: if the vocabulary
            has segments (`Vocabulary.has_segments`).

    Returns:
        A dict of `"token_ids"` and, with segments, `"segment_ids"`, each a
        list of `int32` arrays, one for each text or pair.

    Raises:
        ValueError: If the texts are not aligned, a number is out of range, or
            a text is too long that must not be cut.

    Example:

    >>> words = keras_dl.text.WordVocabulary(["is", "it", "late", "yes"])
    >>> rows = encode_pairs(["is it late"], ["yes yes"], words, max_length=7)
    >>> rows["token_ids"][0].tolist(), rows["segment_ids"][0].tolist()
    ([2, 4, 5, 3, 7, 7, 3], [0, 0, 0, 0, 1, 1, 1])

    Reference:
        Devlin et al., "BERT", 2019, and its code for classification; Liu et
        al., "RoBERTa", 2019.
    """
    vocabulary = as_vocabulary(vocabulary)
    separators = vocabulary.separators if separators is None else separators
    segments = vocabulary.has_segments if segments is None else segments
    firsts = check_texts("firsts", firsts)
    check_integer("separators", separators, minimum=1)
    cuts = _CUTS[check_choice("truncation", truncation, tuple(_CUTS))]
    marks = 2
    if seconds is None and truncation == "only_second":
        raise ValueError(
            '`truncation` must be "longest_first" or "only_first" for single '
            f"texts. Received: seconds=None, truncation={truncation!r}."
        )
    if seconds is not None:
        marks = 2 + separators
        seconds = check_texts("seconds", seconds)
        if len(seconds) != len(firsts):
            raise ValueError(
                "`seconds` must be as many as `firsts`. Received: "
                f"{len(firsts)} firsts, {len(seconds)} seconds."
            )
    room = check_integer("max_length", max_length, minimum=marks + 1) - marks
    start, end = map(vocabulary.special_id, ("start", "end"))
    rows = {"token_ids": [], "segment_ids": []}
    for i, texts in enumerate(_ids(vocabulary, firsts, seconds)):
        first, second = cuts(*texts, room)
        if len(first) + len(second) > room:
            needed = sum(map(len, texts)) + marks
            raise ValueError(_too_long(i, needed, max_length, truncation))
        row = [start, *first, end]
        if seconds is not None:
            row += [*[end] * (separators - 1), *second, end]
        is_second = np.zeros(len(row), "int32")
        is_second[len(first) + marks - 1 : len(row)] = seconds is not None
        rows["token_ids"].append(np.array(row, "int32"))
        rows["segment_ids"].append(is_second)
    if not segments:
        del rows["segment_ids"]
    return rows


def _ids(vocabulary, firsts, seconds):
    """The ids of the texts of each row; those of a second may be none."""
    for at in range(0, len(firsts), _AT_ONCE):
        part = slice(at, at + _AT_ONCE)
        rows = vocabulary._many_to_ids(firsts[part])
        others = [[]] * len(rows)
        if seconds is not None:
            others = vocabulary._many_to_ids(seconds[part])
        yield from zip(rows, others, strict=True)


def _cut_longest(first, second, room):
    """What is left of two texts that have room together."""
    size = min(len(first), max(room - len(second), (room + 1) // 2))
    return first[:size], second[: room - size]


def _cut_first(first, second, room):
    """Likewise; at least one token stays, whether it fits or not."""
    return first[: max(room - len(second), 1)], second


def _cut_second(first, second, room):
    return first, second[: max(room - len(first), 1)]


def _too_long(i, needed, max_length, truncation):
    kept = {"only_first": "seconds", "only_second": "firsts"}[truncation]
    return (
        f"`max_length` leaves no room beside {kept}[{i}], which "
        f"truncation={truncation!r} does not cut: the texts need {needed} "
        f'tokens. "longest_first" cuts both. Received: max_length={max_length}.'
    )


_CUTS = {
    "longest_first": _cut_longest,
    "only_first": _cut_first,
    "only_second": _cut_second,
}
