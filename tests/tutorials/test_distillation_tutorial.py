"""The tutorial on small students: its data, and a short run of it."""

import importlib
import pathlib
import sys

import keras
import matplotlib.image
import numpy as np
import pytest

TUTORIALS = pathlib.Path(__file__).parents[2] / "tutorials"
sys.path.insert(0, str(TUTORIALS))
students = importlib.import_module("12_small_students")
pretraining = importlib.import_module("04_pretraining")
python = importlib.import_module("python_documentation")


def test_labelled_sentences_are_among_all():
    parts = python.read_parts(max_files=24)
    topics = python.choose_topics(parts, number=2, least=3)
    words = pretraining.make_vocabulary(parts.train, 300)
    sizes = students.QUICK._replace(labels=3, unlabelled=9)
    given, every, *held = students.draw(parts, topics, words, sizes, seed=1)
    assert given.topics.tolist() == [0, 0, 0, 1, 1, 1]
    assert set(given.sentences) < set(every.sentences)
    for part in held:
        assert not set(part.sentences) & set(every.sentences)


def test_a_bilstm_starts_with_which_words_are_alike():
    words = range(90)
    teacher = students.small_bert(words, 2)
    student = students.bilstm(words, 2)
    students.start_with_words(student, teacher)
    table, own = (
        keras.ops.convert_to_numpy(m.encoder.token_embedding.embeddings)
        for m in (teacher, student)
    )
    table = table - table.mean(axis=0)
    likeness = np.corrcoef((own @ own.T).ravel(), (table @ table.T).ravel())
    assert likeness[0, 1] > 0.8


def test_it_tells_its_story(tmp_path, capsys, monkeypatch):
    """Half of the ways: what takes long is compiling."""
    monkeypatch.setattr(pretraining, "BLOCKS", 1)
    names = ("BERT, soft targets", "BERT, as TinyBERT", "BiLSTM, logits")
    ways = {name: students.WAYS[name] for name in names}
    monkeypatch.setattr(students, "WAYS", ways)
    monkeypatch.setattr(students, "TEMPERATURES", (4.0,))
    assert students.main(["--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for name in (*names, "counting words", "teacher", keras.backend.backend()):
        assert name in printed
    drawn = matplotlib.image.imread(tmp_path / "small_students.png")
    assert min(drawn.shape[:2]) > 200 and drawn.std() > 0.02
    student = keras.saving.load_model(tmp_path / "student.keras")
    assert student.predict(np.ones((1, 4), "int32"), verbose=0).shape == (1, 2)


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"matplotlib.*keras_dl\[plots\]"):
        students.main([])
