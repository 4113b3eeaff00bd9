"""SpanWindows, beside the rules of BERT's code read one by one."""

import itertools
import time

import keras
import numpy as np
import pytest
import tokenizers
import transformers

from keras_dl.datasets import Batches
from keras_dl.text.examples.answer_candidates import (
    AnswerCandidate,
    AnswerCandidates,
)
from keras_dl.text.examples.spans import SpanWindows
from keras_dl.text.vocabularies.characters import CharacterVocabulary
from keras_dl.text.vocabularies.external_tokenizers import as_vocabulary
from keras_dl.text.vocabularies.subwords import SubwordVocabulary
from keras_dl.text.vocabularies.words import WordVocabulary

LONG = (
    "The Normans (Norman: Nourmands; French: Normands) were the people who in "
    "the 10th and 11th centuries gave their name to Normandy, a region in "
    "France. They were descended from Norse raiders under their leader Rollo. "
    "Their settlements mixed with the Franks and Gauls who lived there."
)
CAFE = "İstanbul  has\tcafés; 北京 has 3,000.\nNaïve İİ visitors like both 😀!"
ASKED = [
    ("In what country is Normandy?", LONG, "France"),
    ("When were the Normans in Normandy?", LONG, "11th centuries"),
    ("Who led them?", LONG, "Rollo"),
    ("Who are they?", LONG, "The Normans"),
    ("What has cafés?", CAFE, "İstanbul"),
    ("How many?", CAFE, "3,000"),
    ("Who likes both?", CAFE, "İİ visitors"),
    ("Which?", CAFE, "北京"),
]
QUESTIONS, CONTEXTS, GOLD = map(list, zip(*ASKED, strict=True))
ANSWERS = [[(text, context.index(text))] for _, context, text in ASKED]
TEXTS = [*QUESTIONS, LONG, CAFE]
VOCABULARIES = {
    "characters": CharacterVocabulary.train(TEXTS, lowercase=True),
    "words": WordVocabulary.train(TEXTS, min_count=2),
    "wordpiece": SubwordVocabulary.train(TEXTS, 130, lowercase=True),
    "bpe": SubwordVocabulary.train(TEXTS, 330, model="bpe"),
}
LENGTH = 64
LETTERS = CharacterVocabulary(list("abcdefghij?"))


def windows_of(name, **arguments):
    given = {"length": LENGTH, "stride": 9, "max_question": 30, **arguments}
    return SpanWindows(
        QUESTIONS, CONTEXTS, VOCABULARIES[name], ANSWERS, **given
    )


def letters(context="abcdefghij", answers=None, length=10, stride=2, **more):
    """One question of two letters; a row has room for `length - 5` letters."""
    return SpanWindows(
        ["a?"], [context], LETTERS, answers, length, stride, **more
    )


def perfect(windows):
    """Logits that are sure of the targets."""
    eye = 10.0 * np.eye(windows.length, dtype="float32")
    return eye[windows.spans[:, 0]], eye[windows.spans[:, 1]]


@pytest.mark.parametrize("name", VOCABULARIES)
def test_rows_are_questions_and_parts_of_contexts(name):
    windows = windows_of(name)
    vocabulary = VOCABULARIES[name]
    assert windows.token_ids.dtype == windows.segment_ids.dtype == "int32"
    assert windows.token_ids.shape == windows.segment_ids.shape
    for i, (question, context) in enumerate(
        zip(QUESTIONS, CONTEXTS, strict=True)
    ):
        asked = vocabulary.encode(question)[:30]
        ids = vocabulary.encode(context)
        begin, rows = 0, np.flatnonzero(windows.question_numbers == i)
        for row in rows:
            room = LENGTH - len(asked) - 3
            part = ids[begin : begin + room]
            expected = [2, *asked, 3, *part, 3]
            segments = [0] * (len(asked) + 2) + [1] * (len(part) + 1)
            rest = [0] * (LENGTH - len(expected))
            assert windows.token_ids[row].tolist() == expected + rest
            assert windows.segment_ids[row].tolist() == segments + rest
            # Only the last window reaches the end.
            assert (begin + room >= len(ids)) == (row == rows[-1])
            begin += 9
    assert (np.bincount(windows.question_numbers) > 1).any()


