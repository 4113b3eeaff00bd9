"""Layers replaced for good, and what configs and files say of them."""

import keras
import numpy as np
import pytest
from keras import layers
from keras.ops import convert_to_numpy as array

import keras_dl
from keras_dl import applications, heads
from keras_dl.models import (
    replace_layer,
    replace_layers,
    sublayer,
    variables_by_path,
)

IDS = np.array([[2, 5, 6, 3], [2, 9, 3, 0]])


def bert():
    encoder = applications.BERT(20, 2, 8, 2, 16, max_sequence_length=6)
    return applications.TaskModel(encoder, heads.Classification(3))


def thin(inputs, units, rank=2):
    """Two products in the place of one."""
    return keras.Sequential(
        [
            keras.Input((None, inputs)),
            layers.Dense(rank, use_bias=False),
            layers.Dense(units),
        ]
    )


def mlp():
    model = applications.MLP((8,), num_outputs=3)
    model.build((None, 5))
    return model


@pytest.mark.compiled
def test_a_replaced_layer_survives_its_file(tmp_path):
    model = bert()
    count = model.count_params()
    found = replace_layer(model, "encoder/blocks/0/widen", thin(8, 16))
    assert found is model and model.count_params() < count
    quantized = replace_layer(model, "encoder/blocks/1/widen", thin(8, 16))
    quantized.quantize("int8", filters="query")
    assert list(model.encoder.replaced) == ["blocks/0/widen", "blocks/1/widen"]
    model.compile("sgd")
    kernel = sublayer(model, "encoder/blocks/0/widen/layers/0").kernel
    before = array(kernel)
    model.fit(IDS, np.array([0, 1]), verbose=0)
    assert not np.array_equal(before, array(kernel))
    model.save(tmp_path / "model.keras")
    layers.Dense(1), layers.LSTM(1)  # Numbers in names are others now.
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(IDS, verbose=0), model.predict(IDS, verbose=0)
    )
    # The encoder alone keeps them, too.
    again = type(model.encoder).from_config(model.encoder.get_config())
    assert len(sublayer(again, "blocks/0/widen").layers) == 2


@pytest.mark.compiled
def test_what_was_compiled_is_compiled_anew():
    model, x = mlp(), np.ones((2, 5), "float32")
    model.predict(x, verbose=0)
    replace_layer(model, "hidden/0", thin_flat(5, 8))
    np.testing.assert_allclose(
        model.predict_logits(x, verbose=0), array(model(x)), rtol=1e-5
    )


def test_a_model_that_is_built_later():
    model = mlp()
    replace_layer(model, "hidden/0", thin_flat(5, 8))
    again = applications.MLP.from_config(model.get_config())
    again.build((None, 5))
    assert list(again.replaced) == ["hidden/0"]
    assert [v.shape for v in again.weights] == [v.shape for v in model.weights]
    assert again.get_config()["replaced"].keys() == {"hidden/0"}


def thin_flat(inputs, units):
    return keras.Sequential(
        [keras.Input((inputs,)), layers.Dense(2), layers.Dense(units)]
    )


@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_in_a_functional_model_another_one_is_made(kind, tmp_path):
    parts = [layers.Dense(4, name="wide"), layers.Dense(2, name="last")]
    model = keras.Sequential([keras.Input((3,)), *parts])
    if kind == "functional":
        x = keras.Input((3,))
        model = keras.Model(x, parts[1](parts[0](x)))
    new = replace_layer(model, "wide", thin_flat(3, 4))
    assert new is not model and new.get_layer("last") is parts[1]
    x = np.ones((1, 3), "float32")
    new.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(array(again(x)), array(new(x)), rtol=1e-6)
    assert model.count_params() != new.count_params()
    assert replace_layer(model, "layers/0", thin_flat(3, 4)) is not model
    # One inside another.
    outer = keras.Sequential([keras.Input((3,)), model])
    newer = replace_layer(outer, f"{model.name}/wide", thin_flat(3, 4))
    assert newer.count_params() == new.count_params()


