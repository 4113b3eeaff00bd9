"""The tutorials on BERT: their data, their baselines, a short run of each."""

import collections
import importlib
import pathlib
import sys

import keras
import matplotlib.image
import numpy as np
import pytest

from keras_dl.text import SpanWindows, SubwordVocabulary, WordVocabulary

TUTORIALS = pathlib.Path(__file__).parents[2] / "tutorials"
sys.path.insert(0, str(TUTORIALS))
baselines = importlib.import_module("bert_baselines")
pictures = importlib.import_module("bert_pictures")
python = importlib.import_module("python_documentation")
pretraining = importlib.import_module("04_pretraining")
tokens = importlib.import_module("05_spans_and_tags")

SOURCE = '''
"""What the module is for, in a few words."""

def shut(door, hard=False):
    """Shut a door. Return nothing of use.

    >>> shut("the one there")

    What a paragraph says more.
    """

class Door:
    """A door that can be shut and opened."""

    def open(self, *, slowly=True):
        """Return the door as it is then."""

    def undocumented(self):
        pass

    @classmethod
    async def make(cls):
        """Return a new door of the usual kind."""
'''


@pytest.fixture(scope="module")
def parts():
    return python.read_parts(max_files=24)


def test_documents_of_a_module():
    module, door = python.module_documents("house.doors", SOURCE)
    assert (module.name, module.topic) == ("house.doors", "house")
    assert module.sentences == [
        "What the module is for, in a few words.",
        "shut(door, hard=False)",
        "Shut a door.",
        "Return nothing of use.",
        "What a paragraph says more.",
    ]
    assert door.name == "house.doors.Door"
    assert [entry.arguments for entry in door.entries] == [
        None,
        "*, slowly=True",
        "",
        "",
    ]


def test_prose_is_told_from_programs_and_tables():
    kept = python.paragraphs(
        "The title\n*********\n\nSome text, on\ntwo lines.\n\n"
        '   stmt ::= "del" target\n\n   >>> print(1) # on a line\n\n'
        "   x = [1, 2, 3]\n\n+---+---+---+"
    )
    assert kept == ("Some text, on two lines.",)
    assert python.cut('One, e.g. this. Two! "Three" is.') == [
        "One, e.g. this.",
        "Two!",
        '"Three" is.',
    ]


def test_parts_have_no_document_and_no_paragraph_in_common(parts):
    assert len(parts.train) > 80
    assert len(parts.validation) > 5 and len(parts.test) > 5
    names, paragraphs = [], []
    for part, documents in zip(parts._fields, parts, strict=True):
        for document in documents:
            assert python.part_of(document.name) == part
            names.append(document.name)
            for entry in document.entries:
                assert entry.paragraphs
                paragraphs += entry.paragraphs
    assert len(set(names)) == len(names)
    assert len(set(paragraphs)) == len(paragraphs)


def test_parts_do_not_depend_on_what_else_there_is(parts):
    fewer = python.read_parts(max_files=6)
    for few, many in zip(fewer, parts, strict=True):
        assert {d.name for d in few} <= {d.name for d in many}


def test_examples_are_of_their_topics_and_documents(parts):
    topics = python.choose_topics(parts, number=2, least=3)
    assert len(topics) == 2
    examples = python.draw_examples(parts.test, topics, each=3, seed=1)
    assert examples.topics.tolist() == [0, 0, 0, 1, 1, 1]
    for sentence, number in zip(*examples, strict=True):
        homes = [d for d in parts.test if sentence in d.sentences]
        assert topics[number] in {document.topic for document in homes}
    others = python.draw_examples(parts.test, topics, each=3, seed=2)
    assert others.sentences != examples.sentences
    learnt = python.draw_examples(parts.train, topics, 10**6, seed=0)
    assert not set(learnt.sentences) & set(examples.sentences)


def test_missing_source_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(
        python.sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)}
    )
    with pytest.raises(SystemExit, match="source of Python's standard library"):
        python.read_parts()


def test_neighbours_guess_the_commonest():
    rows = np.array([[2, 5, 6, 7, 3], [2, 5, 6, 7, 3], [2, 5, 8, 7, 3]])
    guess = baselines.Neighbours(rows, special=(0, 1, 2, 3, 4))
    assert guess(5, 7) == 6
    assert guess(6, 9) == 7  # By the left one alone.
    assert guess(4, 9) == guess.most_frequent in (5, 7)


