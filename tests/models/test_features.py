"""Sublayers by path, features, and vectors in the place of tokens."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.ops import convert_to_numpy as array

import keras_dl
from keras_dl import applications, heads
from keras_dl.models import (
    call_embedded,
    embed,
    feature_paths,
    features,
    sublayer,
    sublayers,
    taps,
)

IDS = np.array([[2, 5, 6, 3], [2, 9, 3, 0]])


def bert(**arguments):
    return applications.BERT(
        20, 2, 8, 2, 16, max_sequence_length=6, **arguments
    )


def by_hand(encoder):
    """Hidden states and weights, with the blocks called one by one."""
    x, scores = encoder.embed(ops.convert_to_tensor(IDS)), []
    states = [x]
    for i in range(encoder.num_layers):
        block = encoder.blocks[i % len(encoder.blocks)]
        x, weights = block(x, mask=IDS != 0, return_attention_scores=True)
        states.append(x)
        scores.append(weights)
    return states, scores


def cnn():
    x = images = keras.Input((8, 8, 3))
    for i in range(2):
        x = layers.Conv2D(4, 3, activation="relu", name=f"conv_{i}")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, layers.Dense(3)(x))


# Paths.


def test_paths():
    class Tower(keras.Model):
        def __init__(self):
            super().__init__()
            shared = layers.Dense(1)
            self.again = [shared, (shared, layers.Dense(1, name="third"))]
            self._hidden = layers.Dense(1)
            self.top = keras.Sequential([layers.Dense(2, name="wide")])

    model = Tower()
    assert list(sublayers(model)) == [
        "again/0",
        "again/1/1",
        "top",
        "top/wide",
        "hidden",
    ]
    by_place = sublayers(model, by_place=True)
    assert by_place["top/layers/0"] is model.top.layers[0]
    for path in ("again/1/1", "third"):
        assert sublayer(model, path) is model.again[1][1]
    for path in ("top/wide", "top/layers/0"):
        assert sublayer(model, path) is model.top.layers[0]
    assert sublayers(layers.Dense(1)) == {}
    assert "encoder/blocks/0/attention/query_dense" in sublayers(
        applications.TaskModel(bert(), heads.Classification(2))
    )
    vgg = applications.VGG16(4, dense_units=(), base=1)
    assert sublayer(vgg, "block3_conv3") in vgg.chain


def test_a_path_to_nothing_names_near_ones():
    model = applications.TaskModel(bert(), heads.Classification(2))
    with pytest.raises(ValueError, match="no sublayer.*'encoder/blocks/1/wid"):
        sublayer(model, "encoder/blocks/7/widen")
    with pytest.raises(ValueError, match=r"Near ones: \['conv_1', 'conv_0'\]"):
        features(cnn(), np.ones((1, 8, 8, 3)), ["conv_3"])
    with pytest.raises(ValueError, match=r"It has: \['hidden_states/1'"):
        features(model, IDS, ["hidden_state/1"])
    with pytest.raises(ValueError, match="no feature 'hidden_states/1'"):
        features(cnn(), np.ones((1, 8, 8, 3)), ["hidden_states/1"])
    with pytest.raises(
        ValueError,
        match="must name an attention. Received: the path of a Conv2D",
    ):
        features(cnn(), np.ones((1, 8, 8, 3)), ["conv_0:weights"])
    with pytest.raises(ValueError, match="A path is `sublayer`"):
        features(cnn(), np.ones((1, 8, 8, 3)), ["conv_0:inwards"])


# Features.


def test_features_of_bert_are_those_of_its_blocks():
    encoder = bert()
    model = applications.TaskModel(encoder, heads.Classification(2))
    states, scores = by_hand(encoder)
    paths = [
        *(f"hidden_states/{i}" for i in range(3)),
        *(f"attention_weights/{i}" for i in range(2)),
        "attention_logits/1",
        "encoder/blocks/0/widen:input",
        "outputs",
    ]
    look = keras_dl.compiled(lambda ids: features(model, ids, paths))
    for _ in range(3):  # As it is, recorded, and from the record.
        found = look(IDS)
    for i in range(3):
        np.testing.assert_allclose(
            array(found[f"hidden_states/{i}"]),
            array(states[i]),
            atol=1e-5,
        )
    for i in range(2):
        np.testing.assert_allclose(
            array(found[f"attention_weights/{i}"]),
            array(scores[i]),
            atol=1e-5,
        )
    real = (IDS != 0)[:, None, None]
    # Before the mask, logits of padding are like all others.
    assert np.max(np.abs(array(found["attention_logits/1"]))) < 100
    weights = ops.softmax(ops.where(real, found["attention_logits/1"], -1e9))
    np.testing.assert_allclose(
        array(weights), array(found["attention_weights/1"]), atol=1e-5
    )
    np.testing.assert_allclose(
        array(found["encoder/blocks/0/widen:input"]).shape, (2, 4, 8)
    )
    np.testing.assert_allclose(
        array(found["outputs"]), array(model(IDS)), atol=1e-5
    )
    # The layers are as they were.
    assert "call" not in vars(encoder.blocks[0])


@pytest.mark.compiled
def test_keras_own_attention():
    """What is looked for in keras-hub is what Keras' layer returns."""
    queries = keras.Input((4, 8), name="x")
    attention = layers.MultiHeadAttention(2, 4, name="attention")
    model = keras.Model(queries, attention(queries, queries))
    x = np.random.default_rng(0).normal(size=(2, 4, 8)).astype("float32")
    found = features(
        model, x, ["attention:weights", "attention:logits", "attention"]
    )
    output, weights = attention(x, x, return_attention_scores=True)
    for name, expected in (
        ("attention:weights", weights),
        ("attention", output),
    ):
        np.testing.assert_allclose(
            array(found[name]), array(expected), atol=1e-5
        )
    again = ops.softmax(found["attention:logits"])
    np.testing.assert_allclose(array(again), array(weights), atol=1e-5)