@pytest.mark.parametrize("name", VOCABULARIES)
@pytest.mark.parametrize("size", [{}, {"length": 100, "stride": 50}])
def test_perfect_logits_give_the_answers_back(name, size):
    windows = windows_of(name, **size)
    logits = perfect(windows)
    assert windows.best(*logits) == GOLD
    # The null score is that of the rows that see the answer.
    assert windows.best(*logits, null_threshold=-20) == GOLD
    assert windows.best(*logits, null_threshold=-20.1) == [""] * len(GOLD)
    for found, context, gold in zip(
        windows.decode(*logits), CONTEXTS, GOLD, strict=True
    ):
        best = found.answers[0]
        assert context[best.begin : best.end] == best.text == gold
        assert best.score == 20 and found.null_score == 0


@pytest.mark.parametrize("name", ["words", "bpe"])
def test_targets_cover_the_answers(name):
    windows = windows_of(name)
    for row, (first, last) in enumerate(windows.spans):
        i = windows.question_numbers[row]
        ids = windows.token_ids[row, first : last + 1]
        if first == 0:
            assert last == 0
        else:
            text = VOCABULARIES[name].decode(ids).strip()
            known = name == "bpe" or "[UNK]" not in text
            assert text == GOLD[i] or not known


def test_an_answer_that_crosses_a_border():
    windows = letters(answers=[[("ef", 4)]])
    # Windows of 5: abcde, cdefg, efghi, ghij.
    assert windows.spans.tolist() == [[0, 0], [6, 7], [4, 5], [0, 0]]
    starts, ends = perfect(windows)
    assert windows.best(starts, ends) == ["ef"]
    wide = letters(answers=[[("bcdefg", 1)]])
    assert not wide.spans.any()


def test_of_several_answers_a_row_takes_the_first_that_it_holds():
    windows = letters(answers=[[("hi", 7), ("d", 3), ("g", 6)]])
    assert windows.spans.tolist() == [[7, 7], [5, 5], [7, 8], [5, 6]]


def test_questions_without_an_answer():
    windows = letters(answers=[[]])
    assert not windows.spans.any() and windows.left_out == ()
    starts, ends = perfect(windows)
    assert windows.best(starts, ends, null_threshold=0.0) == [""]
    assert letters().spans is None


MAX_CONTEXT = [
    (size, stride, 7) for size in (1, 7, 8, 30) for stride in (1, 2, 3, 7, 100)
]


# In the last case the length of the windows decides between two of them.
@pytest.mark.parametrize(
    ("size", "stride", "room"), [*MAX_CONTEXT, (340, 150, 300)]
)
def test_max_context_is_the_rule(size, stride, room):
    windows = letters("a" * size, None, room + 5, stride)
    begins, begin = [], 0
    while True:
        begins.append(begin)
        if begin + room >= size:
            break
        begin += min(stride, room)
    assert len(windows) == len(begins)
    assert windows.max_context[:, :4].sum() == 0
    for token in range(size):
        scores = []
        for begin in begins:
            end = min(begin + room, size)
            inside = begin <= token < end
            left, right = token - begin, end - 1 - token
            shown = min(left, right) + 0.01 * (end - begin)
            scores.append(shown if inside else -1)
        best = scores.index(max(scores))
        for row, begin in enumerate(begins):
            place = 4 + token - begin
            if 4 <= place < windows.length:
                assert windows.max_context[row, place] == (row == best)


def by_brute_force(windows, starts, ends, n_best, longest, flags):
    """All spans of all windows of one question, by the rules."""
    spans = []
    for row in range(len(windows)):
        order = [
            np.lexsort((np.arange(len(a)), -a))
            for a in (starts[row], ends[row])
        ]
        tried = [o[:n_best].tolist() for o in order]
        begin = row * windows.stride
        context = windows.contexts[0][begin : begin + windows.length - 5]
        for i, j in itertools.product(*tried):
            inside = 4 <= i <= j < 4 + len(context)
            if inside and flags[row, i] and j - i + 1 <= longest:
                score = float(starts[row, i]) + float(ends[row, j])
                spans.append((-score, len(spans), context[i - 4 : j - 3]))
    found = {}
    for score, _, text in sorted(spans):
        found.setdefault(text, -score)
    return list(found.items())[:n_best]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("longest", [1, 3, 30])
