"""encode_pairs: rows of texts and pairs, beside transformers."""

import numpy as np
import pytest
import transformers

from keras_dl.datasets import BucketedBatches
from keras_dl.text import WordVocabulary, encode_pairs

LETTERS = WordVocabulary(list("abcdefgh"), pattern=r"[a-z]")
# The same ids for transformers.
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefgh"]
THEIRS = transformers.BertTokenizer(vocab={t: i for i, t in enumerate(TOKENS)})
SIZES = [(a, b) for a in range(8) for b in range(8)]
FIRSTS = [" ".join("abcdefgh"[:size]) for size, _ in SIZES]
SECONDS = [" ".join("hgfedcba"[:size]) for _, size in SIZES]


def lists(rows):
    return {name: [row.tolist() for row in rows[name]] for name in rows}


@pytest.mark.parametrize("seconds", [None, SECONDS])
def test_rows_are_those_of_transformers(seconds):
    ours = lists(encode_pairs(FIRSTS, seconds, LETTERS, max_length=30))
    theirs = THEIRS(FIRSTS, seconds)
    assert ours["token_ids"] == theirs["input_ids"]
    assert ours["segment_ids"] == theirs["token_type_ids"]


@pytest.mark.parametrize("length", [5, 7, 11])
def test_cut_as_in_transformers(length):
    """Where the texts have an even number of places; else ties differ."""
    for seconds in (SECONDS, None):
        ours = encode_pairs(FIRSTS, seconds, LETTERS, length)
        theirs = THEIRS(
            FIRSTS, seconds, truncation="longest_first", max_length=length
        )
        assert lists(ours)["token_ids"] == theirs["input_ids"]
        assert lists(ours)["segment_ids"] == theirs["token_type_ids"]


@pytest.mark.parametrize("truncation", ["only_first", "only_second"])
@pytest.mark.parametrize("length", [5, 7, 11, 16])
def test_one_text_is_cut_as_in_transformers(truncation, length):
    """What transformers refuses is refused."""
    refused = 0
    for first, second in zip(FIRSTS, SECONDS, strict=True):
        given = {"truncation": truncation, "max_length": length}
        try:
            theirs = THEIRS([first], [second], **given)
        except Exception as error:  # Of tokenizers, of no other class.
            assert "too short" in str(error)
            refused += 1
            with pytest.raises(ValueError, match="`max_length` leaves no room"):
                encode_pairs([first], [second], LETTERS, **given)
            continue
        ours = lists(encode_pairs([first], [second], LETTERS, **given))
        assert ours["token_ids"] == theirs["input_ids"]
        assert ours["segment_ids"] == theirs["token_type_ids"]
    assert (refused > 0) == (length < 11)


def test_single_texts_are_cut_alike():
    for truncation in ("longest_first", "only_first"):
        ours = encode_pairs(FIRSTS, None, LETTERS, 5, truncation=truncation)
        theirs = THEIRS(FIRSTS, truncation=truncation, max_length=5)
        assert lists(ours)["token_ids"] == theirs["input_ids"]


@pytest.mark.parametrize("room", range(1, 12))
def test_the_longer_text_is_cut_token_by_token(room):
    """BERT's rule: from the first if it is longer, else from the second."""
    rows = encode_pairs(FIRSTS, SECONDS, LETTERS, max_length=room + 3)
    for (first, second), segments in zip(
        SIZES, rows["segment_ids"], strict=True
    ):
        while first + second > room:
            if first > second:
                first -= 1
            else:
                second -= 1
        assert segments.tolist() == [0] * (first + 2) + [1] * (second + 1)


def test_several_separators():
    rows = encode_pairs(["a b c d"], ["e f"], LETTERS, 9, separators=2)
    assert lists(rows)["token_ids"] == [[2, 4, 5, 6, 3, 3, 8, 9, 3]]
    assert lists(rows)["segment_ids"] == [[0, 0, 0, 0, 0, 0, 1, 1, 1]]
    single = encode_pairs(["a"], None, LETTERS, 3, separators=2)
    assert lists(single)["token_ids"] == [[2, 4, 3]]


def test_rows_fill_buckets():
    rows = encode_pairs(FIRSTS, SECONDS, LETTERS, max_length=30)
    batches = BucketedBatches(rows, batch_size=8)
    for i, (x,) in enumerate(batches):
        for row, number in enumerate(batches.examples(i)):
            for name, filled in x.items():
                size = len(rows[name][number])
                np.testing.assert_array_equal(
                    filled[row, :size], rows[name][number]
                )
                assert (filled[row, size:] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"seconds": ["a"]}, ValueError, "`seconds`.*2 firsts, 1 seconds"),
        ({"max_length": 3}, ValueError, "`max_length`.*at least 4.*=3"),
        ({"separators": 2, "max_length": 4}, ValueError, "at least 5.*=4"),
        ({"seconds": None, "max_length": 2}, ValueError, "at least 3.*=2"),
        ({"separators": 0}, ValueError, "`separators`.*separators=0"),
        ({"truncation": "end"}, ValueError, "`truncation`.*only_sec.*'end'"),
        (
            {"truncation": "only_second", "seconds": None},
            ValueError,
            "`truncation`.* single texts.*seconds=None.*'only_second'",
        ),
        (
            {
                "firsts": ["a", "a b c"],
                "truncation": "only_second",
                "max_length": 6,
            },
            ValueError,
            r"room beside firsts\[1\].*'only_second'.* need 7 .*max_length=6",
        ),
        ({"firsts": "ab"}, TypeError, "`firsts`.*'ab'"),
        ({"seconds": [1, 2]}, TypeError, r"`seconds\[0\]`.*1"),
    ],
)
def test_errors(arguments, error, message):
    given = {"firsts": ["a", "b"], "seconds": ["c", "d"], "max_length": 9}
    with pytest.raises(error, match=message):
        encode_pairs(vocabulary=LETTERS, **{**given, **arguments})