def test_a_functional_model_of_keras_applications():
    model = keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), weights=None, alpha=0.35, classes=3
    )
    x = np.random.default_rng(0).uniform(size=(1, 32, 32, 3))
    x = x.astype("float32")
    found = features(model, x, ["block_2_add", "outputs"])
    halfway = keras.Model(model.input, model.get_layer("block_2_add").output)
    np.testing.assert_allclose(
        array(found["block_2_add"]), array(halfway(x)), atol=1e-5
    )


def test_shared_layers_by_the_number_of_the_call():
    encoder = bert(num_distinct_layers=1)
    states, _ = by_hand(encoder)
    for names, stop in ((["1", "2"], False), (["2"], True)):
        paths = [f"hidden_states/{i}" for i in names]
        found = features(encoder, IDS, paths, stop=stop)
        for i, path in zip(names, paths, strict=True):
            np.testing.assert_allclose(
                array(found[path]), array(states[int(i)]), atol=1e-6
            )
    with pytest.raises(ValueError, match="was called 2 times: say which"):
        features(encoder, IDS, ["blocks/0"])
    with pytest.raises(ValueError, match="was called 2 times while"):
        features(encoder, IDS, ["blocks/0@2"])


def test_no_further_than_needed():
    model = cnn()
    x = np.ones((1, 8, 8, 3), "float32")
    calls = []
    model.layers[-1].call = lambda x: calls.append(1)
    paths = ["conv_1", "conv_0"]
    found = features(model, x, paths, stop=True)
    assert not calls and list(found) == paths
    assert found["conv_1"].shape[1:] == (4, 4, 4)


