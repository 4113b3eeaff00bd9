"""Heads, units and blocks removed for good: masked equals removed."""

import json
import pathlib

import keras
import numpy as np
import pytest
from keras import layers
from keras.ops import convert_to_numpy as array
from lanes import BACKENDS
from processes import losses, start
from reloaded import arrays
from sequences import normal
from small_models import (
    IDS,
    bert,
    cnn,
    mlp,
    randomized,
    sequential,
    transformer,
    transformer_encoder,
    vgg,
)

from keras_dl import applications
from keras_dl.compression import (
    factorize,
    lowest,
    remove_heads,
    remove_layers,
    remove_units,
    share,
)
from keras_dl.compression.structures import (
    heads_of,
    reading_kernel,
    units_of,
)
from keras_dl.models import feature_paths, features, sublayer


def masked(model, found, gone):
    """Sets the weights that read what shall go to 0."""
    for path, indices in gone.items():
        of = found[path]
        kernel = reading_kernel(sublayer(model, of.reader))
        value = np.array(array(kernel))
        value[..., of.rows[list(indices)].ravel(), :] = 0
        kernel.assign(value)


def check_same(model, remove, structures, gone, x):
    model = randomized(model)
    masked(model, structures(model), gone)
    before, count = array(model(x)), model.count_params()
    smaller = remove(model, gone)
    assert smaller.count_params() < count
    atol = 1e-5 * max(np.abs(before).max(), 1)
    np.testing.assert_allclose(array(smaller(x)), before, atol=atol)
    again = type(smaller).from_config(smaller.get_config())
    again(x)
    again.set_weights(smaller.get_weights())
    np.testing.assert_allclose(array(again(x)), before, atol=atol)


@pytest.mark.parametrize(
    ("make", "gone", "x"),
    [
        (bert, {"encoder/blocks/0/attention": [1]}, IDS),
        (transformer_encoder, {"encoder/blocks/1/attention": [0]}, IDS),
        (
            transformer,
            {"decoder/0/memory_attention": [0], "encoder/0/attention": [1]},
            (IDS, IDS),
        ),
    ],
)
def test_heads(make, gone, x):
    check_same(make(), remove_heads, heads_of, gone, x)


@pytest.mark.parametrize(
    ("make", "gone", "x"),
    [
        (mlp, {"hidden/0": [1, 2], "hidden/3": [0, 4]}, normal(3, 4)),
        (
            vgg,
            {"chain/0": [1], "chain/3": [0], "chain/40": [3], "chain/45": [0]},
            normal(2, 32, 32, 3),
        ),
        (
            cnn,
            {"first": [0, 2], "second": [1], "dense": [4]},
            normal(2, 6, 6, 2),
        ),
        (sequential, {"first": [3, 1]}, normal(2, 6, 2)),
        (bert, {"encoder/blocks/1/widen": range(9)}, IDS),
        (transformer, {"decoder/0/widen": [3]}, (IDS, IDS)),
    ],
)
def test_units(make, gone, x):
    check_same(make(), remove_units, units_of, gone, x)


def test_units_that_many_read_are_none():
    x = inputs = keras.Input((4,))
    x = layers.Dense(4, name="first")(x)
    y = layers.Dense(4, name="second")(x)
    z = layers.Dense(3, activation="softmax", name="third")(x + y)
    out = layers.Dense(2, name="fourth")(z)
    model = keras.Model(inputs, [out, y])
    assert not units_of(model)
    shared = layers.Dense(4, name="shared")
    x = layers.Dense(4, name="before")(inputs)
    model = keras.Model(inputs, shared(shared(x)))
    assert not units_of(model)


@pytest.mark.compiled
def test_a_smaller_model_trains_and_is_read_everywhere(tmp_path):
    model = bert()
    model.compile(keras.optimizers.AdamW(1e-2))
    y = np.array([0, 1])
    model.fit(IDS, y, verbose=0)
    model = factorize(model, ".*blocks/0/attention/query_dense", rank=2)
    model = remove_heads(model, {0: [0], 1: [1]})
    model = remove_units(model, {"encoder/blocks/0/widen": range(12)})
    before = model.predict(IDS, verbose=0)  # Compiled anew.
    with pytest.raises(ValueError, match="call `compile` again"):
        model.fit(IDS, y, verbose=0)
    model.compile(keras.optimizers.AdamW(1e-2))
    model.fit(IDS, y, verbose=0)
    after = model.predict(IDS, verbose=0)
    assert np.abs(before - after).max() > 1e-4
    assert model.encoder.blocks[0].attention.query_dense.rank == 2
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(IDS, verbose=0), after, atol=1e-6)
    again.fit(IDS, y, verbose=0)