@pytest.mark.parametrize("n_best", [1, 3, 20])
def test_decode_is_brute_force(n_best, longest, ties):
    windows = letters("abacabadabacab")
    generator = np.random.RandomState(n_best + longest)
    for _ in range(10):
        logits = generator.normal(size=(2, len(windows), 10))
        starts, ends = np.round(logits) if ties else logits
        starts[:, 4:] += 2
        expected = by_brute_force(
            windows, starts, ends, n_best, longest, windows.max_context
        )
        (found,) = windows.decode(starts, ends, n_best, longest)
        assert [one.text for one in found.answers] == [t for t, _ in expected]
        scores = np.array([score for _, score in expected])
        given = [one.score for one in found.answers]
        np.testing.assert_allclose(given, scores, rtol=1e-12)
        null = min(a[0] + b[0] for a, b in zip(starts, ends, strict=True))
        assert np.isclose(found.null_score, null)
        if expected:
            shares = np.exp(scores) / np.exp(scores).sum()
            given = [one.probability for one in found.answers]
            np.testing.assert_allclose(given, shares, rtol=1e-9)


def test_a_start_counts_where_its_context_is_greatest():
    windows = letters()
    starts, ends = np.zeros((2, len(windows), 10))
    row, place = 0, 8  # "e" is the last letter of the first window.
    assert not windows.max_context[row, place]
    starts[row, place] = ends[row, place] = 5
    (found,) = windows.decode(starts, ends, n_best=1)
    assert found.answers == ()
    # The second window has it in its middle.
    starts[1, 6] = ends[1, 6] = 1
    (found,) = windows.decode(starts, ends, n_best=1)
    assert found.answers == (AnswerCandidate("e", 2.0, 1.0, 4, 5),)


def test_null_scores():
    windows = letters(answers=[[("e", 4)]])
    starts, ends = np.zeros((2, len(windows), 10))
    starts[1, 6], ends[1, 6] = 2, 1
    starts[:, 0], ends[:, 0] = [5, 3, 4, 6], [1, 2, 3, 4]
    (found,) = windows.decode(starts, ends)
    assert found.null_score == 5 and found.null_difference == 2
    for threshold, text in [(None, "e"), (2, "e"), (1.9, ""), (0, "")]:
        assert windows.best(starts, ends, threshold) == [text]
        assert found.best(threshold) == text


def test_nothing_found():
    windows = letters("")
    assert len(windows) == 1
    assert windows.token_ids.tolist() == [[2, 4, 14, 3, 3, 0, 0, 0, 0, 0]]
    logits = np.zeros((2, 1, 10))
    assert windows.decode(*logits) == [AnswerCandidates((), 0.0)]
    assert windows.best(*logits) == [""]
    assert windows.best(*logits, null_threshold=1e9) == [""]
    hidden = letters()
    logits = np.full((2, len(hidden), 10), -np.inf)
    assert hidden.best(*logits) == [""]


def test_spaces_are_no_part_of_an_answer():
    text = "a  cat \n sat"
    vocabulary = SubwordVocabulary.train([text] * 3, 262, model="bpe")
    windows = SpanWindows(["a"], [text], vocabulary, length=30)
    logits = np.zeros((2, 1, 30))
    (found,) = windows.decode(*logits, n_best=30)
    texts = [one.text for one in found.answers]
    assert "cat" in texts and "" not in texts
    for one in found.answers:
        assert one.text == one.text.strip() == text[one.begin : one.end]


def test_questions_are_cut():
    windows = SpanWindows(
        ["abcdef"], ["abc"], LETTERS, length=8, max_question=2
    )
    assert windows.token_ids.tolist() == [[2, 4, 5, 3, 4, 5, 6, 3]]