def test_the_attention_of_a_recurrent_decoder():
    model = applications.Seq2Seq(20, units=8)
    found = features(model, (IDS, IDS), ["decoder:weights"])["decoder:weights"]
    np.testing.assert_allclose(array(found).sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(array(found)[1, :, 3], 0)


def test_arguments_by_name():
    model = applications.Seq2Seq(20, units=8)
    paths = ["decoder:memory", "decoder:input", "decoder:inputs", "encoder/0"]
    found = features(model, (IDS, IDS), [*paths, "decoder:memory_mask"])
    for one, other in (paths[::3], paths[1:3]):
        np.testing.assert_array_equal(array(found[one]), array(found[other]))
    np.testing.assert_array_equal(array(found["decoder:memory_mask"]), IDS != 0)
    # Also where several listen, and before the layer is called.
    calls = []
    model.decoder.call = lambda inputs, memory, **kwargs: calls.append(1)
    stopped = features(model, (IDS, IDS), paths[:2], stop=True)
    np.testing.assert_array_equal(
        array(stopped["decoder:memory"]), array(found["decoder:memory"])
    )
    assert not calls


@pytest.mark.compiled
def test_a_model_that_has_not_been_called():
    class Late(keras.Model):
        """Makes its layers' variables by its first call."""

        def __init__(self):
            super().__init__()
            self.table = layers.Embedding(20, 4)
            self.top = layers.Dense(2)

        def call(self, x):
            return self.top(self.table(x))

    for stop in (False, True):
        model = Late()
        found = features(model, IDS, ["table"], stop=stop)["table"]
        np.testing.assert_array_equal(array(found), array(model.table(IDS)))
        assert model.top.built


@pytest.mark.compiled
def test_stopping_within_compiled_code():
    model = applications.VGG16(3, dense_units=(4,), base=1)
    x = np.random.default_rng(0).uniform(size=(2, 32, 32, 3)).astype("float32")
    expected = features(model, x, ["block3_conv3"])["block3_conv3"]
    look = keras_dl.compiled(
        lambda x: features(model, x, ["block3_conv3"], stop=True)
    )
    for _ in range(3):
        found = look(x)["block3_conv3"]
    np.testing.assert_allclose(array(found), array(expected), atol=1e-5)


def test_gradients_flow_through_features():
    model = cnn()
    x = ops.ones((1, 8, 8, 3))

    def size(x):
        return ops.sum(features(model, x, ["conv_0"])["conv_0"])

    assert np.any(array(keras_dl.grad(size)(x)))


def test_taps_nest_and_end_with_an_error():
    model = cnn()
    x = np.ones((1, 8, 8, 3), "float32")
    with taps(model, ["conv_0"]) as outer:
        with taps(model, ["conv_0", "conv_1"]) as inner:
            model(x)
        with pytest.raises(ZeroDivisionError), taps(model, ["conv_1"]):
            _ = 1 / 0
    assert outer["conv_0"] is inner["conv_0"]
    assert not any("call" in vars(layer) for layer in sublayers(model).values())


def test_a_layer_is_called_once_whatever_is_asked_of_it():
    calls = []

    class Counted(layers.Dense):
        def call(self, x):
            calls.append(1)
            return super().call(x)

    model = keras.Sequential([keras.Input((2,)), Counted(2, name="counted")])
    calls.clear()
    features(model, np.ones((1, 2)), ["counted", "counted:input", "outputs"])
    assert len(calls) == 1


# Vectors in the place of tokens.


def functional():
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(20, 4)(ids)
    return keras.Model(ids, layers.Dense(2)(layers.GRU(4)(x)))


def tied():
    ids = keras.Input((None,), dtype="int32")
    embedding = layers.ReversibleEmbedding(20, 4)
    x = layers.GRU(4, return_sequences=True)(embedding(ids))
    return keras.Model(ids, embedding(x, reverse=True))


EMBEDDED = {
    "bert": lambda: (
        applications.TaskModel(bert(), heads.Classification(2)),
        {"token_ids": IDS},
    ),
    "lm": lambda: (applications.LanguageModel(20, 8), IDS),
    "transformer_lm": lambda: (
        applications.TransformerLanguageModel(20, 1, 8, 2),
        IDS,
    ),
    "seq2seq": lambda: (applications.Seq2Seq(20, units=8), (IDS, IDS)),
    "transformer": lambda: (
        applications.Transformer(
            20, num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8
        ),
        (IDS, IDS),
    ),
    "functional": lambda: (functional(), IDS),
    "tied": lambda: (tied(), IDS),
}


@pytest.mark.compiled("transformer")
@pytest.mark.parametrize("kind", EMBEDDED)
def test_vectors_in_the_place_of_tokens(kind):
    model, x = EMBEDDED[kind]()
    expected = array(model(x))
    vectors = embed(model, x)
    shapes = [tuple(v.shape)[:2] for v in keras.tree.flatten(vectors)]
    assert shapes == [(2, 4)] * (2 if isinstance(x, tuple) else 1)

    def look(x):
        vectors = embed(model, x)

        def score(vectors):
            return ops.sum(ops.square(call_embedded(model, x, vectors)))

        return call_embedded(model, x, vectors), keras_dl.grad(score)(vectors)

    compiled = keras_dl.compiled(look)
    for _ in range(3):
        found, slopes = compiled(x)
    np.testing.assert_allclose(array(found), expected, atol=1e-5)
    assert all(np.any(array(slope)) for slope in keras.tree.flatten(slopes))
    with pytest.raises(ValueError, match="`vectors` must hold one tensor"):
        call_embedded(model, x, [*keras.tree.flatten(vectors)] * 2)


def test_tokens_that_a_head_looks_up():
    """They come behind those of the encoder; a feature is the encoder's."""
    encoder = bert()
    model = applications.TaskModel(encoder, heads.TransformerDecoder())
    x = {"token_ids": IDS, "decoder_ids": IDS[:, :3]}
    expected = array(model(x))
    own, of_head = embed(model, x)
    table = array(encoder.token_embedding.embeddings)
    np.testing.assert_allclose(array(own), table[IDS])
    np.testing.assert_allclose(array(of_head), table[IDS[:, :3]])
    found = call_embedded(model, x, [own, of_head])
    np.testing.assert_allclose(array(found), expected, atol=1e-5)
    found = features(model, x, ["embeddings"])["embeddings"]
    np.testing.assert_array_equal(array(found), array(own))


def test_a_model_without_tokens():
    with pytest.raises(ValueError, match="`model` must look up tokens by"):
        embed(cnn(), np.ones((1, 8, 8, 3)))


@pytest.mark.parametrize("kind", EMBEDDED)
def test_every_model_of_tokens_names_its_features(kind):
    """All of them are there, and those of look-ups are what `embed` gives."""
    model, x = EMBEDDED[kind]()
    names = feature_paths(model)
    if kind in ("bert", "transformer_lm"):
        assert {"hidden_states/1", "attention_weights/0"} <= set(names)
    found = features(model, x, list(names))
    of_look_ups = [
        array(found[name]) for name in names if name.endswith("embeddings")
    ]
    vectors = keras.tree.flatten(embed(model, x))
    for one, other in zip(of_look_ups, vectors, strict=True):
        np.testing.assert_array_equal(one, array(other))


@pytest.mark.parametrize("kind", ["lm", "transformer_lm", "transformer"])
def test_vectors_are_found_without_what_follows(kind):
    model, x = EMBEDDED[kind]()
    model(x)
    above = {"lm": "recurrent", "transformer_lm": "blocks"}
    last = getattr(model, above.get(kind, "decoder"))[-1]
    last.call = lambda *args, **kwargs: 1 / 0
    embed(model, x)