def test_word_counts_are_naive_bayes():
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    random = np.random.RandomState(0)
    words = np.array(list("abcdefghij"))
    texts = [" ".join(random.choice(words, 6)) for _ in range(80)]
    labels = np.arange(80) % 4
    given = python.Examples(texts[:40], labels[:40])
    guess = baselines.WordCounts(given)
    counter = CountVectorizer(token_pattern=r"\S+")
    oracle = MultinomialNB(fit_prior=False).fit(
        counter.fit_transform(texts[:40]), labels[:40]
    )
    expected = oracle.predict(counter.transform(texts[40:]))
    assert list(map(guess, texts[40:])) == expected.tolist()


def test_counting_is_examined_on_hidden_tokens_alone():
    x = {
        "token_ids": np.array([[2, 4, 6, 7, 3]]),
        "masked_positions": np.array([[1, 3, 0]]),
    }
    y = {"masked_tokens": np.array([[9, 7, -1]])}
    asked = []

    def guess(left, right):
        asked.append((left, right))
        return 7

    assert pretraining.share_right([(x, y)], guess) == 0.5
    assert asked == [(2, 6), (6, 3)]


def test_strategies_see_the_same_rows_and_examinations(monkeypatch):
    runs = []

    def pretrain(rows, vocabulary, epochs, held_out, strategy, seed):
        runs.append((rows.tolist(), strategy))
        curve = pretraining.Curve(held_out)
        curve.held = [0.5]
        return None, curve

    monkeypatch.setattr(pretraining, "pretrain", pretrain)
    monkeypatch.setattr(pretraining, "accuracy", lambda *_: 0.25)
    words = WordVocabulary.train(["a b c d e f"], special_tokens=["[MASK]"])
    rows = np.arange(5, 11)[:, None] * np.ones((1, 8), "int32")
    outcomes = pretraining.compare_strategies(
        rows.astype("int32"), rows.astype("int32"), words, pretraining.QUICK, 0
    )
    assert all(seen == runs[0][0] for seen, _ in runs)
    assert [s for _, s in runs] == list(pretraining.STRATEGIES.values())
    assert {(o.tokens, o.words) for o in outcomes.values()} == {(0.5, 0.25)}


def test_puzzles_hide_one_whole_word():
    text = "the window closes slowly"
    words = SubwordVocabulary(
        ["the", "window", "close", "##s", "slowly"], special_tokens=["[MASK]"]
    )
    for puzzle in pretraining.make_puzzles([text] * 9, words, 9, seed=0):
        assert puzzle.word in ("window", "slowly")
        assert puzzle.text.replace("____", puzzle.word) == text
        shown = words.encode(text, start=True, end=True)
        assert shown[puzzle.position] == words.token_to_id(puzzle.word)
        shown[puzzle.position] = words.mask_id
        assert puzzle.ids == shown


def test_answers_stand_where_they_are_said_to(parts):
    questions = tokens.make_questions(parts.train)
    assert len(questions) > 200
    kinds = collections.Counter(question.kind for question in questions)
    assert set(kinds) == {"takes", "does", "returns"}
    for question in questions:
        assert question.passage.startswith(question.answer, question.begin)
        assert question.passage == " ".join(question.lines)


def test_questions_about_a_class():
    _, door = python.module_documents("doors", SOURCE)
    entries = tuple(entry for entry in door.entries if entry.paragraphs)
    found = tokens.make_questions([door._replace(entries=entries)])
    assert [(q.text, q.answer) for q in found] == [
        ("What does open do?", "Return the door as it is then."),
        ("What does open take?", "*, slowly=True"),
        ("What returns the door as it is then?", "open"),
        ("What does make do?", "Return a new door of the usual kind."),
        ("What returns a new door of the usual kind?", "make"),
    ]
    windows = tokens.windows_of(found, WordVocabulary.train([found[0].passage]))
    assert isinstance(windows, SpanWindows) and windows.spans.all(axis=1).all()
    answers = [tokens.most_alike(question) for question in found]
    scores = tokens.scores_of(found, answers)
    assert scores["takes"][0] == scores["returns"][0] == 0
    gold = [question.answer for question in found]
    assert set(tokens.scores_of(found, gold).values()) == {(100.0, 100.0)}