def test_files_are_read_on_every_backend(tmp_path):
    """In fresh processes: heads, units and blocks gone, thin, shared."""
    model = remove_layers(bert(4), [0])
    model = remove_heads(model, {0: [0]})
    model = remove_units(model, {"encoder/blocks/0/widen": range(12)})
    model = factorize(model, ".*/blocks/0/.*_dense", rank=1)
    model = factorize(model, "encoder/token_embedding", rank=3)
    model = share(model, [[1, 2]])
    convolutional = remove_units(cnn(), {"first": [0, 2], "second": [1]})
    expected = {}
    for name, one, x in (
        ("bert", model, IDS),
        ("cnn", convolutional, normal(2, 6, 6, 2)),
    ):
        one.save(tmp_path / f"{name}.keras")
        (tmp_path / f"{name}.json").write_text(json.dumps([x.tolist()]))
        expected[name] = arrays(one(x))
    script = pathlib.Path(__file__).parents[1] / "reloaded.py"
    running = [start(script, b, str(tmp_path)) for b in BACKENDS]
    for process in running:
        found = losses(process)
        for name, outputs in expected.items():
            np.testing.assert_allclose(found[name], outputs, atol=1e-5)


def test_layers():
    model = randomized(bert(4, head_dim=4))
    model = remove_heads(model, {3: [0]})
    blocks = [model.encoder.blocks[i] for i in (0, 3)]
    x = features(model, IDS, ["hidden_states/0"])["hidden_states/0"]
    mask = IDS > 0
    for block in blocks:
        x = block(x, mask=mask)
    model = remove_layers(model, range(1, 3))
    assert model.encoder.num_layers == 2
    assert "hidden_states/3" not in feature_paths(model)
    found = features(model, IDS, ["hidden_states/2"])["hidden_states/2"]
    np.testing.assert_array_equal(array(found), array(x))
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(array(again(IDS)), array(model(IDS)))
    assert again.encoder.blocks[1].attention.num_heads == 1
    body = applications.TransformerEncoder(20, 3, 8, [2, 1, 2], 16, head_dim=4)
    body = remove_layers(body, [2])
    again = type(body).from_config(body.get_config())
    assert again.num_heads == (2, 1) and len(again.blocks) == 2


def test_a_shorter_bert_is_one_of_hugging_face(tmp_path):
    encoder = remove_layers(bert(3).encoder, [1])
    encoder.to_hugging_face(tmp_path)
    again = applications.BERT.from_hugging_face(tmp_path)
    np.testing.assert_allclose(
        array(again(IDS)["pooled_output"]),
        array(encoder(IDS)["pooled_output"]),
        atol=1e-6,
    )
    encoder = remove_heads(encoder, {0: [1]})
    with pytest.raises(ValueError, match="of layers that were replaced"):
        encoder.to_hugging_face(tmp_path / "other")


@pytest.mark.parametrize(
    ("remove", "gone", "message"),
    [
        (remove_heads, {0: [0, 1]}, "`heads` must leave one of the 2 of 'enc"),
        (remove_heads, {0: [1], 1: [2]}, "`heads` must hold integers from 0"),
        (remove_heads, {0: [1], 7: [0]}, "or by a number below 2"),
        (remove_heads, {0: [1], "encoder/x": [0]}, "has no sublayer"),
        (remove_heads, {"encoder/blocks/0": [0]}, "must name layers whose"),
        (
            remove_units,
            {"encoder/blocks/0/narrow": [0]},
            "whose units can be removed",
        ),
        (remove_units, {"encoder/blocks/0/widen": [-1]}, "integers from 0 to"),
        (remove_layers, [0, 1], "`layers` must leave one of the 2 of"),
        (remove_layers, [2], "`layers` must hold integers from 0 to 1"),
    ],
)
def test_what_is_refused_changes_nothing(remove, gone, message):
    model = bert()
    config, before = model.get_config(), array(model(IDS))
    with pytest.raises(ValueError, match=message):
        remove(model, gone)
    assert model.get_config() == config
    np.testing.assert_array_equal(array(model(IDS)), before)


def test_models_without_blocks_to_remove():
    with pytest.raises(ValueError, match="`model` must be an encoder"):
        remove_layers(mlp(), [0])
    with pytest.raises(ValueError, match="Blocks of a LSTMEncoder"):
        remove_layers(applications.LSTMEncoder(20, 4, 4), [0])
    with pytest.raises(ValueError, match="share blocks"):
        remove_layers(bert(num_distinct_layers=1), [0])
    inputs = keras.Input((3, 4))
    block = applications.TransformerEncoder(20, 1, 4, 1, 4).blocks[0]
    model = keras.Model(inputs, block(inputs))
    with pytest.raises(ValueError, match="config can record"):
        remove_units(model, {f"{block.name}/widen": [0]})


def test_lowest():
    scores = {"a": np.array([0.3, 0.1, 0.2]), "b": np.array([0.0, 0.05])}
    assert lowest(scores, 3) == {"a": [1, 2], "b": [0]}
    assert lowest(scores, share=0.5) == {"a": [1], "b": [0]}
    assert lowest(scores, share=0.5, scope="local") == {"a": [1, 2], "b": [0]}
    assert lowest(scores, 1, scope="local") == {"a": [1], "b": [0]}
    assert lowest(scores, 1, at_least=2) == {"a": [1], "b": []}
    assert lowest(scores["a"], 2) == [1, 2]
    assert lowest(scores["a"], 0) == []
    for name, wrong in {
        "`number` must": {"number": 4},
        "`number` must be": {"number": -1},
        "Give one of `number`": {},
        "Give one of": {"number": 1, "share": 0.5},
        "`share` must": {"share": 1.0},
        "`scope` must": {"number": 1, "scope": "layer"},
    }.items():
        with pytest.raises(ValueError, match=name):
            lowest(scores, **wrong)