def test_misplaced_answers():
    answers = [[("ef", 4)], [("ef", 3)], [("x", 0), ("a", 0)], []]
    given = ["a?"] * 4, ["abcdefghij"] * 4, LETTERS
    with pytest.raises(ValueError, match=r"answers\[1\] with 'ef' at 3"):
        SpanWindows(*given, answers, 10, 2)
    windows = SpanWindows(*given, answers, 10, 2, misplaced="leave_out")
    assert windows.left_out == (1,)
    assert set(windows.question_numbers) == {0, 2, 3}
    texts = windows.best(*perfect(windows), null_threshold=1e9)
    assert texts[:3] == ["ef", "", "a"]
    assert windows.decode(*perfect(windows))[1] == AnswerCandidates((), np.inf)


def test_an_answer_without_tokens_is_misplaced():
    words = WordVocabulary(["a", "b"])
    with pytest.raises(ValueError, match=r"covered by tokens.*answers\[0\]"):
        SpanWindows(["a"], ["a  b"], words, [[("  ", 1)]])
    with pytest.raises(ValueError, match=r"answers\[0\] with '' at 0"):
        SpanWindows(["a"], ["a  b"], words, [[("", 0)]])


def test_batches_and_fit():
    windows = windows_of("wordpiece")
    batches = Batches(windows.inputs, windows.spans, batch_size=8)
    x, y = batches[0]
    assert x["token_ids"].shape == (8, LENGTH) and y.shape == (8, 2)
    token_ids = keras.Input((LENGTH,), name="token_ids", dtype="int32")
    segment_ids = keras.Input((LENGTH,), name="segment_ids", dtype="int32")
    embed = keras.layers.Embedding
    h = embed(130, 8)(token_ids) + embed(2, 8)(segment_ids)
    outputs = keras.layers.Permute((2, 1))(keras.layers.Dense(2)(h))
    model = keras.Model([token_ids, segment_ids], outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    model.fit(batches, verbose=0)
    logits = model.predict(windows.inputs, verbose=0)
    texts = windows.best(logits[:, 0], logits[:, 1])
    assert all(a in b for a, b in zip(texts, CONTEXTS, strict=True))
    tensors = map(keras.ops.convert_to_tensor, (logits[:, 0], logits[:, 1]))
    assert windows.best(*tensors) == texts


def test_tokenizers_from_elsewhere():
    ids = {"[PAD]": 7, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "cat": 4, "the": 0}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(ids, "[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    windows = SpanWindows(
        ["who?"], ["the  red cat"], made, [[("red cat", 5)]], length=9
    )
    assert windows.token_ids.tolist() == [[2, 1, 1, 3, 0, 1, 4, 3, 7]]
    assert windows.spans.tolist() == [[5, 6]]
    assert windows.best(*perfect(windows)) == ["red cat"]
    assert as_vocabulary(made).pad_id == 7


def test_equal_contexts_are_encoded_once(monkeypatch):
    seen = []
    given = WordVocabulary(["a"])
    once = given._with_offsets
    monkeypatch.setattr(
        given, "_with_offsets", lambda text: seen.append(text) or once(text)
    )
    SpanWindows(["a"] * 5, ["a b", "c", "a b", "a b", "c"], given)
    assert sorted(seen) == ["a b", "c"]


def test_many_questions_in_blocks(monkeypatch):
    windows = windows_of("bpe")
    generator = np.random.RandomState(0)
    logits = generator.normal(size=(2, len(windows), LENGTH)).astype("float32")
    whole = windows.decode(*logits)
    monkeypatch.setattr("keras_dl.text.examples.spans._AT_ONCE", 3)
    assert windows.decode(*logits) == whole
    np.testing.assert_array_equal(windows_of("bpe").spans, windows.spans)


def test_decoding_takes_no_time():
    """A tenth of what a development set has: loops over spans show here."""
    text = "abcdefghij" * 90
    windows = SpanWindows(["a?"] * 200, [text] * 200, LETTERS)
    logits = np.random.RandomState(0).normal(size=(2, len(windows), 384))
    before = time.perf_counter()
    windows.decode(*logits)
    assert len(windows) == 1200
    assert time.perf_counter() - before < 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: SpanWindows(["a"], ["a", "b"], LETTERS),
            "`contexts`.*1 questions, 2 contexts",
        ),
        (
            lambda: SpanWindows(["a"], ["a"], LETTERS, [[], []]),
            "1 questions, 1 contexts, 2 answers",
        ),
        (lambda: SpanWindows([], [], LETTERS), "at least 1.*0 questions"),
        (lambda: letters(length=5), "`length`.*at least 6.*length=5"),
        (lambda: letters(stride=0), "`stride`.*at least 1.*stride=0"),
        (lambda: letters(max_question=0), "`max_question`.*at least 1"),
        (lambda: letters(misplaced="skip"), "`misplaced`.*leave_out.*'skip'"),
        (lambda: letters(answers=["ab"]), r"`answers`.*answers\[0\]='ab'"),
        (lambda: letters(answers=[["ab"]]), r"`answers`.*answers\[0\]="),
        (lambda: letters(answers=[[(1, 2)]]), r"`answers`.*answers\[0\]="),
        (
            lambda: letters(answers=[[("b", -1)]]),  # Not the last character.
            r"`answers` must stand.*answers\[0\] with 'b' at -1, of the q.* 'a",
        ),
        (
            lambda: letters(answers=[[("a", 0.5)]]),
            r"`answers`.*answers\[0\]=.*0.5",
        ),
        (lambda: letters(answers=[[("a", True)]]), r"`answers`.*\[0\]=.*True"),
        (
            lambda: letters(answers=[[("b", 0)]], misplaced="leave_out"),
            "`answers`.*at least one question.*1, all misplaced",
        ),
        (
            lambda: letters().decode(np.zeros((4, 9)), np.zeros((4, 10))),
            r"`start_logits`.*\(4, 10\).*\(4, 9\)",
        ),
        (
            lambda: letters().decode(
                np.zeros((4, 10)), np.full((4, 10), np.nan)
            ),
            "`end_logits`.*NaN",
        ),
        (
            lambda: letters().decode(*np.full((2, 4, 10), np.inf)),
            "`start_logits`.*infinity",
        ),
        (
            lambda: letters().decode(*np.zeros((2, 4, 10)), n_best=0),
            "`n_best`.*n_best=0",
        ),
        (
            lambda: letters().best(*np.zeros((2, 4, 10)), max_answer_length=0),
            "`max_answer_length`.*=0",
        ),
    ],
)
def test_wrong_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()


