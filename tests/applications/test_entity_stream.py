"""ERNIE's entities in BERT: what they reach, training, files, errors."""

import keras
import numpy as np
import pytest
from keras import ops
from masks import vocabulary
from sequences import compiled, normal

import keras_dl
from keras_dl.applications import BERT, TaskModel
from keras_dl.heads import EntityAlignment, MaskedLM
from keras_dl.layers import (
    EntityFusionBlock,
    EntityStream,
    TransformerEncoderBlock,
)
from keras_dl.models import features
from keras_dl.text import EntityAlignments, MaskedBatches, TokenMasking

IDS = np.array([[5, 6, 7, 8, 9, 0], [5, 6, 7, 8, 9, 10]], "int32")
ENTITIES = np.array([[-1, 2, -1, 3, -1, -1], [-1, -1, 1, 0, -1, -1]], "int32")
WORDS = vocabulary(40)
VECTORS = "entity_stream/embedding/embeddings"


def stream(**changes):
    sizes = {"num_heads": 2, "num_layers": 2, **changes}
    return EntityStream.of_vectors(normal(6, 4), **sizes)


def encoder(entity_stream=None, **changes):
    sizes = {
        "num_layers": 3,
        "hidden_dim": 8,
        "num_heads": 2,
        "intermediate_dim": 12,
        "max_sequence_length": 8,
        "dropout": 0.0,
        "initializer_range": 0.3,
    }
    return BERT(40, entity_stream=entity_stream, **{**sizes, **changes})


def outputs(model, ids=IDS, entities=ENTITIES):
    given = {"token_ids": ids, "entity_ids": entities}
    found = compiled(model, model)(given)
    return keras.tree.map_structure(ops.convert_to_numpy, found)


def test_parameters():
    """Those of BERT, and what the formulas add to the last six layers."""
    with keras.StatelessScope():
        model = BERT.of_size("bert_base", entity_stream=EntityStream(10))
        count = model.count_params()
        keras.utils.clear_session()
    attention, norm, wide = 4 * (100 * 100 + 100), 2 * 100, 3072
    narrow = wide * 100 + 100
    inner = attention + norm + 100 * wide
    expected = 6 * inner + 5 * (narrow + norm) + 10 * 100
    assert count == 109_482_240 + expected


def test_the_last_blocks_fuse():
    kinds = [type(block) for block in encoder(stream()).blocks]
    assert kinds == [TransformerEncoderBlock] + 2 * [EntityFusionBlock]
    plain = encoder()
    assert {type(b) for b in plain.blocks} == {TransformerEncoderBlock}
    assert not any("entity" in w.path for w in plain.weights)
    assert "entity_output" not in plain(IDS)


def test_what_entities_reach():
    """In the first block that fuses, their own tokens alone; then all."""
    model = encoder(stream())
    other = np.where(ENTITIES == 2, 5, ENTITIES)
    names = [f"hidden_states/{i}" for i in range(model.num_layers + 1)]
    look = compiled(model, lambda x: features(model, x, names))
    one, two = (
        look({"token_ids": IDS, "entity_ids": e}) for e in (ENTITIES, other)
    )
    changed = [
        np.abs(ops.convert_to_numpy(one[name] - two[name])).max(-1) > 1e-5
        for name in names
    ]
    assert not changed[0].any() and not changed[1].any()
    # Entity 3, beside it, reads it too.
    first = np.zeros(IDS.shape, bool)
    first[0, [1, 3]] = True
    np.testing.assert_array_equal(changed[2], first)
    assert changed[3][0, :5].all() and not changed[3][1].any()


def test_padding_and_entities_on_it_change_nothing():
    model = encoder(stream(returns_entities=True))
    short = outputs(model, IDS[:1, :5], ENTITIES[:1, :5])
    on_padding = ENTITIES[:1].copy()
    on_padding[0, 5] = 4
    for entities in (ENTITIES[:1], on_padding):
        long = outputs(model, IDS[:1], entities)
        for name in ("sequence_output", "entity_output"):
            there = ... if name == "sequence_output" else [1, 3]
            np.testing.assert_allclose(
                short[name][0][there], long[name][0, :5][there], atol=1e-5
            )


def test_no_entities_are_none():
    model = encoder(stream())
    none = outputs(model, entities=np.full_like(IDS, -1))
    found = compiled(model, model)(IDS)
    np.testing.assert_allclose(
        none["sequence_output"], found["sequence_output"], atol=1e-6
    )
    with_some = outputs(model)["sequence_output"]
    assert np.abs(with_some - none["sequence_output"]).max() > 1e-3


def test_patterns_hide_entities_too():
    model = encoder(stream())
    given = {"token_ids": IDS, "attention_pattern": np.array([1, 1], "int32")}
    run = compiled(model, model)
    other = ENTITIES.copy()
    other[:, 3] = 5
    one, two = (
        ops.convert_to_numpy(run({**given, "entity_ids": e})["sequence_output"])
        for e in (ENTITIES, other)
    )
    np.testing.assert_allclose(one[:, :3], two[:, :3], atol=1e-6)
    assert (np.abs(one[:, 3:5] - two[:, 3:5]).max(-1) > 1e-4).all()


def test_every_variable_gets_a_gradient():
    model = encoder(
        stream(returns_entities=True, trainable=True),
        num_layers=2,
        pooler=None,
        max_sequence_length=6,
    )
    given = {"token_ids": IDS, "entity_ids": ENTITIES, "segment_ids": IDS % 2}

    def loss():
        return sum(ops.sum(x**3) for x in model(given).values())

    def both():
        return keras_dl.variable_gradients(loss, model.trainable_variables)

    _, gradients = compiled(model, both)()
    for variable, gradient in zip(
        model.trainable_variables, gradients, strict=True
    ):
        reached = np.abs(ops.convert_to_numpy(gradient)).max() > 0
        assert reached or variable.path.endswith("key/bias"), variable.path


