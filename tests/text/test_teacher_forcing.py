"""TeacherForcingBatches: what encoder and decoder read and write."""

import keras
import numpy as np
import pytest
from sequences import tokenizer_with_padding

from keras_dl.text import (
    CharacterVocabulary,
    TeacherForcingBatches,
    WordVocabulary,
    as_vocabulary,
)

NUMBERS = (2 ** np.random.RandomState(0).uniform(0, 20, size=60)).astype(int)
SOURCES = [f"{n:x}" for n in NUMBERS]
TARGETS = [f"{n:o}" for n in NUMBERS]
HEX = CharacterVocabulary.train(SOURCES)
OCTAL = CharacterVocabulary.train(TARGETS)


def batches(**arguments):
    given = {"batch_size": 8, "num_buckets": 3, **arguments}
    return TeacherForcingBatches(SOURCES, TARGETS, HEX, OCTAL, **given)


@pytest.mark.parametrize("shuffle", [False, True])
def test_pairs(shuffle):
    found = []
    for (source, target_in), target_out in batches(shuffle=shuffle):
        assert source.dtype == target_in.dtype == target_out.dtype == "int32"
        np.testing.assert_array_equal(target_in[:, 0], OCTAL.start_id)
        # What is read is what was to be written one step before.
        shifted = np.where(target_out == OCTAL.end_id, 0, target_out)
        np.testing.assert_array_equal(target_in[:, 1:], shifted[:, :-1])
        sums = (target_out == OCTAL.end_id).sum(axis=1)
        np.testing.assert_array_equal(sums, 1)
        texts = HEX.decode_batch(source), OCTAL.decode_batch(target_out)
        found += zip(*texts, strict=True)
    pairs = list(zip(SOURCES, TARGETS, strict=True))
    assert sorted(found) == sorted(pairs)


def test_padding_is_shorter_in_buckets():
    share = batches().padding_share
    assert share < batches(num_buckets=1).padding_share
    ids = [array for (a, b), c in batches() for array in (a, b, c)]
    zeros = sum((array == 0).sum() for array in ids)
    assert np.isclose(share, zeros / sum(array.size for array in ids))


def test_boundaries_are_pairs():
    made = batches(boundaries=[(4, 7), (6, 9)])
    assert made.boundaries == ((4, 7, 7), (6, 9, 9))
    shapes = {(a.shape[1], b.shape[1], c.shape[1]) for (a, b), c in made}
    assert shapes == {(4, 7, 7), (6, 9, 9)}
    assert batches(boundaries=[9]).boundaries == ((9, 9, 9),)
    assert batches(boundaries=range(8, 10)).boundaries == ((8, 8, 8),)
    table = np.array([(4, 7), (6, 9)])
    assert batches(boundaries=table).boundaries == made.boundaries


def test_boundaries_may_be_those_of_others():
    train = batches()
    assert batches(boundaries=train.boundaries).boundaries == train.boundaries


def test_each_vocabulary_has_its_padding():
    pair = [as_vocabulary(tokenizer_with_padding(id)) for id in (1, 4)]
    ((x, y),) = TeacherForcingBatches(
        ["a a", "a"], ["b", "b a"], *pair, batch_size=2, num_buckets=1
    )
    assert x[0].tolist() == [[0, 0], [0, 1]]
    assert x[1].tolist() == [[2, 1, 4], [2, 1, 0]]
    assert y.tolist() == [[1, 3, 4], [1, 0, 3]]


def test_what_is_handed_on():
    def targets(**arguments):
        return [y.tolist() for _, y in batches(shuffle=True, **arguments)]

    assert targets(seed=1) == targets(seed=1) != targets(seed=2)
    assert {len(y) for y in targets(drop_remainder=True)} == {8}
    for x, y in batches(batch_size=None, tokens_per_batch=100):
        assert x[0].size + x[1].size + y.size <= 100


def test_one_bucket_holds_the_longest():
    made = batches(num_buckets=1)
    longest = max(map(len, SOURCES)), max(map(len, TARGETS)) + 1
    assert made.boundaries == ((longest[0], longest[1], longest[1]),)


def test_max_length_cuts_and_keeps_the_end():
    made = batches(max_length=2, num_buckets=1)
    found = []
    for (source, target_in), target_out in made:
        assert source.shape[1] == 2 and target_out.shape[1] == 3
        np.testing.assert_array_equal(target_in[:, 0], 2)
        assert (target_out == 3).any(axis=1).all()
        found += zip(
            HEX.decode_batch(source),
            OCTAL.decode_batch(target_out),
            strict=True,
        )
    cut = [(s[:2], t[:2]) for s, t in zip(SOURCES, TARGETS, strict=True)]
    assert sorted(found) == sorted(cut)


def test_orders():
    def read(made):
        return [OCTAL.decode(row) for (_, _), y in made for row in y]

    one, two = (batches(shuffle=True, seed=4) for _ in range(2))
    one.epoch = two.epoch = 3
    assert read(one) == read(two) != read(batches(shuffle=True, seed=4))


def test_fit():
    made = batches(shuffle=True, batch_size=20, num_buckets=2)
    source, target = (keras.Input((None,), dtype="int32") for _ in range(2))
    embedded = keras.layers.Embedding(HEX.size, 8)(source)
    summary = keras.layers.GlobalAveragePooling1D(keepdims=True)(embedded)
    decoder = keras.layers.Embedding(OCTAL.size, 8)(target) + summary
    outputs = keras.layers.Dense(OCTAL.size)(decoder)
    model = keras.Model((source, target), outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=OCTAL.pad_id
    )
    model.compile(keras.optimizers.Adam(0.02), loss)
    history = model.fit(made, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": TARGETS[1:]}, "`targets`.*60 sources, 59 targets"),
        ({"sources": [], "targets": []}, "`sources`.*none"),
        (
            {"sources": ["a", ""], "targets": ["1", "2"]},
            r"`sources`.*sources\[1\]",
        ),
        ({"max_length": 0}, "`max_length`.*max_length=0"),
        ({"boundaries": [(9, 2)]}, r"`boundaries`.*example 0.*\[3, 5, 5\]"),
        ({"boundaries": [(9, 9, 8)]}, r"`boundaries`.*\[\(9, 9, 8\)\]"),
        ({"boundaries": 0}, "`boundaries`.*boundaries=0"),
        ({"batch_size": None}, "either `batch_size` or `tokens_per_batch`"),
    ],
)
def test_wrong_arguments(arguments, message):
    given = {
        "sources": SOURCES,
        "targets": TARGETS,
        "source_vocabulary": HEX,
        "target_vocabulary": OCTAL,
        "batch_size": 8,
        **arguments,
    }
    with pytest.raises(ValueError, match=message):
        TeacherForcingBatches(**given)


def test_vocabularies_are_checked():
    with pytest.raises(TypeError, match="`tokenizer`.*Received: int"):
        TeacherForcingBatches(["a"], ["b"], HEX, 7, batch_size=1)
    words = WordVocabulary(["a"])
    assert len(TeacherForcingBatches(["a"], ["a b"], words, words, 1)) == 1