COMBINING = [
    ("The café, he said", "cafe\u0301"),
    ("cafe\u0301", "cafe\u0301"),
    ("a\u0323\u0301 b", "a\u0323\u0301"),
    ("wein\u20dd!", "wein\u20dd"),  # An enclosing mark.
    ("ka\u0903 b", "ka\u0903"),  # A spacing mark.
    ("ka\u094d\u200d b", "ka\u094d\u200d"),  # A joiner after it.
]


@pytest.mark.parametrize(("context", "answer"), COMBINING)
def test_answers_keep_the_marks_of_their_last_letter(context, answer):
    """BERT takes accents away, and its tokens end before them."""
    context = context.replace("café", "cafe\u0301")
    words = [answer[0] + "".join(c for c in answer[1:] if c.isascii()), "said"]
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words]
    bert = transformers.BertTokenizer(vocab={t: i for i, t in enumerate(vocab)})
    vocabulary = as_vocabulary(bert.backend_tokenizer)
    gold = [(answer, context.index(answer))]
    # Twice: after one context stands the first token of another.
    windows = SpanWindows(
        ["?", "?"], [context, "said"], vocabulary, [gold, []], length=12
    )
    (found, _) = windows.decode(*perfect(windows))
    best = found.answers[0]
    assert best.text == answer
    assert (best.begin, best.end) == (gold[0][1], gold[0][1] + len(answer))


def test_marks_that_have_a_token_are_the_models_choice():
    context = "e\u0301 e"
    windows = SpanWindows(
        ["?"],
        [context],
        CharacterVocabulary(["e", "\u0301"]),
        [[("e", 0)]],
        length=12,
    )
    assert windows.best(*perfect(windows)) == ["e"]