def test_several_at_once_or_none():
    """What fits together alone; an error changes none of them."""
    x, parts = keras.Input((3,)), [layers.Dense(4, name="wide")]
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="last")])
    model = keras.Model(x, inner(parts[0](x)))
    narrow, last = layers.Dense(1), layers.Dense(2)
    narrow.build((None, 3))
    last.build((None, 1))
    head = {"wide": narrow, f"{inner.name}/last": last}
    with pytest.raises(ValueError):
        replace_layers(model, head)  # The inner model's input is of size 4.
    flat = keras.Sequential(
        [keras.Input((3,)), parts[0], layers.Dense(2, name="last")]
    )
    new = replace_layers(flat, {"wide": narrow, "last": last})
    assert new.count_params() == 8 and flat.count_params() == 26
    model, config = mlp(), mlp().get_config()
    with pytest.raises(ValueError, match="has no sublayer"):
        replace_layers(model, {"hidden/0": thin_flat(5, 8), "hidden/9": last})
    assert model.get_config().keys() == config.keys()


@pytest.mark.compiled
def test_what_holds_a_changed_model_is_compiled_anew():
    """Its functions are made again; its optimizer is refused."""
    body = applications.TransformerEncoder(20, 1, 8, 1, 8)
    model = applications.TaskModel(body, heads.Classification(3))
    model.compile(keras.optimizers.Adam())
    y = np.array([0, 1])
    model.fit(IDS, y, verbose=0)
    model.evaluate(IDS, y, verbose=0)
    replace_layer(model.encoder, "blocks/0/widen", thin(8, 8))
    model.evaluate(IDS, y, verbose=0)
    np.testing.assert_allclose(
        model.predict_logits(IDS, verbose=0), array(model(IDS)), rtol=1e-4
    )
    for train in (model.fit, model.train_on_batch):
        with pytest.raises(ValueError, match="call `compile` again. Gone are"):
            train(IDS, y)
    model.compile(keras.optimizers.Adam())
    model.fit(IDS, y, verbose=0)


def test_what_nobody_would_record_is_refused():
    hub = pytest.importorskip("keras_hub", reason="keras-nlp is not installed")
    backbone = hub.models.BertBackbone(
        vocabulary_size=20,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=8,
    )
    encoder = keras_dl.models.BackboneEncoder(backbone)
    table = layers.Embedding(20, 8, name="token_embedding")
    table.build((None, None))
    replace_layer(encoder, "backbone/token_embedding", table)
    assert encoder.token_embedding is table
    assert list(encoder.replaced) == ["backbone"]
    path = "transformer_layer_0/feedforward_intermediate_dense"
    replace_layer(encoder, f"backbone/{path}", thin(8, 16))
    again = type(encoder).from_config(encoder.get_config())
    assert [v.shape for v in again.weights] == [
        v.shape for v in encoder.weights
    ]
    with pytest.raises(ValueError, match="`path` must lead to a layer whose"):
        replace_layer(backbone, path, thin(8, 16))
    with pytest.raises(ValueError, match="has no sublayer"):
        replace_layer(mlp(), "hidden/7", thin_flat(5, 8))
    with pytest.raises(ValueError, match="`layer` must be built"):
        replace_layer(mlp(), "hidden/0", layers.Dense(8))
    with pytest.raises(TypeError, match="`layer` must be a Keras layer"):
        replace_layer(mlp(), "hidden/0", "dense")


def test_variables_by_path():
    model = bert()
    found = variables_by_path(model)
    assert [id(v) for v in found.values()] == [id(v) for v in model.weights]
    kernel = model.encoder.blocks[1].attention.query_dense.kernel
    path = "encoder/blocks/1/attention/query_dense/kernel"
    assert found[path] is kernel


@pytest.mark.filterwarnings("ignore:Layer .* does not have a")
def test_several_replaced_layers_are_quantized():
    """What is quantized is looked for when all of them are in their places."""
    model = bert()
    paths = [f"blocks/{i}/widen" for i in range(2)]
    for path in paths:
        replace_layer(model.encoder, path, thin(8, 16))
    model.quantize("int8")
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert list(again.encoder.replaced) == paths
    for path in paths:
        parts = sublayer(again.encoder, path).layers
        assert [x.quantization_mode for x in parts] == ["int8", "int8"]
    np.testing.assert_array_equal(array(again(IDS)), array(model(IDS)))