def batches():
    """Texts of words `w` with the entity `w % 6` at their second token."""
    words = np.random.RandomState(0).randint(5, 17, size=(64, 6))
    entities = np.full(words.shape, -1)
    entities[:, [1, 4]] = words[:, [1, 4]] % 6
    extra = EntityAlignments(entities, num_candidates=6)
    masking = TokenMasking(WORDS)
    return MaskedBatches(words, masking, WORDS, batch_size=16, extras=[extra])


def test_pretraining():
    model = TaskModel(
        encoder(stream(num_layers=1), hidden_dim=16, num_layers=2),
        {"masked_tokens": MaskedLM(), "entities": EntityAlignment()},
    )
    before = [w.copy() for w in model.get_weights()]
    model.compile(keras.optimizers.Adam(0.01))
    history = model.fit(batches(), epochs=18, verbose=0).history
    for name in ("loss", "entities_loss", "masked_tokens_loss"):
        assert history[name][-1] < 0.97 * history[name][0], name
    assert history["entities_accuracy"][-1] > 0.4
    for old, w in zip(before, model.weights, strict=True):
        changed = np.abs(old - ops.convert_to_numpy(w)).max() > 0
        unused = "pooler" in w.path or w.path.endswith("key/bias")
        assert changed != (w.path == VECTORS) or unused, w.path


def test_choices_of_the_head():
    model = TaskModel(encoder(stream()), EntityAlignment())
    given = {
        "token_ids": IDS,
        "entity_ids": ENTITIES,
        "entity_positions": np.array([[1, 3], [2, 3]], "int32"),
        "entity_candidates": np.array([[2, 3, -1], [0, 1, 5]], "int32"),
    }
    found = model.predict(given, verbose=0)
    assert found.shape == (2, 2, 3) and found.dtype == "float32"
    assert (found[0, :, 2] < -1e8).all()
    del given["entity_positions"]
    everywhere = model.predict(given, verbose=0)
    np.testing.assert_allclose(found[0], everywhere[0, [1, 3]], atol=1e-5)
    # By the formula, in double precision.
    head, vectors = model.heads, normal(6, 4).astype("float64")
    kernel, bias = (w.astype("float64") for w in head.dense.get_weights())
    states = model.encoder.predict(
        {"token_ids": IDS, "entity_ids": ENTITIES}, verbose=0
    )["sequence_output"]
    x = states.astype("float64") @ kernel + bias
    x = keras.ops.convert_to_numpy(keras.ops.gelu(x, approximate=False))
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-12)
    expected = x[1] @ vectors[[0, 1, 5]].T
    np.testing.assert_allclose(everywhere[1], expected, atol=1e-4)


def test_symbolic_and_saved(tmp_path):
    model = encoder(stream(returns_entities=True))
    specs = model.compute_output_spec(
        {"token_ids": keras.Input((5,), dtype="int32")}
    )
    assert specs["entity_output"].shape == (None, 5, 4)
    task = TaskModel(model, {"entities": EntityAlignment()})
    task.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_config() == task.get_config()
    found = outputs(again.encoder)
    for name, value in outputs(model).items():
        np.testing.assert_array_equal(found[name], value)


def test_mixed_precision():
    model = encoder(stream(), dtype="mixed_bfloat16")
    full = encoder(stream())
    full.set_weights(model.get_weights())
    found = outputs(model)["sequence_output"]
    assert str(found.dtype) == "bfloat16"
    np.testing.assert_allclose(
        found[1].astype("float32"),
        outputs(full)["sequence_output"][1],
        atol=0.1,
    )


def test_from_hugging_face_and_not_back(tmp_path):
    """Tokens from the file, entities new; no file could hold them."""
    plain = encoder()
    plain.to_hugging_face(tmp_path)
    model = BERT.from_hugging_face(tmp_path, entity_stream=stream())
    left = {w.path.split("/", 1)[1]: w for w in model.weights}
    for w in plain.weights:
        found = left.pop(w.path.split("/", 1)[1])
        np.testing.assert_array_equal(
            ops.convert_to_numpy(found), ops.convert_to_numpy(w)
        )
    assert left and all("entity" in w.path for w in left.values())
    with pytest.raises(ValueError, match="has entity_stream=None. Received"):
        model.to_hugging_face(tmp_path)


def test_entities_that_there_are_not():
    model = encoder(stream())
    wrong = np.where(ENTITIES == 2, 6, ENTITIES)
    given = {"token_ids": IDS, "entity_ids": wrong}
    with pytest.raises(ValueError, match="`entity_ids` must be from -1 to 5"):
        model.predict(given, verbose=0)
    found = outputs(model, entities=wrong)["sequence_output"]
    assert np.isnan(found[0, :5]).all() and np.isfinite(found[1]).all()


def test_bad_input():
    with pytest.raises(TypeError, match="`entity_stream` must be.*'kg'"):
        encoder("kg")
    with pytest.raises(ValueError, match="num_layers.*at most 3.*=4"):
        encoder(stream(num_layers=4))
    with pytest.raises(ValueError, match="`num_distinct_layers` must be"):
        encoder(stream(), num_distinct_layers=1)
    given = {"token_ids": IDS, "entity_ids": ENTITIES}
    for use in (encoder(), lambda x: encoder().predict(x, verbose=0)):
        with pytest.raises(ValueError, match="`entity_ids` must be left out"):
            use(given)
    with pytest.raises(ValueError, match="an encoder that reads entities"):
        TaskModel(encoder(), EntityAlignment())