def test_marks_become_tags():
    marked = (
        'The "try" statement calls "str.join()" of *iterable*, an "abc", with '
        '"None", "x + 1" or \'"a"\' (2*n*m).'
    )
    words, tags = tokens.tag(marked)
    assert '"' not in " ".join(words[:18]) and "*" not in words[:18]
    named = {}
    for kind, first, last in tokens.tag_chunks(tags):
        named[" ".join(words[first : last + 1])] = kind
    assert named == {
        "try": "keyword",
        "str.join": "function",
        "iterable": "term",
        "abc": "name",
        "None": "value",
        "x + 1": "expression",
    }
    assert len(words) == len(tags) and set(tags) <= set(tokens.TAGS)


def test_tags_are_of_the_reference_alone(parts):
    sentences, tags = tokens.tag_documents(parts.train)
    assert len(sentences) == len(tags) > 100
    marks = sum('"' in words for words in sentences)
    assert marks < 0.02 * len(sentences)
    inside = sum(name != "O" for row in tags for name in row)
    assert 0.05 < inside / sum(map(len, tags)) < 0.5


def test_f1_of_entities_is_that_of_the_metric():
    from seqeval.metrics import f1_score

    random = np.random.RandomState(0)
    gold, found = random.choice(tokens.TAGS, size=(2, 20, 30)).tolist()
    expected = 100 * f1_score(gold, found)
    assert tokens.entity_f1(gold, found) == pytest.approx(expected)


def test_commonest_tag_of_a_word():
    guess = baselines.CommonTags(
        [["a", "b", "a"], ["a"]], [["X", "O", "Y"], ["Y"]]
    )
    assert guess(["a", "b", "new"]) == ["Y", "O", "O"]


def test_words_of_a_picture_are_where_there_is_room():
    placed = list(pictures.typeset([["ab", "cd", "ef"], ["g"]], columns=6))
    assert placed == [
        [("ab", 0, 0), ("cd", 3, 0), ("ef", 0, 1)],
        [("g", 0, 3)],
    ]


def is_picture(path, smallest_side=200):
    """Whether the file is a PNG of at least this size, and not empty."""
    drawn = matplotlib.image.imread(path, format="png")
    return min(drawn.shape[:2]) > smallest_side and drawn.std() > 0.02


def test_both_tell_their_story(tmp_path, capsys, monkeypatch):
    """The second goes on with what the first has left.

    A smaller network, and half of the strategies: what takes long is compiling.
    """
    monkeypatch.setattr(pretraining, "BLOCKS", 1)
    some = dict(list(pretraining.STRATEGIES.items())[::3])
    monkeypatch.setattr(pretraining, "STRATEGIES", some)
    first, second = tmp_path / "first", tmp_path / "second"
    assert pretraining.main(["--quick", "--out", str(first)]) == 0
    printed = capsys.readouterr().out
    assert keras.backend.backend() in printed
    for name in (*pretraining.STRATEGIES, "by both neighbours", "pre-trained"):
        assert name in printed
    names = ("learning_curves", "hidden_words", "fine_tuning")
    assert all(is_picture(first / f"{name}.png") for name in names)

    arguments = ["--quick", "--out", str(second), "--encoder", str(first)]
    assert tokens.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "that of tutorial 4" in printed
    for name in ("the line most alike", "most common tag", "pre-trained"):
        assert name in printed
    assert all(is_picture(second / f"{n}.png") for n in ("answers", "tags"))


def test_without_an_encoder_one_is_trained(tmp_path, parts, capsys):
    encoder, vocabulary = tokens.load_encoder(
        tmp_path, parts, tokens.QUICK, seed=0
    )
    assert "a shorter pre-training" in capsys.readouterr().out
    assert encoder.vocabulary_size == len(vocabulary)
    same, new = (tokens.copy_of(encoder, read) for read in (True, False))
    pairs = zip(encoder.get_weights(), same.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    pairs = zip(encoder.get_weights(), new.get_weights(), strict=True)
    assert not all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("tutorial", [pretraining, tokens])
def test_missing_package_is_named(tutorial, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"matplotlib.*keras_dl\[plots\]"):
        tutorial.main([])
